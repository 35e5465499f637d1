package notify_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/notify"
)

var reconcileNow = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return reconcileNow.Add(-d) }

func TestReconcile(t *testing.T) {
	open := notify.Incident{ID: "1", Alias: "a", Open: true, Ours: true, CreatedAt: ago(time.Hour)}
	foreign := notify.Incident{ID: "9", Alias: "a", Open: true, CreatedAt: ago(time.Hour)}
	closed := notify.Incident{ID: "1", Alias: "a", Ours: true, ClosedBy: "ann", ClosedAt: ago(5 * time.Minute)}
	held := notify.Belief{Alias: "a", Open: true, ToldAt: ago(time.Hour), Priority: "P2"}
	with := func(b notify.Belief, change func(*notify.Belief)) []notify.Belief {
		change(&b)
		return []notify.Belief{b}
	}
	list := func(in ...notify.Incident) []notify.Incident { return in }
	read := map[string]notify.Incident{"a": closed}
	const byAnn = "closed there by ann at 2026-01-01T11:55:00Z, and still firing"
	for _, tc := range []struct {
		name   string
		s      notify.Situation
		p      notify.Policy
		action notify.StepAction
		reason string // empty: no step at all
	}{
		{name: "nothing anywhere"},
		{name: "open on both sides", s: notify.Situation{Believed: []notify.Belief{held}, Listed: list(open)}},

		{name: "orphan, seen twice", s: notify.Situation{Listed: list(open), Before: list(open)}, action: notify.StepClose, reason: "open here, but nothing fires for it"},
		{name: "orphan, seen once", s: notify.Situation{Listed: list(open)}, reason: "seen once: the next list decides"},
		{name: "orphan, the list before is too young", s: notify.Situation{Listed: list(open), Before: list(open), BeforeAt: ago(time.Minute)}, reason: "seen once: the next list decides"},
		{name: "orphan, another one was seen before", s: notify.Situation{Listed: list(open), Before: list(notify.Incident{ID: "0", Alias: "a", Open: true, Ours: true})}, reason: "seen once: the next list decides"},
		{name: "orphan, a source is stale", s: notify.Situation{Listed: list(open), Before: list(open), Fresh: true, Now: reconcileNow}, reason: ""},
		{name: "orphan, its close is under way", s: notify.Situation{Listed: list(open), Before: list(open), Believed: with(held, func(b *notify.Belief) { b.Open, b.Busy = false, true })}, reason: "a delivery for it is under way"},
		{name: "orphan here, told elsewhere", s: notify.Situation{Listed: list(open), Before: list(open), Believed: with(held, func(b *notify.Belief) { b.Elsewhere = true })}},
		{name: "orphan, but not ours", s: notify.Situation{Listed: list(foreign), Before: list(foreign)}},

		{name: "missing", s: notify.Situation{Believed: []notify.Belief{held}}, action: notify.StepRead, reason: "believed open, not listed"},
		{name: "missing, only not ours is listed", s: notify.Situation{Believed: []notify.Belief{held}, Listed: list(foreign)}, action: notify.StepRead, reason: "believed open, not listed"},
		{name: "missing, told a moment ago", s: notify.Situation{Believed: with(held, func(b *notify.Belief) { b.ToldAt = ago(time.Second) })}, reason: "told a moment ago: lists follow writes with delay"},
		{name: "missing, a delivery is under way", s: notify.Situation{Believed: with(held, func(b *notify.Belief) { b.Busy = true })}, reason: "a delivery for it is under way"},
		{name: "missing, elsewhere", s: notify.Situation{Believed: with(held, func(b *notify.Belief) { b.Elsewhere = true })}},
		{name: "missing, known to be closed by a hand", s: notify.Situation{Believed: with(held, func(b *notify.Belief) { b.ClosedByHand = true })}},
		{name: "missing in the list, open when read", s: notify.Situation{Believed: []notify.Belief{held}, Read: map[string]notify.Incident{"a": open}}},

		{name: "closed by a hand, always", s: notify.Situation{Believed: []notify.Belief{held}, Read: read}, action: notify.StepReopen, reason: byAnn},
		{name: "closed by a hand, after 5m", s: notify.Situation{Believed: []notify.Belief{held}, Read: read}, p: notify.Policy{ReopenDefault: notify.Reopen{After: 5 * time.Minute}}, action: notify.StepReopen, reason: byAnn},
		{name: "closed by a hand, after 10m", s: notify.Situation{Believed: []notify.Belief{held}, Read: read}, p: notify.Policy{ReopenDefault: notify.Reopen{After: 10 * time.Minute}}, reason: byAnn + "; opened again at 2026-01-01T12:05:00Z"},
		{name: "closed by a hand, never", s: notify.Situation{Believed: []notify.Belief{held}, Read: read}, p: notify.Policy{ReopenDefault: notify.Reopen{Never: true}}, action: notify.StepClosedByHand, reason: byAnn},
		{name: "closed by a hand, by priority", s: notify.Situation{Believed: []notify.Belief{held}, Read: read}, p: notify.Policy{ReopenDefault: notify.Reopen{Never: true}, Reopen: map[string]notify.Reopen{"P2": {}}}, action: notify.StepReopen, reason: byAnn},

		{name: "acknowledged", s: notify.Situation{Believed: []notify.Belief{held}, Listed: list(acked(open, "bob"))}, action: notify.StepAcknowledge, reason: "acknowledged by bob"},
		{name: "acknowledged, and known", s: notify.Situation{Believed: with(held, func(b *notify.Belief) { b.Acknowledged, b.AcknowledgedBy = true, "bob" }), Listed: list(acked(open, "bob"))}},
		{name: "acknowledgement withdrawn", s: notify.Situation{Believed: with(held, func(b *notify.Belief) { b.Acknowledged = true }), Listed: list(open)}, action: notify.StepAcknowledge, reason: "acknowledgement withdrawn"},

		{name: "it goes on for 4h", s: notify.Situation{Believed: []notify.Belief{held}, Listed: list(aged(open, 4*time.Hour+time.Minute))}, p: notify.Policy{Remind: 4 * time.Hour}, action: notify.StepRemind, reason: "open for 4h1m0s"},
		{name: "it goes on for 5h", s: notify.Situation{Believed: []notify.Belief{held}, Listed: list(aged(open, 5*time.Hour))}, p: notify.Policy{Remind: 4 * time.Hour}},
		{name: "it goes on for 8h", s: notify.Situation{Believed: []notify.Belief{held}, Listed: list(aged(open, 8*time.Hour))}, p: notify.Policy{Remind: 4 * time.Hour}, action: notify.StepRemind, reason: "open for 8h0m0s"},
		{name: "no reminders wanted", s: notify.Situation{Believed: []notify.Belief{held}, Listed: list(aged(open, 8*time.Hour))}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := tc.s
			want := tc.reason
			if s.Now.IsZero() {
				s.Now, s.Fresh = reconcileNow, true
			} else {
				s.Fresh, want = false, "a source is stale or was not read yet"
			}
			if s.BeforeAt.IsZero() && (s.Before != nil || s.Believed != nil) {
				s.BeforeAt = ago(5 * time.Minute)
			}
			got := notify.Reconcile(s, tc.p)
			assert.Empty(t, got.Guarded)
			if want == "" {
				assert.Empty(t, got.Steps)
				return
			}
			require.Len(t, got.Steps, 1)
			assert.Equal(t, tc.action.String()+": "+want, got.Steps[0].Action.String()+": "+got.Steps[0].Reason)
		})
	}
}

