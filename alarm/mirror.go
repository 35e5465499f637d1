package alarm

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// Mirrored is what another engine committed, as one who shares its store reads it.
type Mirrored struct {
	// Whole says that State is everything; otherwise it is what was written since the last Mirrored.
	Whole bool
	State *Stored

	// What was removed since. What is in State as well was written again, and is there.
	Alerts, Verdicts []model.Fingerprint
	Silences, Groups []string
	Told             []IntentionKey
	Intentions       []int64
	Rows             []Row // without values
}

// Mirror has the engine show what another one committed, instead of Run: it plans nothing, offers
// nothing and writes nothing, and what is submitted to it fails with ErrStopped. All that reads an
// engine reads a mirror, except that it knows no sources. An alert that is merely sent again is not
// stored, so that the end of what fires is not known when the stored one has passed. The first Mirrored
// must be whole. Mirror takes what it is given; it is called by one goroutine at a time.
func (e *Engine) Mirror(now time.Time, m Mirrored) error {
	if !m.Whole {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.plan = &Plan{}
		e.patch(now, &m)
		e.plan = nil
		return nil
	}
	if err := e.showWhole(now, m.State, e.build); err != nil {
		return err
	}
	if e.cycles++; e.cycles == 1 {
		close(e.stopped)
		close(e.ready)
	}
	return nil
}

// MirrorWith has a mirror show the same under another configuration. An error of build leaves
// everything as it was.
func (e *Engine) MirrorWith(now time.Time, build Build) error {
	e.mu.RLock()
	s := e.stored()
	e.mu.RUnlock()
	return e.showWhole(now, s, build)
}

func (e *Engine) showWhole(now time.Time, s *Stored, build Build) error {
	s.Restarted = true
	parts, err := build(now, s)
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	parts.Presence = nil // nobody is asked here
	e.mu.Lock()
	defer e.mu.Unlock()
	e.started, e.build = now, build
	e.adopt(now, s, parts)
	e.forgetEnds(now)
	e.plan = nil
	e.due.Store(0)
	return nil
}

// patch follows one Mirrored that is not whole.
func (e *Engine) patch(now time.Time, m *Mirrored) {
	for _, fp := range m.Alerts {
		e.hide(fp)
	}
	for _, id := range m.Groups {
		if g := e.groups[id]; g != nil {
			e.disband(g)
		}
	}
	for _, gs := range m.State.Groups {
		if g := e.groups[gs.Group.ID()]; g != nil {
			g.created, g.anchor = gs.Created, gs.Anchor
		} else {
			e.addGroup(gs, false)
		}
	}
	for _, a := range m.State.Alerts {
		e.show(now, a)
	}
	e.patchVerdicts(m)
	e.patchTold(m)
	for _, id := range m.Silences {
		delete(e.silences, id)
	}
	for _, s := range m.State.Silences {
		e.silences[s.ID] = s
	}
	e.keepRows(m.Rows)
	e.keepRows(m.State.Rows)
	e.patchDead(m)
	e.forgetEnds(now)
}

// hide drops an alert that was forgotten.
func (e *Engine) hide(fp model.Fingerprint) {
	en := e.alerts[fp]
	if en == nil {
		return
	}
	for _, g := range en.groups {
		delete(g.members, fp)
		delete(g.strays, fp)
		g.order.drop()
	}
	e.forget(en)
}

// disband drops a group that ended.
func (e *Engine) disband(g *group) {
	for _, members := range []map[model.Fingerprint]*entry{g.members, g.strays} {
		for _, en := range members { // the order does not show
			en.leave(g)
		}
	}
	e.endGroup(g)
}

// show takes in an alert as it is now.
func (e *Engine) show(now time.Time, a *Alert) {
	fresh := newEntry(a)
	en := e.alerts[fresh.fingerprint]
	if en == nil {
		en = fresh
		e.remember(en)
	}
	en.alert, en.ended, en.written = a, fresh.ended, fresh.written
	if a.State == Firing || len(en.groups) == 0 {
		e.join(now, en)
	}
}

func (e *Engine) patchVerdicts(m *Mirrored) {
	set := func(en *entry, v *Verdict) {
		e.reexplain(en.fingerprint, en.verdict.reasons(), v.reasons())
		en.verdict = v
	}
	for _, fp := range m.Verdicts {
		if en := e.alerts[fp]; en != nil {
			set(en, nil)
		}
	}
	for i := range m.State.Verdicts {
		if en := e.alerts[m.State.Verdicts[i].Fingerprint]; en != nil {
			set(en, &m.State.Verdicts[i])
		}
	}
}

// patchTold follows what was told, and what is on its way.
func (e *Engine) patchTold(m *Mirrored) {
	for _, key := range m.Told {
		delete(e.told, key)
	}
	for i := range m.State.Told {
		e.told[m.State.Told[i].Key] = &m.State.Told[i]
	}
	if len(m.Intentions) > 0 {
		gone := make(map[int64]bool, len(m.Intentions))
		for _, id := range m.Intentions {
			gone[id] = true
		}
		for key, in := range e.open {
			if gone[in.ID] {
				delete(e.open, key)
			}
		}
	}
	for i := range m.State.Intentions {
		e.open[m.State.Intentions[i].Key] = &m.State.Intentions[i]
	}
}

// patchDead reads the dead letters anew if one of them changed.
func (e *Engine) patchDead(m *Mirrored) {
	changed := false
	for _, rows := range [][]Row{m.Rows, m.State.Rows} {
		for _, r := range rows {
			changed = changed || r.Part == deadPart
		}
	}
	if changed {
		e.dead = loadDead(e.stored().Rows)
	}
}

// forgetEnds makes unknown the ends of what fires and should have ended: it was sent again, or else the
// one who leads would have said so.
func (e *Engine) forgetEnds(now time.Time) {
	for _, en := range e.alerts { // the order does not show
		if a := en.alert; a.State == Firing && !a.EndsAt.IsZero() && a.EndsAt.Before(now) {
			unknown := *a
			unknown.EndsAt = time.Time{}
			en.alert = &unknown
		}
	}
}
