package dedupe

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

// A bench drives a Presence as the engine does, and keeps what it hands out.
type bench struct {
	*Presence
	t      testing.TB
	o      Options
	alerts map[model.Fingerprint]*alarm.Alert
	copies map[*alarm.Alert]alarm.Alert // what was handed out, as it was then
	rows   map[rowKey][]byte
	next   time.Time
}

func newBench(t testing.TB, now time.Time, o Options) *bench {
	b := &bench{
		t: t, o: o, alerts: map[model.Fingerprint]*alarm.Alert{}, copies: map[*alarm.Alert]alarm.Alert{}, rows: map[rowKey][]byte{},
	}
	b.rebuild(now, false)
	return b
}

func (b *bench) stored(restarted bool) *alarm.Stored {
	s := &alarm.Stored{Restarted: restarted}
	for _, fp := range slices.Sorted(maps.Keys(b.alerts)) {
		s.Alerts = append(s.Alerts, b.alerts[fp])
	}
	s.Rows = sortedRows(b.rows)
	return s
}

type rowKey struct{ part, key string }

// keepRows follows rows as the engine does.
func keepRows(kept map[rowKey][]byte, rows []alarm.Row) {
	for _, r := range rows {
		if r.Value == nil {
			delete(kept, rowKey{r.Part, r.Key})
		} else {
			kept[rowKey{r.Part, r.Key}] = r.Value
		}
	}
}

func sortedRows(kept map[rowKey][]byte) []alarm.Row {
	var rows []alarm.Row
	for key, value := range kept {
		rows = append(rows, alarm.Row{Part: key.part, Key: key.key, Value: value})
	}
	slices.SortFunc(rows, func(a, b alarm.Row) int { return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Key, b.Key)) })
	return rows
}

func (b *bench) rebuild(now time.Time, restarted bool) {
	p, err := NewPresence(now, b.stored(restarted), b.o)
	require.NoError(b.t, err)
	b.Presence = p
}

// observe returns the changes as words, and checks what holds for all of them.
func (b *bench) observe(now time.Time, snapshots ...alarm.Snapshot) []string {
	changes, rows, next := b.Observe(now, snapshots)
	assert.True(b.t, slices.IsSortedFunc(changes, func(x, y alarm.Change) int {
		return cmp.Compare(x.Alert.Fingerprint(), y.Alert.Fingerprint())
	}), "changes are sorted")
	var words []string
	for _, c := range changes {
		fp := c.Alert.Fingerprint()
		if before := b.alerts[fp]; before != nil || c.Kind != alarm.Ended {
			b.alerts[fp] = c.Alert
		}
		b.copies[c.Alert] = clone(c.Alert)
		word := c.Kind.String() + " " + c.Alert.Name()
		if c.Source != "" {
			word += " by " + c.Source
		}
		words = append(words, word)
	}
	keepRows(b.rows, rows)
	assert.True(b.t, next.IsZero() || next.After(now), "the next deadline is to come")
	b.next = next
	return words
}

func (b *bench) forget(now time.Time, keep time.Duration) {
	var gone []model.Fingerprint
	for fp, a := range b.alerts {
		if a.State == alarm.Resolved && now.Sub(a.EndsAt) >= keep {
			gone = append(gone, fp)
			delete(b.alerts, fp)
		}
	}
	slices.Sort(gone)
	keepRows(b.rows, b.Forget(gone))
}

// unmodified checks that nothing that was handed out was modified.
func (b *bench) unmodified() {
	for a, was := range b.copies {
		assert.Equal(b.t, was, clone(a))
	}
}

func (b *bench) named(name string) *alarm.Alert {
	for _, a := range b.alerts {
		if a.Name() == name {
			return a
		}
	}
	return nil
}

func (b *bench) state(name string) string {
	if a := b.named(name); a != nil {
		return a.State.String()
	}
	return ""
}

func clone(a *alarm.Alert) alarm.Alert {
	c := *a
	c.Labels, c.Annotations, c.Reports = maps.Clone(a.Labels), maps.Clone(a.Annotations), slices.Clone(a.Reports)
	return c
}

func named(name string) model.LabelSet {
	return model.LabelSet{model.AlertNameLabel: model.LabelValue(name)}
}

func push(source string, alerts ...alarm.Alert) alarm.Snapshot {
	return alarm.Snapshot{Source: source, Partial: true, Alerts: alerts}
}

// fires is a pushed alert; without an end it has a timeout.
func fires(name string, starts time.Time, ends ...time.Time) alarm.Alert {
	a := alarm.Alert{Labels: named(name), StartsAt: starts}
	if len(ends) > 0 {
		a.EndsAt = ends[0]
	}
	return a
}

// whole is a whole snapshot in which the named alerts fire; a name that ends in ? is pending, one
// that ends in ! is unknown.
func whole(source string, names ...string) alarm.Snapshot {
	s := alarm.Snapshot{Source: source}
	for _, name := range names {
		switch last := len(name) - 1; name[last] {
		case '?':
			s.Pending(named(name[:last]))
		case '!':
			s.Unknown(named(name[:last]))
		default:
			s.Firing(named(name))
		}
	}
	return s
}

func failed(source string) alarm.Snapshot {
	return alarm.Snapshot{Source: source, Err: assert.AnError}
}
