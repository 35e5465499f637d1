package dedupe

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// A cycle drives a Suppressor as the engine does: it keeps alerts, reasons and rows, follows what is
// raised, and judges it again.
type cycle struct {
	t       testing.TB
	build   func(*alarm.Stored) alarm.Suppressor
	s       alarm.Suppressor
	fresh   bool
	alerts  map[model.Fingerprint]*alarm.Alert
	reasons map[model.Fingerprint][]alarm.Suppression
	rows    map[rowKey][]byte
	next    time.Time
	told    map[model.Fingerprint]bool
	others  map[model.Fingerprint]bool // withheld by a suppressor before
	changed []model.Fingerprint        // of others
}

func newCycle(t testing.TB, build func(*alarm.Stored) alarm.Suppressor) *cycle {
	c := &cycle{
		t: t, build: build, alerts: map[model.Fingerprint]*alarm.Alert{}, reasons: map[model.Fingerprint][]alarm.Suppression{},
		rows: map[rowKey][]byte{}, told: map[model.Fingerprint]bool{}, others: map[model.Fingerprint]bool{},
	}
	c.restart()
	return c
}

func (c *cycle) restart() {
	c.s, c.fresh = c.build(&alarm.Stored{Rows: sortedRows(c.rows), Restarted: true}), true
	c.reasons = map[model.Fingerprint][]alarm.Suppression{}
}

// withhold has another suppressor withhold an alert, or withhold it no more.
func (c *cycle) withhold(a *alarm.Alert, withheld bool) {
	c.others[a.Fingerprint()] = withheld
	c.changed = append(c.changed, a.Fingerprint())
}

// step is one cycle, in which these alerts change.
func (c *cycle) step(now time.Time, changed ...*alarm.Alert) {
	var changes []alarm.Change
	for _, a := range changed {
		changes = append(changes, c.change(a))
		c.alerts[a.Fingerprint()] = a
	}
	if c.fresh {
		changes = nil
		for _, a := range c.alerts {
			changes = append(changes, alarm.Change{Kind: c.change(a).Kind, Alert: a})
		}
		c.fresh = false
	}
	raised := c.judge(now, changes)
	for _, r := range raised {
		require.Equal(c.t, c.s.Name(), r.Alert.RaisedBy)
		if r.Kind == alarm.Appeared && c.alerts[r.Alert.Fingerprint()] != nil {
			require.Equal(c.t, alarm.Resolved, c.alerts[r.Alert.Fingerprint()].State)
		}
		c.alerts[r.Alert.Fingerprint()] = r.Alert
	}
	if len(raised) > 0 {
		require.Empty(c.t, c.judge(now, raised), "what is raised raises nothing")
	}
	for fp := range c.told {
		if a := c.alerts[fp]; a == nil || a.State != alarm.Firing {
			delete(c.told, fp)
		}
	}
}

func (c *cycle) change(a *alarm.Alert) alarm.Change {
	kind := alarm.Appeared
	if a.State == alarm.Resolved {
		kind = alarm.Ended
	} else if old := c.alerts[a.Fingerprint()]; old != nil && old.State == alarm.Firing && old.Fired == a.Fired {
		kind = alarm.Changed
	}
	return alarm.Change{Kind: kind, Alert: a, Source: "test"}
}

func (c *cycle) judge(now time.Time, changes []alarm.Change) []alarm.Change {
	slices.SortFunc(changes, func(a, b alarm.Change) int { return cmp.Compare(a.Alert.Fingerprint(), b.Alert.Fingerprint()) })
	rejudged := slices.Compact(slices.Sorted(slices.Values(c.changed)))
	c.changed = nil
	j := c.s.Judge(now, alarm.View{
		Changes: changes, Rejudged: rejudged,
		Reasons: func(fp model.Fingerprint) []alarm.Suppression {
			if c.others[fp] {
				return []alarm.Suppression{{Fingerprint: fp, Reason: alarm.ReasonSilence}}
			}
			return nil
		},
		Alert: func(fp model.Fingerprint) *alarm.Alert { return c.alerts[fp] },
		Told:  func(fp model.Fingerprint) bool { return c.told[fp] },
	})
	require.True(c.t, slices.IsSorted(j.Judged))
	require.True(c.t, j.Next.IsZero() || j.Next.After(now), "%s is not after %s", j.Next, now)
	for _, fp := range j.Judged {
		delete(c.reasons, fp)
	}
	for i, r := range j.Reasons {
		require.Contains(c.t, j.Judged, r.Fingerprint)
		require.True(c.t, i == 0 || j.Reasons[i-1].Fingerprint < r.Fingerprint)
		require.True(c.t, r.Until.After(now), "it has an end")
		require.NotEmpty(c.t, r.By)
		c.reasons[r.Fingerprint] = append(c.reasons[r.Fingerprint], r)
	}
	keepRows(c.rows, j.Rows)
	c.next = j.Next
	return j.Raised
}

// open are the alerts that fire and that this suppressor raised.
func (c *cycle) open() []*alarm.Alert {
	var all []*alarm.Alert
	for _, fp := range slices.Sorted(maps.Keys(c.alerts)) {
		if a := c.alerts[fp]; a.RaisedBy != "" && a.State == alarm.Firing {
			all = append(all, a)
		}
	}
	return all
}

func (c *cycle) withheld(a *alarm.Alert) bool { return len(c.reasons[a.Fingerprint()]) > 0 }

// fire is an alert that began to fire now, after an earlier one if there was one.
func fire(before *alarm.Alert, now time.Time, ls model.LabelSet) *alarm.Alert {
	a := alarm.Alert{Labels: ls, StartsAt: now, UpdatedAt: now, FirstSeen: now, Fired: 1}.WithFingerprint()
	if before != nil {
		a.FirstSeen, a.Fired, a.Counts = before.FirstSeen, before.Fired+1, &alarm.Counts{Since: now}
	}
	return &a
}

func resolved(a *alarm.Alert, now time.Time) *alarm.Alert {
	r := *a
	r.State, r.EndsAt, r.UpdatedAt = alarm.Resolved, now, now
	return &r
}

func severities() alarm.Severities {
	return alarm.Severities{Values: []alarm.Severity{{Name: "critical", Page: true}, {Name: "warning", Page: true}, {Name: "info"}}}
}
