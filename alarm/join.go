package alarm

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// join puts an alert into the groups that its labels lead to, and makes those that are not there.
func (e *Engine) join(now time.Time, en *entry) {
	for _, g := range en.groups {
		e.touch(now, g)
	}
	specs := e.parts.Router.Route(en.alert.Labels)
	levels := map[string]bool{}
	en.receivers = nil
	for i, spec := range specs {
		g := e.groupFor(now, en, spec)
		if i == 0 {
			en.receivers = g.receiversOf(specs)
		}
		e.enter(now, en, g)
		if !levels[spec.Receiver] {
			levels[spec.Receiver] = true
			if lg := e.levelGroupFor(now, en, spec); lg != nil {
				e.enter(now, en, lg)
			}
		}
	}
	if len(e.dead) > 0 {
		e.joinFallback(now, en)
	}
}

func (e *Engine) enter(now time.Time, en *entry, g *group) {
	delete(g.strays, en.fingerprint)
	if g.members[en.fingerprint] != en {
		g.members[en.fingerprint] = en
		g.order.drop()
	}
	e.note(now, en, g)
}

// stray keeps an alert that was told in a group that no route leads it to any more.
func (e *Engine) stray(now time.Time, en *entry, g *group) {
	g.strays[en.fingerprint] = en
	e.note(now, en, g)
}

func (e *Engine) note(now time.Time, en *entry, g *group) {
	if !en.isIn(g) {
		en.enter(g)
	}
	e.touch(now, g)
}

// groupFor returns the group, made anew if it is not there: its first flush is after group_wait, or
// at once if the alert that makes it is older than that, and never before the start delay is over.
func (e *Engine) groupFor(now time.Time, en *entry, spec *Group) *group {
	id := spec.ID()
	if g := e.groups[id]; g != nil {
		return g
	}
	anchor := now.Add(spec.Wait)
	if en.alert.StartsAt.Add(spec.Wait).Before(now) {
		anchor = now
	}
	anchor = later(anchor, e.started.Add(e.opts.StartDelay))
	g := e.addGroup(GroupState{Group: spec, Created: now, Anchor: anchor}, false)
	e.planGroup(GroupState{Group: spec, Created: now, Anchor: anchor})
	return g
}

// planGroup has a group's timers stored. What a plan both sets and removes is removed.
func (e *Engine) planGroup(s GroupState) {
	e.plan.Groups = append(e.plan.Groups, s)
	id := s.Group.ID()
	e.plan.EndedGroups = slices.DeleteFunc(e.plan.EndedGroups, func(ended string) bool { return ended == id })
}

// levelGroupFor returns the group of one alert that the level-triggered integrations of the
// route's receiver are told of, or nil if it has none.
func (e *Engine) levelGroupFor(now time.Time, en *entry, spec *Group) *group {
	rs := e.parts.Receiver(spec.Receiver)
	if rs == nil || !slices.ContainsFunc(rs.Integrations, func(is IntegrationSpec) bool { return is.Level }) {
		return nil
	}
	alias := &Group{
		RouteID: spec.RouteID, Key: en.fingerprint.String(), Receiver: spec.Receiver,
		Labels: en.alert.Labels, Path: spec.Path, Interval: time.Second, Team: spec.Team,
	}
	id := levelID(spec.Receiver, en.fingerprint)
	if g := e.groups[id]; g != nil {
		return g
	}
	return e.addGroup(GroupState{Group: alias, Created: now, Anchor: now}, true)
}

func levelID(receiver string, fp model.Fingerprint) string {
	return "level\x00" + receiver + "\x00" + fp.String()
}

// addGroup makes a group with a channel for each integration of its receiver that it concerns.
func (e *Engine) addGroup(s GroupState, level bool) *group {
	g := &group{
		Group: s.Group, id: s.Group.ID(), created: s.Created, anchor: s.Anchor,
		members: map[model.Fingerprint]*entry{}, strays: map[model.Fingerprint]*entry{}, level: level, index: -1,
		earliest: e.started.Add(e.opts.StartDelay),
	}
	if level {
		fp, _ := model.ParseFingerprint(s.Group.Key)
		g.id = levelID(s.Group.Receiver, fp)
	}
	if rs := e.parts.Receiver(s.Group.Receiver); rs != nil {
		for _, is := range rs.Integrations {
			if is.Level != level {
				continue
			}
			e.addChannel(g, is)
		}
	}
	e.groups[g.id] = g
	e.groupOrder.drop()
	return g
}

func (e *Engine) addChannel(g *group, is IntegrationSpec) {
	c := &channel{group: g, spec: is, key: IntentionKey{Receiver: g.Receiver, Integration: is.Name, Group: g.Key}}
	if t := e.told[c.key]; t != nil {
		c.flushed = t.At
	}
	g.channels = append(g.channels, c)
	e.channels[c.key] = append(e.channels[c.key], c)
}

// leave lets go of the alerts that nobody has to hear of any more, and ends the group if it is left
// empty.
func (e *Engine) leave(g *group) {
	for fp, en := range g.members {
		if g.settled(en, false, e.told) {
			delete(g.members, fp)
			g.order.drop()
			e.part(en, g)
		}
	}
	for fp, en := range g.strays {
		if g.settled(en, true, e.told) {
			delete(g.strays, fp)
			e.part(en, g)
		}
	}
	if len(g.members) == 0 && len(g.strays) == 0 {
		e.endGroup(g)
	}
}

func (e *Engine) part(en *entry, g *group) {
	en.leave(g)
	e.release(en)
}

// release notes a resolved alert that is in no group, so that it is forgotten in time.
func (e *Engine) release(en *entry) {
	if len(en.groups) == 0 && en.alert.State == Resolved {
		e.resolved = append(e.resolved, en)
	}
}

func (e *Engine) endGroup(g *group) {
	e.flushes.set(g, time.Time{})
	delete(e.groups, g.id)
	e.groupOrder.drop()
	for _, c := range g.channels {
		rest := slices.DeleteFunc(e.channels[c.key], func(o *channel) bool { return o == c })
		if len(rest) > 0 {
			e.channels[c.key] = rest
			continue
		}
		delete(e.channels, c.key)
		if t := e.told[c.key]; t != nil && t.idle() && e.open[c.key] == nil {
			delete(e.told, c.key)
			e.plan.DroppedTold = append(e.plan.DroppedTold, c.key)
		}
	}
	if !g.level {
		e.plan.EndedGroups = append(e.plan.EndedGroups, g.id)
	}
}
