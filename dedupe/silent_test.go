package dedupe

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// A source that pushes and is expected to is missed when it falls silent: what it pushed is held
// beyond EndsAt, until it is heard again and says no more of it.
func TestSilentSender(t *testing.T) {
	start := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	p, err := NewPresence(start, &alarm.Stored{}, Options{Expect: map[string]time.Duration{"a": 90 * time.Second}})
	require.NoError(t, err)
	push := func(now time.Time, source string, names ...string) []alarm.Change {
		s := alarm.Snapshot{Source: source, At: now, Partial: true}
		for _, name := range names {
			s.Alerts = append(s.Alerts, alarm.Alert{
				Labels: model.LabelSet{"alertname": model.LabelValue(name)}, StartsAt: start, EndsAt: now.Add(4 * time.Minute),
			})
		}
		changes, _, _ := p.Observe(now, []alarm.Snapshot{s})
		return changes
	}
	require.Len(t, push(start, "a", "X", "Y"), 2)
	require.Len(t, push(start, "b", "Z"), 1)

	now, ended := start, []string{}
	for range 60 { // an hour in which nobody is heard
		now = now.Add(time.Minute)
		changes, _, _ := p.Observe(now, nil)
		for _, c := range changes {
			if c.Kind == alarm.Ended {
				ended = append(ended, c.Alert.Name())
			}
		}
	}
	assert.Equal(t, []string{"Z"}, ended, "nobody expects b")
	assert.True(t, p.Sources(now)[0].Stale)
	assert.False(t, p.Sources(now)[1].Stale)

	// Heard again, with one of the two: the other has the resolve timeout to be sent again.
	for _, c := range push(now, "a", "X") {
		assert.Equal(t, alarm.Refreshed, c.Kind)
	}
	assert.False(t, p.Sources(now)[0].Stale)
	for range 4 {
		now = now.Add(time.Minute)
		for _, c := range push(now, "a", "X") {
			assert.Equal(t, alarm.Refreshed, c.Kind)
		}
	}
	var last []alarm.Change
	for range 3 { // it ends once the sender was heard after its end
		now = now.Add(time.Minute)
		for _, c := range push(now, "a", "X") {
			if c.Kind != alarm.Refreshed {
				last = append(last, c)
			}
		}
	}
	require.Len(t, last, 1)
	assert.Equal(t, alarm.Ended, last[0].Kind)
	assert.Equal(t, "Y", last[0].Alert.Name())
}

// It is not held for ever if that was asked for.
func TestSilentSenderForTooLong(t *testing.T) {
	start := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	p, err := NewPresence(start, nil, Options{
		Expect: map[string]time.Duration{"a": 90 * time.Second}, MaxStaleOf: map[string]time.Duration{"a": 20 * time.Minute},
	})
	require.NoError(t, err)
	p.Observe(start, []alarm.Snapshot{{Source: "a", At: start, Partial: true, Alerts: []alarm.Alert{{Labels: model.LabelSet{"alertname": "X"}}}}})
	for minute := 1; minute < 60; minute++ {
		changes, _, _ := p.Observe(start.Add(time.Duration(minute)*time.Minute), nil)
		for _, c := range changes {
			if c.Kind == alarm.Ended {
				assert.GreaterOrEqual(t, minute, 21)
				assert.LessOrEqual(t, minute, 27)
				return
			}
		}
	}
	t.Fatal("it was held for ever")
}

// What a sender pushed ends at EndsAt only if it was heard afterwards: until then nobody knows
// whether the alert is over, or the sender is.
func TestExpectedSenderThatDies(t *testing.T) {
	start := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	for _, alive := range []bool{false, true} {
		p, err := NewPresence(start, nil, Options{Expect: map[string]time.Duration{"a": 5 * time.Minute}})
		require.NoError(t, err)
		observe := func(now time.Time, names ...string) (ended []string) {
			var in []alarm.Snapshot
			if names != nil {
				s := alarm.Snapshot{Source: "a", At: now, Partial: true}
				for _, name := range names {
					s.Alerts = append(s.Alerts, alarm.Alert{
						Labels: model.LabelSet{"alertname": model.LabelValue(name)}, StartsAt: start, EndsAt: now.Add(4 * time.Minute),
					})
				}
				in = append(in, s)
			}
			changes, _, _ := p.Observe(now, in)
			for _, c := range changes {
				if c.Kind == alarm.Ended {
					ended = append(ended, c.Alert.Name())
				}
			}
			return ended
		}
		observe(start, "X", "Y")
		var ended []string
		for minute := 1; minute <= 30; minute++ {
			now := start.Add(time.Duration(minute) * time.Minute)
			if alive {
				ended = append(ended, observe(now, "X")...)
			} else {
				ended = append(ended, observe(now)...)
			}
		}
		if alive {
			assert.Equal(t, []string{"Y"}, ended, "the sender lives and says no more of Y")
		} else {
			assert.Empty(t, ended, "the sender is dead")
		}
	}
}

// A push that tells what a source, which is down now, had as pending is held until that source can be
// asked.
func TestPushedWhilePendingAtAStaleSource(t *testing.T) {
	start := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	p, err := NewPresence(start, nil, Options{})
	require.NoError(t, err)
	ls := model.LabelSet{"alertname": "X"}
	read := alarm.Snapshot{Source: "vmalert", At: start}
	read.Pending(ls)
	p.Observe(start, []alarm.Snapshot{read})
	push := alarm.Snapshot{Source: "push", At: start, Partial: true, Alerts: []alarm.Alert{{Labels: ls, StartsAt: start, EndsAt: start.Add(time.Minute)}}}
	changes, _, _ := p.Observe(start.Add(time.Second), []alarm.Snapshot{push})
	require.Len(t, changes, 1)
	require.Equal(t, alarm.Firing, changes[0].Alert.State)

	p.Observe(start.Add(30*time.Second), []alarm.Snapshot{{Source: "vmalert", Err: assert.AnError}})
	for minute := 1; minute < 30; minute++ {
		changes, _, _ := p.Observe(start.Add(time.Duration(minute)*time.Minute), nil)
		for _, c := range changes {
			require.Equal(t, alarm.Refreshed, c.Kind)
		}
	}
	changes, _, _ = p.Observe(start.Add(time.Hour), []alarm.Snapshot{{Source: "vmalert", At: start.Add(time.Hour)}})
	for at := start.Add(time.Hour); len(changes) == 0 || changes[0].Kind != alarm.Ended; at = at.Add(time.Minute) {
		require.Less(t, at.Sub(start), 2*time.Hour)
		changes, _, _ = p.Observe(at, nil)
	}
}
