package alarm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/failpoint"
)

// load reads the state from the store and builds everything anew out of it: at the start, after a commit
// that failed, and when the clock was set.
func (e *Engine) load(ctx context.Context, now time.Time) error {
	s, err := e.opts.Store.Load(ctx)
	if err != nil {
		return fmt.Errorf("load state: %w", err)
	}
	failpoint.Here("engine-loaded")
	s.Restarted = true
	parts, err := e.build(now, s)
	failpoint.Here("engine-built")
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	e.mu.Lock()
	leapt := e.land()
	e.adopt(now, s, parts)
	e.plan.Events = append(e.plan.Events, leapt...)
	if e.broken != nil {
		// Written at once, so that we learn whether the store can be written again.
		e.plan.Events = append(e.plan.Events, Event{Kind: "recovered", Note: e.broken.Error()})
	}
	e.mu.Unlock()
	failpoint.Here("engine-adopted")
	e.broken = nil
	e.offerRestored(s.Intentions)
	return nil
}

// adopt replaces all that the engine holds by what is stored. Groups keep their timers; what fell
// due meanwhile is flushed at once.
func (e *Engine) adopt(now time.Time, s *Stored, parts Parts) {
	e.under = nil
	e.setParts(now, parts)
	e.alerts = make(map[model.Fingerprint]*entry, len(s.Alerts))
	e.byHash = make(map[uint64]*entry, len(s.Alerts))
	e.explained, e.shadowed = explained{}, map[model.Fingerprint]Change{}
	e.labels.reset()
	e.order.drop()
	for _, a := range s.Alerts {
		en := newEntry(a)
		en.ended = sooner(en.ended, now) // the clock may have been set back since
		e.remember(en)
	}
	for i := range s.Verdicts {
		if en := e.alerts[s.Verdicts[i].Fingerprint]; en != nil && s.Verdicts[i].Withheld() {
			en.verdict = &s.Verdicts[i]
			e.reexplain(en.fingerprint, nil, en.verdict.Suppressions)
			if en.alert.State != Firing {
				en.keepUnheard(en.verdict.Suppressions)
			}
		}
	}
	e.silences = make(map[string]*Silence, len(s.Silences))
	for _, sil := range s.Silences {
		e.silences[sil.ID] = sil
	}
	e.dead = loadDead(s.Rows)
	e.told = make(map[IntentionKey]*Told, len(s.Told))
	for i := range s.Told {
		e.told[s.Told[i].Key] = &s.Told[i]
	}
	e.rows = make(map[rowKey][]byte, len(s.Rows))
	for _, r := range s.Rows {
		e.rows[rowKey{r.Part, r.Key}] = r.Value
	}
	e.open = make(map[IntentionKey]*Intention, len(s.Intentions))
	for i := range s.Intentions {
		s.Intentions[i].Uncertain = true
		e.open[s.Intentions[i].Key] = &s.Intentions[i]
		e.lastID = max(e.lastID, s.Intentions[i].ID)
	}
	e.plan = &Plan{} // what follows from a configuration that changed meanwhile joins the first cycle's
	e.regroup(now, s.Groups, true)
	e.due.Store(now.UnixNano())
}

func newEntry(a *Alert) *entry {
	en := &entry{fingerprint: a.Fingerprint(), alert: a, hash: Hash(a.Labels), written: a.UpdatedAt.UnixNano()}
	if a.State != Firing {
		en.ended = later(later(a.EndsAt, a.UpdatedAt), a.Occurrences().Ended) // it may have lingered beyond its end
	}
	return en
}

// setParts puts new parts to work: Presence is asked in this cycle, and everything is judged.
func (e *Engine) setParts(now time.Time, parts Parts) {
	e.parts = parts
	e.presenceNext = now
	e.judgeNext = make([]time.Time, len(parts.Suppressors))
	e.unjudged = true
}

// offerRestored hands out the intentions that were open, but for those that the Deliverer already
// has in hand.
func (e *Engine) offerRestored(open []Intention) {
	var fresh []Intention
	for _, in := range open {
		if e.open[in.Key] != nil && !e.offered[in.ID] {
			e.offered[in.ID] = true
			fresh = append(fresh, in)
		}
	}
	if len(fresh) > 0 {
		e.opts.Offer(fresh)
	}
}

// reload builds all parts anew out of what is known, and makes all groups anew if the configuration is
// another one.
func (e *Engine) reload(now time.Time, r *Reload) error {
	s := e.stored()
	build := r.Build
	if build == nil {
		build = e.build
	}
	parts, err := build(now, s)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	e.setParts(now, parts)
	for _, en := range e.alerts {
		en.forgetReasons()
	}
	if r.Build == nil {
		e.plan.Events = append(e.plan.Events, Event{Kind: "reload", Note: r.Note})
		return nil
	}
	e.build = r.Build // cycle takes it back if the commit fails
	for _, en := range e.alerts {
		en.groups, en.receivers = nil, nil
	}
	failpoint.Here("reload-built")
	e.reviveAll()
	e.regroup(now, s.Groups, false)
	e.plan.Events = append(e.plan.Events, Event{Kind: "reload", Note: r.Note})
	return nil
}

// stored is all that is known, as a store would give it back.
func (e *Engine) stored() *Stored {
	s := &Stored{Silences: e.sortedSilences()}
	for _, en := range e.sortedEntries() {
		s.Alerts = append(s.Alerts, en.alert)
		if en.verdict != nil {
			s.Verdicts = append(s.Verdicts, *en.verdict)
		}
	}
	for _, g := range e.sortedGroups() {
		if !g.level {
			s.Groups = append(s.Groups, GroupState{Group: g.Group, Created: g.created, Anchor: g.anchor})
		}
	}
	for _, t := range e.told {
		s.Told = append(s.Told, *t)
	}
	slices.SortFunc(s.Told, func(a, b Told) int { return compareKeys(a.Key, b.Key) })
	for _, in := range e.open {
		s.Intentions = append(s.Intentions, *in)
	}
	slices.SortFunc(s.Intentions, func(a, b Intention) int { return cmp.Compare(a.ID, b.ID) })
	for key, value := range e.rows {
		s.Rows = append(s.Rows, Row{Part: key.part, Key: key.key, Value: value})
	}
	slices.SortFunc(s.Rows, func(a, b Row) int { return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Key, b.Key)) })
	return s
}

func (e *Engine) sortedEntries() []*entry {
	sorted := make([]*entry, 0, len(e.alerts))
	for _, en := range e.alerts {
		sorted = append(sorted, en)
	}
	slices.SortFunc(sorted, func(a, b *entry) int { return cmp.Compare(a.fingerprint, b.fingerprint) })
	return sorted
}

func (e *Engine) sortedSilences() []*Silence {
	sorted := make([]*Silence, 0, len(e.silences))
	for _, s := range e.silences {
		sorted = append(sorted, s)
	}
	slices.SortFunc(sorted, func(a, b *Silence) int { return cmp.Compare(a.ID, b.ID) })
	return sorted
}

func (e *Engine) sortedGroups() []*group {
	sorted := make([]*group, 0, len(e.groups))
	for _, g := range e.groups {
		sorted = append(sorted, g)
	}
	slices.SortFunc(sorted, func(a, b *group) int { return cmp.Compare(a.id, b.id) })
	return sorted
}
