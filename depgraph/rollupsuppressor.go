package depgraph

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

var _ alarm.Suppressor = (*RollupSuppressor)(nil)

// A RollupSuppressor follows roll-ups as an [alarm.Suppressor] that raises. It stands after those that
// silence and plan, and before the [Suppressor] of dependencies.
type RollupSuppressor struct {
	rollups *Rollups
	begun   bool
	members map[model.Fingerprint]*member
	groups  map[rollupKey]*rollupGroup
	made    int                                // how many groups were ever made
	stale   map[int]*rollupGroup               // by serial: whose text says what was
	wakes   wakes[int]                         // when they are to be worded anew
	found   map[model.Fingerprint]*alarm.Alert // that were raised before a restart, until the first call ends
}

// Suppressor returns a RollupSuppressor that knows of no alerts yet.
func (rs *Rollups) Suppressor() *RollupSuppressor {
	return &RollupSuppressor{
		rollups: rs, members: map[model.Fingerprint]*member{}, groups: map[rollupKey]*rollupGroup{},
		stale: map[int]*rollupGroup{}, found: map[model.Fingerprint]*alarm.Alert{},
	}
}

// Name returns "rollup".
func (*RollupSuppressor) Name() string { return string(alarm.ReasonRollup) }

// Judge counts, raises what is beyond tolerance, and judges the alerts that changed and those for which
// another alert stands from now on.
func (s *RollupSuppressor) Judge(now time.Time, v alarm.View) alarm.Judgement {
	judged, dirty := map[model.Fingerprint]struct{}{}, map[*rollupGroup]struct{}{}
	silenced := func(fp model.Fingerprint) bool { return v.Reasons != nil && isMuted(v.Reasons(fp)) }
	for _, c := range v.Changes {
		fp := c.Alert.Fingerprint()
		judged[fp] = struct{}{}
		s.follow(fp, c.Alert, silenced(fp), dirty)
	}
	for _, fp := range v.Rejudged {
		if m := s.members[fp]; m != nil {
			judged[fp] = struct{}{}
			s.count(fp, m, true, silenced(fp), dirty)
		}
	}
	s.due(now, dirty)
	var j alarm.Judgement
	for _, g := range slices.SortedFunc(maps.Keys(dirty), compareGroups) {
		j.Raised = append(j.Raised, s.decide(now, g, judged)...)
		if g.alerts == 0 && g.raised == nil {
			delete(s.groups, g.key)
			delete(s.stale, g.serial)
		}
	}
	if !s.begun {
		s.begun = true
		for _, a := range s.found { // the order does not show: they are sorted below
			j.Raised = append(j.Raised, end(now, a))
		}
		s.found = nil
	}
	slices.SortStableFunc(j.Raised, func(a, b alarm.Change) int { return cmp.Compare(a.Alert.Fingerprint(), b.Alert.Fingerprint()) })
	j.Judged, j.Next = slices.Sorted(maps.Keys(judged)), s.wakes.next()
	for _, fp := range j.Judged {
		if m := s.members[fp]; m != nil && !m.silenced {
			j.Reasons = s.reasons(j.Reasons, fp, m)
		}
	}
	return j
}

func compareGroups(a, b *rollupGroup) int {
	return cmp.Or(cmp.Compare(a.key.rollup, b.key.rollup), cmp.Compare(a.key.values, b.key.values))
}

// follow takes in one alert as it is now.
func (s *RollupSuppressor) follow(fp model.Fingerprint, a *alarm.Alert, silenced bool, dirty map[*rollupGroup]struct{}) {
	if a.RaisedBy != "" {
		if !s.begun && a.RaisedBy == s.Name() && a.State != alarm.Resolved {
			s.found[fp] = a
		}
		a = &alarm.Alert{State: alarm.Resolved} // as a source's it is gone
	}
	m := s.members[fp]
	if a.State != alarm.Firing {
		if m != nil {
			s.count(fp, m, false, false, dirty)
			for _, g := range m.groups {
				g.alerts--
			}
			delete(s.members, fp)
		}
		return
	}
	if m == nil {
		m = &member{labels: a.Labels, since: a.StartsAt}
		for i := range s.rollups.index.Matching(a.Labels) {
			if key, ok := s.rollups.list[i].key(a.Labels); ok {
				m.groups = append(m.groups, s.group(rollupKey{i, key}, a.Labels))
			}
		}
		if len(m.groups) == 0 {
			return
		}
		for _, g := range m.groups {
			g.alerts++
		}
		s.members[fp] = m
	}
	s.count(fp, m, true, silenced, dirty)
}

