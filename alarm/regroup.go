package alarm

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// regroup makes the groups of everything that is known. Groups that were there before keep their
// timers at a restart (keep), and start over at a reload, the oldest alert being the one that makes
// them. What ended counts only if some remote is, or may be, still to be told so.
func (e *Engine) regroup(now time.Time, before []GroupState, keep bool) {
	e.groups = map[string]*group{}
	e.groupOrder.drop()
	e.channels = map[IntentionKey][]*channel{}
	e.flushes, e.resolved = nil, nil
	timers := map[string]GroupState{}
	if keep {
		for _, gs := range before {
			timers[gs.Group.ID()] = gs
		}
	}
	held := map[uint64]bool{}
	for _, t := range e.told {
		for _, hash := range t.Open {
			held[hash] = true
		}
	}
	doubtful := now
	for _, in := range e.open {
		if in.At.Before(doubtful) {
			doubtful = in.At
		}
	}
	missing := len(timers)
	for _, en := range e.oldestFirst() {
		if en.alert.State == Firing || held[en.hash] || (len(e.open) > 0 && !en.ended.Before(doubtful)) {
			if missing > 0 {
				missing -= e.restoreGroups(now, en, timers)
			}
			e.join(now, en)
		}
	}
	e.leftovers(now, before)
	if keep {
		e.resume(now, timers)
	}
	for _, gs := range before {
		if id := gs.Group.ID(); e.groups[id] == nil {
			e.plan.EndedGroups = append(e.plan.EndedGroups, id)
		}
	}
	slices.Sort(e.plan.EndedGroups)
	for _, en := range e.sortedEntries() {
		e.release(en)
	}
}

// resume queues the groups that were there before for the flush that is due: the first tick after
// something changed that somebody is still to be told, and at once if that has passed.
func (e *Engine) resume(now time.Time, timers map[string]GroupState) {
	for _, g := range e.sortedGroups() {
		if _, known := timers[g.id]; !known || g.anchor.After(now) {
			continue
		}
		due := g.owedAt(now, e.told)
		g.dirty = !due.IsZero()
		g.flushed = g.tickBefore(now)
		if g.dirty {
			e.flushes.set(g, later(due, later(now, g.earliest)))
		} else {
			e.requeue(now, g)
		}
	}
}

func (e *Engine) oldestFirst() []*entry {
	order := e.sortedEntries()
	slices.SortStableFunc(order, func(a, b *entry) int { return a.alert.StartsAt.Compare(b.alert.StartsAt) })
	return order
}

// restoreGroups makes the groups of an alert whose timers are known, and returns how many.
func (e *Engine) restoreGroups(now time.Time, en *entry, timers map[string]GroupState) (made int) {
	for _, spec := range e.parts.Router.Route(en.alert.Labels) {
		id := spec.ID()
		if gs, known := timers[id]; known && e.groups[id] == nil {
			state, moved := e.bounded(now, GroupState{Group: spec, Created: gs.Created, Anchor: gs.Anchor})
			e.addGroup(state, false)
			if moved {
				e.planGroup(state)
			}
			made++
		}
	}
	return made
}

// leftovers sees to what was told, or may just be told, in groups that routes lead it to no more:
// its end is still told, through the old receiver. If that is gone too, history says so.
func (e *Engine) leftovers(now time.Time, before []GroupState) {
	e.retired = map[IntentionKey]*Group{}
	for _, key := range e.toldKeys() {
		is := e.integration(key)
		if is == nil {
			e.abandon(now, key)
			continue
		}
		if len(e.channels[key]) == 0 {
			e.retired[key] = e.retiredSpec(key, *is, before)
		}
		e.keepStrays(now, key)
	}
}

// toldKeys are the keys at which something is open, or on its way there.
func (e *Engine) toldKeys() []IntentionKey {
	var keys []IntentionKey
	for key, t := range e.told {
		if len(t.Open) > 0 {
			keys = append(keys, key)
		}
	}
	for key := range e.open {
		if t := e.told[key]; t == nil || len(t.Open) == 0 {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// keepStrays puts what is open at a key, and is no member of a group there, into one as a stray: a
// group that lives, else a leftover one.
func (e *Engine) keepStrays(now time.Time, key IntentionKey) {
	t := e.told[key]
	if t == nil || (len(e.channels[key]) == 0 && e.retired[key] == nil) {
		return // an imported notification log: the alert's own labels lead to its group
	}
	var missing []*entry
	for _, hash := range t.Open {
		en := e.byHash[hash]
		if en != nil && !slices.ContainsFunc(e.channels[key], func(c *channel) bool { return c.group.members[en.fingerprint] != nil }) {
			missing = append(missing, en)
		}
	}
	if len(missing) == 0 {
		return
	}
	if len(e.channels[key]) == 0 {
		e.addLeftover(now, key, *e.integration(key))
	}
	for _, en := range missing {
		e.stray(now, en, e.channels[key][0].group)
	}
}

func (e *Engine) integration(key IntentionKey) *IntegrationSpec {
	rs := e.parts.Receiver(key.Receiver)
	if rs == nil {
		return nil
	}
	for i := range rs.Integrations {
		if rs.Integrations[i].Name == key.Integration {
			return &rs.Integrations[i]
		}
	}
	return nil
}

// abandon gives up on a key whose receiver is gone.
func (e *Engine) abandon(now time.Time, key IntentionKey) {
	e.plan.Events = append(e.plan.Events, Event{
		Kind: "dropped", Name: key.String(), Note: "the receiver is no longer configured: what is open there stays open",
	})
	if e.told[key] != nil {
		delete(e.told, key)
		e.plan.DroppedTold = append(e.plan.DroppedTold, key)
	}
	if in := e.open[key]; in != nil {
		delete(e.open, key)
		e.plan.Outcomes = append(e.plan.Outcomes, Outcome{ID: in.ID, Key: key, At: now, Unsent: true})
	}
}

const leftoverPrefix = "leftover\x00"

// retiredSpec is how the group of a key looked when a route last made it, or nil.
func (e *Engine) retiredSpec(key IntentionKey, is IntegrationSpec, before []GroupState) *Group {
	if is.Level {
		fp, _ := model.ParseFingerprint(key.Group)
		if en := e.alerts[fp]; en != nil {
			return &Group{RouteID: leftoverPrefix, Key: key.Group, Receiver: key.Receiver, Labels: en.alert.Labels, Interval: time.Second}
		}
		return nil
	}
	for _, gs := range before {
		if gs.Group.Key == key.Group && gs.Group.Receiver == key.Receiver {
			old := *gs.Group
			if !strings.HasPrefix(old.RouteID, leftoverPrefix) {
				old.RouteID = leftoverPrefix + old.Receiver + "\x00" + old.RouteID
			}
			return &old
		}
	}
	return nil
}

// addLeftover makes the leftover group of a key.
func (e *Engine) addLeftover(now time.Time, key IntentionKey, is IntegrationSpec) {
	spec := e.retired[key]
	id := spec.ID()
	if is.Level {
		fp, _ := model.ParseFingerprint(key.Group)
		id = levelID(key.Receiver, fp)
	}
	g := e.groups[id]
	if g == nil {
		g = &group{
			Group: spec, id: id, created: now, anchor: now, level: is.Level, leftover: true, index: -1,
			members: map[model.Fingerprint]*entry{}, strays: map[model.Fingerprint]*entry{},
		}
		if !g.level {
			e.planGroup(GroupState{Group: spec, Created: now, Anchor: now})
		}
		e.groups[id] = g
	}
	e.addChannel(g, is)
}
