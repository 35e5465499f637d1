package dedupe

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tocsin/tocsin/alarm"
)

// pendingSince is a whole snapshot of an alert whose condition is true since then.
func pendingSince(seconds float64) alarm.Snapshot {
	s := alarm.Snapshot{Source: "a"}
	s.Pending(named("X")).StartsAt = at(seconds)
	return s
}

// tocsin and its rule server restart together, and the rule has a `for`.
func TestPendingAfterARestartIsDoubted(t *testing.T) {
	for name, tc := range map[string]struct {
		then  []alarm.Snapshot // each ten seconds after the one before
		want  []string         // the states
		fired int
	}{
		"fires again":                {[]alarm.Snapshot{failed("a"), whole("a", "X!"), pendingSince(95), pendingSince(95), whole("a", "X"), whole("a")}, []string{"firing", "firing", "firing", "firing", "firing", "resolved"}, 1},
		"is gone":                    {[]alarm.Snapshot{pendingSince(95), whole("a")}, []string{"firing", "resolved"}, 1},
		"began anew":                 {[]alarm.Snapshot{pendingSince(95), pendingSince(105), whole("a", "X")}, []string{"firing", "resolved", "firing"}, 2},
		"was seen to fire meanwhile": {[]alarm.Snapshot{whole("a", "X"), pendingSince(105)}, []string{"firing", "resolved"}, 1},
	} {
		b := newBench(t, start, Options{})
		b.observe(at(1), whole("a", "X"))
		b.rebuild(at(100), true)
		for i, s := range tc.then {
			b.observe(at(float64(100+10*i)), s)
			assert.Equal(t, tc.want[i], b.state("X"), "%s: step %d", name, i)
		}
		assert.Equal(t, tc.fired, b.named("X").Fired, name)
		assert.False(t, b.named("X").StartsAt.After(at(120)), name)
	}
}

func TestPendingIsBelievedWithoutARestart(t *testing.T) {
	b := newBench(t, start, Options{})
	b.observe(at(1), whole("a", "X"))
	b.rebuild(at(100), false) // a reload
	b.observe(at(101), pendingSince(95))
	assert.Equal(t, "resolved", b.state("X"))
}