func (s *RollupSuppressor) group(key rollupKey, labels model.LabelSet) *rollupGroup {
	g := s.groups[key]
	if g == nil {
		s.made++
		g = &rollupGroup{key: key, serial: s.made, by: model.LabelSet{}, members: map[model.Fingerprint]*member{}}
		for _, name := range s.rollups.list[key.rollup].By {
			g.by[name] = labels[name]
		}
		s.groups[key] = g
	}
	return g
}

// count lets a member count, or not, as it fires and is silenced.
func (s *RollupSuppressor) count(fp model.Fingerprint, m *member, fires, silenced bool, dirty map[*rollupGroup]struct{}) {
	m.silenced = silenced
	for _, g := range m.groups {
		_, counted := g.members[fp]
		counts := fires && !silenced
		switch r := &s.rollups.list[g.key.rollup]; {
		case counts && !counted:
			g.add(r, fp, m)
		case counted && !counts:
			g.remove(r, fp, m)
		}
		if counts != counted || !fires {
			dirty[g] = struct{}{}
		}
	}
}

// decide compares what is to be raised for a group with what is. Its members are looked at only if
// another alert stands for them, or the text is due: a group may be large.
func (s *RollupSuppressor) decide(now time.Time, g *rollupGroup, judged map[model.Fingerprint]struct{}) []alarm.Change {
	r := &s.rollups.list[g.key.rollup]
	before, total := g.raised, r.total(g)
	step := r.step(len(g.members), total)
	switch due := g.worded.Add(rewordEvery); {
	case step < 0 && before == nil:
		return nil
	case step >= 0 && before != nil && step == g.step && now.Before(due):
		s.stale[g.serial] = g
		s.wakes.add(g.serial, due)
		return nil
	}
	delete(s.stale, g.serial)
	var changes []alarm.Change
	if step < 0 {
		g.raised = nil
		changes = []alarm.Change{end(now, before)}
	} else {
		changes = s.raise(now, g, r, step, total)
	}
	if before == nil || g.raised == nil || before.Fingerprint() != g.raised.Fingerprint() {
		for fp := range g.members { // the order does not show: it only adds to a set
			judged[fp] = struct{}{}
		}
	}
	return changes
}

// due marks the groups whose text is to follow by now.
func (s *RollupSuppressor) due(now time.Time, dirty map[*rollupGroup]struct{}) {
	for {
		serial, _, due := s.wakes.due(now)
		if !due {
			return
		}
		if g := s.stale[serial]; g != nil {
			dirty[g] = struct{}{}
		}
	}
}

// raise raises what a step says, and ends what was raised before if that is another alert.
func (s *RollupSuppressor) raise(now time.Time, g *rollupGroup, r *rollup, step, total int) []alarm.Change {
	labels := r.raise[step].labels.Merge(g.by)
	a := alarm.Alert{
		Labels: labels, Annotations: r.raise[step].annotate(g.data(r.Name, labels, total)), StartsAt: now, RaisedBy: s.Name(),
	}.WithFingerprint()
	before := g.raised
	if before == nil && !s.begun && s.found[a.Fingerprint()] != nil {
		before = s.found[a.Fingerprint()]
		delete(s.found, a.Fingerprint())
	}
	g.raised, g.step, g.worded = &a, step, now
	if before == nil {
		return []alarm.Change{{Kind: alarm.Appeared, Alert: &a}}
	}
	if before.Fingerprint() != a.Fingerprint() {
		return []alarm.Change{end(now, before), {Kind: alarm.Appeared, Alert: &a}}
	}
	same := *before
	same.Annotations = a.Annotations
	g.raised = &same
	if maps.Equal(before.Annotations, a.Annotations) {
		return nil
	}
	return []alarm.Change{{Kind: alarm.Reworded, Alert: &same}}
}

func end(now time.Time, a *alarm.Alert) alarm.Change {
	ended := *a
	ended.State, ended.EndsAt = alarm.Resolved, now
	return alarm.Change{Kind: alarm.Ended, Alert: &ended}
}

// reasons appends one reason for each roll-up that counts the alert.
func (s *RollupSuppressor) reasons(all []alarm.Suppression, fp model.Fingerprint, m *member) []alarm.Suppression {
	for _, g := range m.groups {
		why := alarm.Suppression{
			Fingerprint: fp, Reason: alarm.ReasonRollup, Rule: s.rollups.list[g.key.rollup].Name,
			Note: withinTolerance, Since: m.since,
		}
		if g.raised != nil {
			why.By, why.Close = g.raised.Fingerprint().String(), true
			why.Note, why.Since = g.raised.Name(), g.raised.StartsAt
		}
		all = append(all, why)
	}
	return all
}