func acked(in notify.Incident, by string) notify.Incident {
	in.Acknowledged, in.AcknowledgedBy = true, by
	return in
}

func aged(in notify.Incident, age time.Duration) notify.Incident {
	in.CreatedAt = ago(age)
	return in
}

func TestReconcileGuard(t *testing.T) {
	var listed []notify.Incident
	for i := range 100 {
		listed = append(listed, notify.Incident{ID: fmt.Sprint(i), Alias: fmt.Sprintf("a%03d", i), Open: true, Ours: true, CreatedAt: ago(time.Hour)})
	}
	believed := func(n int) (all []notify.Belief) {
		for i := range n {
			all = append(all, notify.Belief{Alias: fmt.Sprintf("a%03d", i), Open: true, ToldAt: ago(time.Hour)})
		}
		return all
	}
	closes := func(r notify.Reconciliation) (n int) {
		for _, s := range r.Steps {
			if s.Action == notify.StepClose {
				n++
			}
		}
		return n
	}
	s := notify.Situation{Now: reconcileNow, Fresh: true, Listed: listed, Before: listed, BeforeAt: ago(5 * time.Minute)}
	s.Believed = believed(50)
	got := notify.Reconcile(s, notify.Policy{})
	assert.Equal(t, 50, closes(got))
	assert.Empty(t, got.Guarded)

	s.Believed = believed(49)
	got = notify.Reconcile(s, notify.Policy{})
	assert.Equal(t, 0, closes(got))
	assert.Equal(t, "51 of 100 open incidents would be closed, more than 50 %: approve it if that is right", got.Guarded)

	s.Approved = true
	assert.Equal(t, 51, closes(notify.Reconcile(s, notify.Policy{})))
	s.Approved, s.Listed = false, listed[:10]
	s.Believed = nil
	assert.Equal(t, 10, closes(notify.Reconcile(s, notify.Policy{})), "so few are never guarded")
	assert.Equal(t, 0, closes(notify.Reconcile(s, notify.Policy{GuardFloor: -1})))
}

