package depgraph

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
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
	found   map[model.Fingerprint]*alarm.Alert // that were raised before a restart, until the first call ends
}

// A member is an alert that one or more roll-ups count, or would if it were not silenced.
type member struct {
	labels   model.LabelSet
	since    time.Time
	groups   []*rollupGroup // in the order of the roll-ups
	silenced bool
}

// A rollupGroup is what one roll-up counts together.
type rollupGroup struct {
	key     rollupKey
	by      model.LabelSet
	members map[model.Fingerprint]*member // that count
	alerts  int                           // that would, if they were not silenced
	raised  *alarm.Alert                  // nil: what fires is tolerated
}

type rollupKey struct {
	rollup int
	values string
}

// Suppressor returns a RollupSuppressor that knows of no alerts yet.
func (rs *Rollups) Suppressor() *RollupSuppressor {
	return &RollupSuppressor{
		rollups: rs, members: map[model.Fingerprint]*member{}, groups: map[rollupKey]*rollupGroup{},
		found: map[model.Fingerprint]*alarm.Alert{},
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
	var j alarm.Judgement
	for _, g := range slices.SortedFunc(maps.Keys(dirty), compareGroups) {
		j.Raised = append(j.Raised, s.decide(now, g, judged)...)
		if g.alerts == 0 && g.raised == nil {
			delete(s.groups, g.key)
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
	j.Judged = slices.Sorted(maps.Keys(judged))
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
		g = &rollupGroup{key: key, by: model.LabelSet{}, members: map[model.Fingerprint]*member{}}
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
		switch {
		case counts && !counted:
			g.members[fp] = m
		case !counts:
			delete(g.members, fp)
		}
		if counts != counted || !fires {
			dirty[g] = struct{}{}
		}
	}
}

// decide compares what is to be raised for a group with what is.
func (s *RollupSuppressor) decide(now time.Time, g *rollupGroup, judged map[model.Fingerprint]struct{}) []alarm.Change {
	r := &s.rollups.list[g.key.rollup]
	before, count, total := g.raised, len(g.members), r.total(g)
	step := -1
	if r.Tolerate.exceeded(count, total) {
		step = 0
		for i := range r.Steps {
			if r.Steps[i].Above.exceeded(count, total) {
				step = i + 1
			}
		}
	}
	var changes []alarm.Change
	if step < 0 {
		if before == nil {
			return nil
		}
		g.raised = nil
		changes = []alarm.Change{end(now, before)}
	} else {
		changes = s.raise(now, g, r, step, count, total)
	}
	if before == nil || g.raised == nil || before.Fingerprint() != g.raised.Fingerprint() {
		for fp := range g.members { // the order does not show: it only adds to a set
			judged[fp] = struct{}{}
		}
	}
	return changes
}

// raise raises what a step says, and ends what was raised before if that is another alert.
func (s *RollupSuppressor) raise(now time.Time, g *rollupGroup, r *rollup, step, count, total int) []alarm.Change {
	labels := r.raise[step].labels.Merge(g.by)
	data := RollupData{Name: r.Name, Labels: plain(labels), Count: count, Total: total}
	if total > 0 {
		data.Percent = 100 * float64(count) / float64(total)
	}
	for _, fp := range slices.Sorted(maps.Keys(g.members)) {
		data.Members = append(data.Members, plain(g.members[fp].labels))
	}
	a := alarm.Alert{Labels: labels, Annotations: r.raise[step].annotate(data), StartsAt: now, RaisedBy: s.Name()}.WithFingerprint()
	before := g.raised
	if before == nil && !s.begun && s.found[a.Fingerprint()] != nil {
		before = s.found[a.Fingerprint()]
		delete(s.found, a.Fingerprint())
	}
	g.raised = &a
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

// total is how many there are of what a group counts, at least those that fire, or 0 if nobody knows.
func (r *rollup) total(g *rollupGroup) int {
	total := r.Of.Number
	switch {
	case r.Of.Label != "":
		for _, m := range g.members { // the order does not show: the greatest counts
			if n, err := strconv.Atoi(string(m.labels[r.Of.Label])); err == nil {
				total = max(total, n)
			}
		}
	case len(r.Of.Topology) > 0:
		total = r.sizes[g.key.values]
	}
	if total <= 0 {
		return 0
	}
	return max(total, len(g.members))
}

// reasons appends one reason for each roll-up that counts the alert.
func (s *RollupSuppressor) reasons(all []alarm.Suppression, fp model.Fingerprint, m *member) []alarm.Suppression {
	for _, g := range m.groups {
		why := alarm.Suppression{
			Fingerprint: fp, Reason: alarm.ReasonRollup, Rule: s.rollups.list[g.key.rollup].Name,
			Note: "within what is tolerated", Since: m.since,
		}
		if g.raised != nil {
			why.By, why.Close = g.raised.Fingerprint().String(), true
			why.Note, why.Since = g.raised.Name(), g.raised.StartsAt
		}
		all = append(all, why)
	}
	return all
}
