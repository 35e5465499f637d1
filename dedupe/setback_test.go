package dedupe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// In these tests the clock is set back by an hour while the server is down.
const setBack = -3600

func TestHoldAfterTheClockWasSetBack(t *testing.T) {
	c := holds(t, holdOptions())
	a := fire(nil, start, sev("A", "warning"))
	c.step(start, a)
	require.True(t, c.withheld(a))
	c.restart()
	c.step(at(setBack))
	assert.Equal(t, at(setBack+30), c.reasons[a.Fingerprint()][0].Until, "it waits as long as it would have, not an hour")
	c.step(at(setBack + 30))
	assert.False(t, c.withheld(a))
}

func TestFloodAfterTheClockWasSetBack(t *testing.T) {
	c := floods(t, FloodOptions{Severities: severities(), Pages: 3, Team: byTeam})
	c.step(start, burst(start, "db", "warning", 3)...)
	c.restart()
	c.step(at(setBack))
	later := burst(at(setBack+121), "db", "warning", 5)[3:]
	c.step(at(setBack+121), later...)
	assert.False(t, c.withheld(later[0]) || c.withheld(later[1]), "the pages of before count for two minutes")
}

func TestFlapAfterTheClockWasSetBack(t *testing.T) {
	f, err := NewFlap(FlapOptions{Min: time.Minute, Max: 10 * time.Minute})
	require.NoError(t, err)
	fp := named("A").Fingerprint()
	for i := range 5 {
		f.Observe(at(float64(i)), fp, i%2 == 0)
	}
	require.True(t, f.Flapping(fp))
	rows := f.State()
	require.NoError(t, f.Load(rows))
	f.setBack(at(setBack))
	assert.False(t, f.Next().After(at(setBack+600)), "%s", f.Next())
}

func TestPresenceAfterTheClockWasSetBack(t *testing.T) {
	b := newBench(t, start, Options{ResolveTimeout: 5 * time.Minute})
	b.observe(start, push("push", fires("Explicit", at(-7200), at(240)), fires("Timeout", at(-7200))))
	b.rebuild(at(setBack), true)
	b.observe(at(setBack))
	assert.Equal(t, "firing", b.state("Explicit"))
	assert.Equal(t, at(setBack+300), b.named("Timeout").EndsAt, "resolve_timeout, and no hour more")
	s := push("push", fires("Explicit", at(-7200), at(setBack+10)))
	s.At = at(setBack + 10) // it was heard before the cycle
	b.observe(at(setBack+11), s)
	assert.Equal(t, "resolved", b.state("Explicit"), "what is said now counts for more than what was said before")
}

func TestMergeAfterTheClockWasSetBack(t *testing.T) {
	old := alarm.Report{State: alarm.Firing, StartsAt: at(-7200), EndsAt: at(240), UpdatedAt: start, Partial: true}
	arrived := alarm.Report{State: alarm.Resolved, StartsAt: at(-7200), EndsAt: at(setBack), UpdatedAt: at(setBack), Partial: true}
	merged, newest := merge(at(setBack+1), old, arrived)
	assert.True(t, newest)
	assert.Equal(t, alarm.Resolved, merged.State)
	_, newest = merge(at(1), old, arrived)
	assert.False(t, newest, "it was under way for long")
}
