package dedupe

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// TestSources goes through what several sources may do to an alert X.
func TestSources(t *testing.T) {
	type step struct {
		after time.Duration
		in    []alarm.Snapshot
		want  []string
		state string // of X
	}
	with := func(s ...alarm.Snapshot) []alarm.Snapshot { return s }
	for name, tc := range map[string]struct {
		o     Options
		steps []step
	}{
		"what a whole snapshot omits has ended": {steps: []step{
			{in: with(whole("a", "X", "Y")), want: []string{"appeared Y by a", "appeared X by a"}, state: "firing"},
			{in: with(whole("a", "Y")), want: []string{"refreshed Y by a", "ended X by a"}, state: "resolved"},
			{in: with(whole("a", "Y")), want: []string{"refreshed Y by a"}, state: "resolved"},
			{in: with(whole("a", "X", "Y")), want: []string{"refreshed Y by a", "appeared X by a"}, state: "firing"},
		}},
		"unknown alerts are kept as they were": {steps: []step{
			{in: with(whole("a", "X")), want: []string{"appeared X by a"}, state: "firing"},
			{in: with(whole("a", "X!")), state: "firing"},
			{in: with(whole("a")), want: []string{"ended X by a"}, state: "resolved"},
			{in: with(whole("a", "X!")), state: "resolved"},
		}},
		"a failed source ends nothing": {steps: []step{
			{in: with(whole("a", "X")), want: []string{"appeared X by a"}, state: "firing"},
			{in: with(failed("a")), state: "firing"},
			{after: 1000 * time.Hour, state: "firing"},
			{in: with(whole("a")), want: []string{"ended X by a"}, state: "resolved"},
		}},
		"unless it is stale for too long": {o: Options{MaxStale: time.Hour}, steps: []step{
			{in: with(whole("a", "X")), want: []string{"appeared X by a"}, state: "firing"},
			{in: with(failed("a")), state: "firing"},
			{after: 59 * time.Minute, in: with(failed("a")), state: "firing"},
			{after: time.Minute, want: []string{"ended X"}, state: "resolved"},
			{in: with(failed("a")), state: "resolved"},
			{in: with(whole("a", "X")), want: []string{"appeared X by a"}, state: "firing"},
		}},
		"an alert fires while any fresh source reports it": {steps: []step{
			{in: with(whole("b", "X"), whole("a", "X")), want: []string{"appeared X by b"}, state: "firing"},
			{in: with(whole("a")), want: []string{"changed X by a"}, state: "firing"},
			{in: with(whole("b")), want: []string{"ended X by b"}, state: "resolved"},
		}},
		"a stale source holds an alert that a fresh one never reported": {steps: []step{
			{in: with(whole("a"), whole("b", "X")), want: []string{"appeared X by b"}, state: "firing"},
			{in: with(whole("a"), failed("b")), state: "firing"},
			{in: with(whole("a"), failed("b")), state: "firing"},
		}},
		"a stale source does not outvote a fresh one": {steps: []step{
			{in: with(whole("a", "X"), whole("b", "X")), want: []string{"appeared X by b"}, state: "firing"},
			{in: with(failed("b")), state: "firing"},
			{in: with(whole("a", "X")), want: []string{"refreshed X by a"}, state: "firing"},
			{in: with(whole("a")), want: []string{"ended X by a"}, state: "resolved"},
			{in: with(failed("b")), state: "resolved"},
			{in: with(whole("b", "X")), want: []string{"appeared X by b"}, state: "firing"},
		}},
		"not even if it fails in the same cycle": {steps: []step{
			{in: with(whole("a", "X"), whole("b", "X")), want: []string{"appeared X by b"}, state: "firing"},
			{in: with(whole("a"), failed("b")), want: []string{"ended X by a"}, state: "resolved"},
		}},
		"its failure ends nothing that another source has let go before": {steps: []step{
			{in: with(whole("a", "X"), whole("b", "X")), want: []string{"appeared X by b"}, state: "firing"},
			{in: with(whole("a")), want: []string{"changed X by a"}, state: "firing"},
			{in: with(whole("a"), failed("b")), state: "firing"},
		}},
		"a pushed end that only passes outvotes nobody": {steps: []step{
			{in: with(push("a", fires("X", at(0), at(60))), whole("b", "X")), want: []string{"appeared X by b"}, state: "firing"},
			{in: with(failed("b")), state: "firing"},
			{after: 2 * time.Minute, want: []string(nil), state: "firing"},
			{in: with(push("a", fires("X", at(0), at(90)))), want: []string{"ended X by a"}, state: "resolved"},
		}},
		"a source that takes over keeps the alert firing": {steps: []step{
			{in: with(whole("a", "X")), want: []string{"appeared X by a"}, state: "firing"},
			{in: with(whole("a"), whole("b", "X")), want: []string{"changed X by b"}, state: "firing"},
		}},
		"pending is shown until it fires": {steps: []step{
			{in: with(whole("a", "X?")), want: []string{"appeared X by a"}, state: "pending"},
			{in: with(whole("a")), want: []string{"ended X by a"}, state: "resolved"},
			{in: with(whole("a", "X?")), want: []string{"appeared X by a"}, state: "pending"},
			{in: with(whole("a", "X")), want: []string{"changed X by a"}, state: "firing"},
			{in: with(whole("a", "X?")), want: []string{"ended X by a"}, state: "resolved"},
			{in: with(whole("a", "X")), want: []string{"appeared X by a"}, state: "firing"},
		}},
		"pending does not make firing less": {steps: []step{
			{in: with(whole("a", "X"), whole("b", "X?")), want: []string{"appeared X by b"}, state: "firing"},
			{in: with(whole("a", "X?")), want: []string{"ended X by a"}, state: "resolved"},
		}},
		"the resolve of an alert that is not known is handed on": {steps: []step{
			{in: with(push("a", fires("X", at(-60), at(-30)))), want: []string{"ended X by a"}, state: ""},
			{in: with(push("a", fires("X", at(-60), at(-30)))), want: []string{"ended X by a"}, state: ""},
		}},
		"repeated resolves change nothing but the end": {steps: []step{
			{in: with(push("a", fires("X", at(0)))), want: []string{"appeared X by a"}, state: "firing"},
			{after: time.Minute, in: with(push("a", fires("X", at(0), at(20)))), want: []string{"ended X by a"}, state: "resolved"},
			{in: with(push("a", fires("X", at(0), at(20)))), want: []string{"refreshed X by a"}, state: "resolved"},
			{in: with(push("a", fires("X", at(0), at(50)))), want: []string{"refreshed X by a"}, state: "resolved"},
			{after: 14 * time.Minute, in: with(push("a", fires("X", at(0), at(20)))), want: []string{"refreshed X by a"}, state: "resolved"},
		}},
		"whole snapshots of sources that are not in the configuration are ignored": {o: Options{Sources: []string{"a"}}, steps: []step{
			{in: with(whole("b", "X")), state: ""},
			{in: with(push("p", fires("X", at(0)))), want: []string{"appeared X by p"}, state: "firing"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			now := start
			b := newBench(t, now, tc.o)
			for i, s := range tc.steps {
				now = now.Add(time.Second + s.after)
				assert.Equal(t, s.want, b.observe(now, s.in...), "step %d", i)
				assert.Equal(t, s.state, b.state("X"), "step %d", i)
			}
			b.unmodified()
		})
	}
}

func TestWholeSnapshotTimes(t *testing.T) {
	b := newBench(t, start, Options{})
	reported := func(starts, ends time.Time) alarm.Snapshot {
		return alarm.Snapshot{Source: "a", At: at(30), Alerts: []alarm.Alert{{Labels: named("X"), StartsAt: starts, EndsAt: ends}}}
	}
	b.observe(at(31), reported(time.Time{}, at(5)))
	assert.Equal(t, &alarm.Alert{
		Labels: named("X"), StartsAt: at(30), UpdatedAt: at(30), FirstSeen: at(31), Fired: 1,
		Reports: []alarm.Report{{Source: "a", StartsAt: at(30), UpdatedAt: at(30)}},
	}, unprinted(b.named("X")))

	assert.Equal(t, []string{"changed X by a"}, b.observe(at(32), reported(at(10), at(5))), "it starts earlier")
	assert.Equal(t, at(10), b.named("X").StartsAt)
	assert.Empty(t, b.observe(at(33), reported(at(20), time.Time{})), "a restarted vmalert does not move the start forward")

	later := reported(at(1000), time.Time{})
	later.At = at(2000)
	b.observe(at(34), later)
	assert.Equal(t, at(34), b.named("X").UpdatedAt, "a source whose clock is ahead spoke now")

	b.observe(at(40), alarm.Snapshot{Source: "a", At: at(39)})
	assert.Equal(t, at(39), b.named("X").EndsAt)
	b.observe(at(50), reported(at(45), time.Time{}))
	assert.Equal(t, at(45), b.named("X").StartsAt)
	assert.Equal(t, 2, b.named("X").Fired)
	b.unmodified()
}

// unprinted returns the alert without its fingerprint, which a literal cannot have.
func unprinted(a *alarm.Alert) *alarm.Alert {
	return &alarm.Alert{
		Labels: a.Labels, Annotations: a.Annotations, GeneratorURL: a.GeneratorURL, State: a.State, StartsAt: a.StartsAt,
		EndsAt: a.EndsAt, UpdatedAt: a.UpdatedAt, Timeout: a.Timeout, Reports: a.Reports, FirstSeen: a.FirstSeen, Fired: a.Fired,
	}
}

func TestStartStaysWhileAnySourceGoesOn(t *testing.T) {
	b := newBench(t, start, Options{})
	reported := func(source string, starts float64) alarm.Snapshot {
		return alarm.Snapshot{Source: source, Alerts: []alarm.Alert{{Labels: named("X"), StartsAt: at(starts)}}}
	}
	b.observe(at(10), reported("a", 1), reported("b", 3))
	b.observe(at(11), whole("a"))
	assert.Equal(t, []string{"changed X by a"}, b.observe(at(20), reported("a", 15)))
	assert.Equal(t, at(1), b.named("X").StartsAt)
	assert.Equal(t, 1, b.named("X").Fired)
	b.observe(at(21), whole("a"), whole("b"))
	assert.Equal(t, []string{"appeared X by a"}, b.observe(at(30), reported("a", 25)))
	assert.Equal(t, at(25), b.named("X").StartsAt)
	assert.Equal(t, 2, b.named("X").Fired)
}

func TestOfDuplicatesTheLastCounts(t *testing.T) {
	b := newBench(t, start, Options{})
	s := whole("a", "X", "X")
	s.Alerts[0].StartsAt, s.Alerts[1].StartsAt = at(-100), at(-50)
	b.observe(at(1), s)
	assert.Equal(t, at(-50), b.named("X").StartsAt)
}

func TestAnnotationsDoNotAlternate(t *testing.T) {
	b := newBench(t, start, Options{})
	from := func(source string) alarm.Snapshot {
		s := whole(source, "X")
		s.Alerts[0].Annotations = model.LabelSet{"by": model.LabelValue(source)}
		return s
	}
	by := func() string { return string(b.named("X").Annotations["by"]) }
	b.observe(at(1), from("b"))
	assert.Equal(t, "b", by())
	b.observe(at(2), from("a"))
	assert.Equal(t, "a", by())
	assert.Equal(t, []string{"refreshed X by b"}, b.observe(at(3), from("b")))
	assert.Equal(t, "a", by())
	b.observe(at(4), failed("a"), from("b"))
	assert.Equal(t, "b", by(), "a is stale")
}

func TestEqualLabelSetsAreShared(t *testing.T) {
	b := newBench(t, start, Options{})
	annotated := func() alarm.Alert {
		a := fires("X", at(0))
		a.Annotations = model.LabelSet{"k": "v"}
		return a
	}
	first := annotated()
	b.observe(at(1), push("a", first))
	b.observe(at(2), push("a", annotated()))
	first.Annotations["k"] = "shared" // nobody may do that; it shows who holds the map
	first.Labels["k"] = "shared"
	assert.Equal(t, "shared", string(b.named("X").Annotations["k"]))
	assert.Equal(t, "shared", string(b.named("X").Labels["k"]))
}

func TestRestart(t *testing.T) {
	b := newBench(t, start, Options{Sources: []string{"a", "c"}})
	b.observe(at(1), push("p", fires("Pushed", at(0), at(60)), fires("Over", at(0))), whole("a", "Read"))
	b.observe(at(2), push("p", fires("Over", at(0), at(1.5))))

	b.rebuild(at(3), false) // a reload changes nothing
	assert.Empty(t, b.observe(at(4)))
	assert.Equal(t, at(60), b.named("Pushed").EndsAt)

	b.rebuild(at(1000), true)
	assert.Equal(t, []string{"refreshed Pushed"}, b.observe(at(1000)))
	assert.Equal(t, at(1300), b.named("Pushed").EndsAt, "it lasts resolve_timeout more")
	assert.True(t, b.named("Pushed").Timeout)
	assert.Equal(t, "resolved", b.state("Over"))
	assert.Equal(t, at(1120), b.next, "the end of the grace")
	assert.Equal(t, []alarm.SourceStatus{{Name: "a", Alerts: 1}, {Name: "c"}, {Name: "p", Alerts: 1}}, b.Sources(at(1119)))

	assert.Empty(t, b.observe(at(1120)))
	assert.Equal(t, []alarm.SourceStatus{
		{Name: "a", Stale: true, Alerts: 1}, {Name: "c", Stale: true}, {Name: "p", Alerts: 1},
	}, b.Sources(at(1120)))
	assert.Equal(t, at(1300), b.next)
	assert.Equal(t, []string{"ended Pushed"}, b.observe(at(1300)))
	assert.Zero(t, b.next)
	assert.Equal(t, "firing", b.state("Read"), "without limit")
	assert.Equal(t, []string{"ended Read by a"}, b.observe(at(5000), whole("a")))
	assert.Equal(t, alarm.SourceStatus{Name: "a", LastSuccess: at(5000)}, b.Sources(at(5000))[0])
}

func TestUnreadSourcesHoldWithinTheGrace(t *testing.T) {
	for seconds, want := range map[float64]string{60: "firing", 130: "resolved"} {
		b := newBench(t, start, Options{})
		b.observe(at(1), whole("a", "X"), whole("b", "X"))
		b.rebuild(at(2), true)
		b.observe(at(seconds), whole("a"))
		assert.Equal(t, want, b.state("X"), "b unread for %v s", seconds)
	}
}

func TestStaleSourcesAreRemembered(t *testing.T) {
	b := newBench(t, start, Options{MaxStale: time.Hour})
	b.observe(at(1), whole("a", "X"))
	b.observe(at(2), failed("a"))
	assert.Equal(t, map[rowKey][]byte{{"source", "a"}: []byte(`{"since":"2026-01-01T00:00:02Z","err":"` + assert.AnError.Error() + `"}`)}, b.rows)

	b.rebuild(at(1000), false)
	assert.True(t, b.Sources(at(1000))[0].Stale)
	assert.EqualError(t, b.Sources(at(1000))[0].Err, assert.AnError.Error())
	b.observe(at(1000))
	assert.Equal(t, at(3602), b.next)

	b.rebuild(at(100_000), true)
	assert.Empty(t, b.observe(at(100_000)), "our own absence does not count")
	assert.Equal(t, at(103_600), b.next)
	b.observe(at(100_001), whole("a", "X"))
	assert.Empty(t, b.rows)
}

func TestRemovedSourcesEnd(t *testing.T) {
	b := newBench(t, start, Options{Sources: []string{"a", "gone", "failing"}})
	b.observe(at(1), whole("a", "Both", "Kept"), whole("gone", "Both", "Lost"), push("p", fires("Pushed", at(0))), failed("failing"))
	b.o.Sources = []string{"a"}
	b.rebuild(at(2), false)
	assert.Equal(t, []string{"ended Lost by gone", "changed Both by gone"}, b.observe(at(3)))
	assert.Equal(t, "firing", b.state("Pushed"))
	assert.Empty(t, b.rows)
	b.forget(at(1000), time.Minute)
	assert.Empty(t, b.state("Lost"))
	var names []string
	for _, s := range b.Sources(at(3)) {
		names = append(names, s.Name)
	}
	assert.Equal(t, []string{"a", "p"}, names)
}

func TestPerAlertnameLimit(t *testing.T) {
	var dropped []string
	b := newBench(t, start, Options{PerAlertnameLimit: 2, Limited: func(name string) { dropped = append(dropped, name) }})
	of := func(name, i string, ends float64) alarm.Alert {
		return alarm.Alert{Labels: model.LabelSet{"alertname": model.LabelValue(name), "i": model.LabelValue(i)}, StartsAt: at(0), EndsAt: at(ends)}
	}
	b.observe(at(1), push("p", of("X", "1", 60), of("X", "2", 60), of("X", "3", 60), of("Y", "1", 60)))
	assert.Equal(t, []string{"X"}, dropped)
	b.observe(at(2), push("p", of("X", "1", 70), of("X", "2", 2)))
	assert.Empty(t, b.observe(at(2), push("p", of("X", "2", 2))))
	b.observe(at(3), push("p", of("X", "3", 70), of("X", "2", 70)))
	assert.Equal(t, []string{"X", "X"}, dropped, "3 took the place of 2")
	b.rebuild(at(4), false)
	b.observe(at(5), push("p", of("X", "4", 100)))
	assert.Equal(t, []string{"X", "X", "X"}, dropped)
	b.observe(at(70), push("p", of("X", "4", 100), of("X", "5", 100)))
	assert.Len(t, dropped, 3, "1 and 3 have ended")
}

func TestWhatIsStaleForTooLongLeavesRoom(t *testing.T) {
	b := newBench(t, start, Options{PerAlertnameLimit: 1, MaxStale: time.Hour})
	b.observe(at(1), whole("a", "X"))
	b.observe(at(2), failed("a"))
	other := fires("X", at(0))
	other.Labels["i"] = "2"
	assert.Empty(t, b.observe(at(3), push("p", other)))
	assert.Equal(t, []string{"ended X"}, b.observe(at(3602)))
	assert.Equal(t, []string{"appeared X by p"}, b.observe(at(3603), push("p", other)))
}

func TestForget(t *testing.T) {
	b := newBench(t, start, Options{PerAlertnameLimit: 1})
	b.observe(at(1), whole("a", "X", "Y"))
	b.observe(at(2), whole("a", "X?", "Y"))
	assert.Equal(t, "resolved", b.state("X"))
	b.Forget([]model.Fingerprint{named("X").Fingerprint(), named("Y").Fingerprint(), 1})
	assert.Equal(t, []string{"refreshed Y by a", "appeared X by a"}, b.observe(at(3), whole("a", "X?", "Y")))
	assert.Equal(t, "pending", b.state("X"), "the end is told, so pending can be shown")
	assert.Equal(t, at(1), b.named("X").FirstSeen, "that is not forgotten")
}

func TestNewPresenceErrors(t *testing.T) {
	a := fires("X", start)
	for name, tc := range map[string]struct {
		s    alarm.Stored
		o    Options
		want string
	}{
		"limit": {o: Options{PerAlertnameLimit: -1}, want: "presence: a duration or limit is less than zero"},
		"twice": {s: alarm.Stored{Alerts: []*alarm.Alert{&a, &a}}, want: "presence: alert d2aeefc389ca7746 is stored twice"},
		"row": {
			s:    alarm.Stored{Rows: []alarm.Row{{Part: "source", Key: "a", Value: []byte("{")}}},
			want: `presence: row of source "a": unexpected end of JSON input`,
		},
	} {
		_, err := NewPresence(start, &tc.s, tc.o)
		assert.EqualError(t, err, tc.want, name)
	}
	p, err := NewPresence(start, &alarm.Stored{Alerts: []*alarm.Alert{&a}, Rows: []alarm.Row{{Part: "flap"}}}, Options{})
	require.NoError(t, err)
	changes, _, _ := p.Observe(at(1), nil)
	require.Len(t, changes, 1, "nobody reports it")
	assert.Equal(t, alarm.Ended, changes[0].Kind)
}

func TestFarAwayEnds(t *testing.T) {
	b := newBench(t, start, Options{})
	b.observe(at(1), push("p", fires("X", time.Date(1, 2, 3, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))))
	assert.Empty(t, b.observe(at(1e9)))
	assert.Equal(t, at(1e9).Add(farthest), b.next)
	assert.Equal(t, "firing", b.state("X"))
}
