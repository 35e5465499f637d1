package alarm

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// Alerts returns the alerts that fire or are pending, sorted by fingerprint, judged at the moment of
// reading.
func (e *Engine) Alerts(ctx context.Context) ([]Reading, error) { return e.Matching(ctx, nil) }

// Matching returns those of Alerts that match. If a matcher wants a label to have a certain value, the
// time that it takes depends on how many alerts have it, not on how many there are.
func (e *Engine) Matching(ctx context.Context, ms matcher.Matchers) ([]Reading, error) {
	if err := e.settle(ctx); err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if len(ms) == 0 {
		all := e.entriesInOrder()
		readings := make([]Reading, 0, len(all))
		for _, en := range all {
			if en.alert.State != Resolved {
				readings = append(readings, en.read())
			}
		}
		return slices.Clip(readings), nil
	}
	var list readingList
	e.each(ms, func(en *entry) {
		if en.alert.State != Resolved {
			list.add(en)
		}
	})
	return list.sorted(), nil
}

// each visits the entries that match, in no order. It is called with mu held for reading.
func (e *Engine) each(ms matcher.Matchers, visit func(*entry)) {
	if few, ok := e.labels.carrying(time.Now(), ms, e.alerts); ok {
		for _, en := range few {
			if e.alerts[en.fingerprint] == en && ms.Matches(en.alert.Labels) {
				visit(en)
			}
		}
		return
	}
	for _, en := range e.entriesInOrder() {
		if ms.Matches(en.alert.Labels) {
			visit(en)
		}
	}
}

// Find returns the fingerprints of the alerts that are known and match, resolved ones too, sorted: the
// first limit of them.
func (e *Engine) Find(ctx context.Context, ms matcher.Matchers, limit int) ([]model.Fingerprint, error) {
	if err := e.settle(ctx); err != nil {
		return nil, err
	}
	var found []model.Fingerprint
	e.mu.RLock()
	e.each(ms, func(en *entry) { found = append(found, en.fingerprint) })
	e.mu.RUnlock()
	slices.Sort(found)
	return found[:min(limit, len(found))], nil
}

// Groups returns the groups in which something fires, in Alertmanager's order: by group labels, then
// by receiver.
func (e *Engine) Groups(ctx context.Context) ([]GroupReading, error) {
	return e.GroupsMatching(ctx, nil)
}

// GroupsMatching returns those of Groups in which something that fires matches, with only that.
func (e *Engine) GroupsMatching(ctx context.Context, ms matcher.Matchers) ([]GroupReading, error) {
	if err := e.settle(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	e.mu.RLock()
	defer e.mu.RUnlock()
	var order []*group
	members := (*group).membersInOrder
	if len(ms) == 0 {
		order = e.groupsInOrder()
	} else {
		var matching map[*group][]*entry
		order, matching = e.groupsOf(ms)
		members = func(g *group) []*entry { return matching[g] }
	}
	n := 0
	for _, g := range order {
		n += len(members(g))
	}
	groups, readings := make([]GroupReading, 0, len(order)), make([]Reading, 0, n)
	for _, g := range order {
		from := len(readings)
		for _, en := range members(g) {
			if en.alert.State == Firing {
				readings = append(readings, en.read())
			}
		}
		if from == len(readings) {
			continue
		}
		gr := GroupReading{Group: g.Group, Alerts: slices.Clip(readings[from:])}
		gr.MutedBy, _ = e.parts.Router.Muted(g.RouteID, now)
		groups = append(groups, gr)
	}
	return groups, nil
}

// groupsOf returns the groups with members that match, in order, and those members, in order. It is
// called with mu held for reading.
func (e *Engine) groupsOf(ms matcher.Matchers) ([]*group, map[*group][]*entry) {
	members := map[*group][]*entry{}
	var groups []*group
	e.each(ms, func(en *entry) {
		for _, g := range en.groups {
			if !g.shown() || g.members[en.fingerprint] != en {
				continue
			}
			if members[g] == nil {
				groups = append(groups, g)
			}
			members[g] = append(members[g], en)
		}
	})
	for _, g := range groups {
		sortForMessage(members[g])
	}
	sortGroups(groups)
	return groups, members
}

// shown says whether those who read are shown the group: it is one that a route makes.
func (g *group) shown() bool { return !g.level && !g.leftover }

// Silences returns every silence that is kept, sorted by ID.
func (e *Engine) Silences(ctx context.Context) ([]*Silence, error) {
	if err := e.settle(ctx); err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.sortedSilences(), nil
}

// Receivers returns the receivers of the configuration in force, in its order.
func (e *Engine) Receivers() []ReceiverSpec {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.parts.Receivers
}

// Sources says how each source stands.
func (e *Engine) Sources() []SourceStatus {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.parts.Presence == nil {
		return nil
	}
	return e.parts.Presence.Sources(time.Now())
}

// explainRecords bounds how much history an explanation holds.
const explainRecords = 200

// Explain says everything about one alert that is known or was forgotten since from. It returns nil
// if there is nothing to say.
func (e *Engine) Explain(ctx context.Context, fp model.Fingerprint, from time.Time) (*Explanation, error) {
	if err := e.settle(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	x := &Explanation{}
	e.mu.RLock()
	if en := e.alerts[fp]; en != nil {
		x.Reading = en.read()
		x.Causes = e.causesOf(en)
		for _, s := range e.parts.Suppressors {
			if o, ok := s.(Overduer); ok {
				x.Overdue = append(x.Overdue, o.Overdue(fp)...)
			}
		}
		if total, byName := e.explains(fp); total > 0 {
			x.Explains = byName
		}
		for _, g := range en.groups {
			x.Groups = append(x.Groups, e.explainGroup(now, en, g))
		}
	}
	e.mu.RUnlock()
	if e.opts.History != nil {
		records, err := e.opts.History.History(ctx, fp, from, now, explainRecords)
		if err != nil {
			return nil, fmt.Errorf("explain %s: %w", fp, err)
		}
		x.History = records
	}
	if x.Reading.Alert == nil && len(x.History) == 0 {
		return nil, nil
	}
	return x, nil
}

func (e *Engine) explainGroup(now time.Time, en *entry, g *group) GroupExplanation {
	x := GroupExplanation{Group: g.Group, Level: g.level, Silent: len(g.channels) == 0, Next: g.next, State: GroupState{Group: g.Group, Created: g.created, Anchor: g.anchor}}
	x.MutedBy, _ = e.parts.Router.Muted(g.RouteID, now)
	for _, c := range g.channels {
		if t := e.told[c.key]; t != nil {
			x.Told = append(x.Told, *t)
			if t.holds(en.hash) {
				x.ToldAlert = append(x.ToldAlert, c.key.Integration)
			}
		}
		if c.failed != nil {
			x.Failed = append(x.Failed, *c.failed)
		}
		if in := e.open[c.key]; in != nil {
			x.Open = append(x.Open, *in)
		}
	}
	return x
}