// Whatever the situation: only what is ours, orphaned, seen twice, without a delivery under way and
// while all is fresh is closed; only what is believed open here and was read as closed is opened; and
// the order of what comes in changes nothing.
func TestReconcileKeepsItsPromises(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	flip := func() bool { return random.IntN(2) == 0 }
	for range 20000 {
		s := notify.Situation{Now: reconcileNow, Fresh: random.IntN(4) > 0, BeforeAt: ago(time.Duration(random.IntN(10)) * time.Minute), Read: map[string]notify.Incident{}, Approved: flip()}
		for alias := range 6 {
			name := string(rune('a' + alias))
			in := notify.Incident{ID: name + "1", Alias: name, Open: random.IntN(5) > 0, Ours: random.IntN(5) > 0, CreatedAt: ago(time.Hour), Acknowledged: flip()}
			if flip() {
				s.Listed = append(s.Listed, in)
			}
			if flip() {
				in.ID = fmt.Sprint(name, random.IntN(2))
				s.Before = append(s.Before, in)
			}
			if flip() {
				s.Believed = append(s.Believed, notify.Belief{Alias: name, Open: flip(), Busy: random.IntN(4) == 0, Elsewhere: random.IntN(4) == 0, ClosedByHand: random.IntN(4) == 0, ToldAt: ago(time.Duration(random.IntN(180)) * time.Second)})
			}
			if flip() {
				s.Read[name] = notify.Incident{ID: name + "1", Alias: name, Ours: true, Open: flip(), ClosedAt: ago(time.Duration(random.IntN(20)) * time.Minute)}
			}
		}
		got := notify.Reconcile(s, notify.Policy{ReopenDefault: notify.Reopen{After: 10 * time.Minute, Never: flip()}})
		promises(t, s, got)
		random.Shuffle(len(s.Listed), func(i, j int) { s.Listed[i], s.Listed[j] = s.Listed[j], s.Listed[i] })
		random.Shuffle(len(s.Believed), func(i, j int) { s.Believed[i], s.Believed[j] = s.Believed[j], s.Believed[i] })
		again := notify.Reconcile(s, notify.Policy{ReopenDefault: notify.Reopen{After: 10 * time.Minute}})
		if len(again.Steps) == len(got.Steps) {
			for i := range again.Steps {
				require.Equal(t, got.Steps[i].Alias, again.Steps[i].Alias)
			}
		}
	}
}

func promises(t *testing.T, s notify.Situation, r notify.Reconciliation) {
	t.Helper()
	believed := map[string]notify.Belief{}
	for _, b := range s.Believed {
		believed[b.Alias] = b
	}
	before := map[string]bool{}
	for _, in := range s.Before {
		before[in.ID] = in.Open && in.Ours
	}
	last := ""
	for _, step := range r.Steps {
		require.Less(t, last, step.Alias, "one step for each alias, sorted")
		last = step.Alias
		require.NotEmpty(t, step.Reason)
		b := believed[step.Alias]
		switch step.Action {
		case notify.StepClose:
			require.True(t, step.Incident.Ours && step.Incident.Open && s.Fresh && before[step.Incident.ID] && s.Now.Sub(s.BeforeAt) >= 5*time.Minute)
			require.False(t, b.Open || b.Busy)
		case notify.StepReopen, notify.StepClosedByHand, notify.StepRead:
			require.True(t, b.Open && !b.Busy && !b.Elsewhere && !b.ClosedByHand && s.Now.Sub(b.ToldAt) >= time.Minute)
			_, read := s.Read[step.Alias]
			require.Equal(t, step.Action != notify.StepRead, read)
			require.False(t, s.Read[step.Alias].Open)
			for _, in := range s.Listed {
				require.False(t, in.Alias == step.Alias && in.Ours && in.Open)
			}
		case notify.StepRemind:
			require.True(t, b.Open && step.Incident.Open)
		}
	}
}
