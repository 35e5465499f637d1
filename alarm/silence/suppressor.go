package silence

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

var _ alarm.Suppressor = (*Suppressor)(nil)

// A Suppressor says which alerts are silenced. It keeps an index of the active silences, and the
// labels of the alerts that are not resolved.
type Suppressor struct {
	silences map[string]*entry // pending and active ones, by ID
	groups   map[string]*group // of active ones, by their matchers
	index    matcher.Index[*group]
	edges    edges // when one begins or ends
	alerts   map[model.Fingerprint]model.LabelSet
}

// An entry is a silence that has not expired.
type entry struct {
	*alarm.Silence
	group *group // nil while it is pending
}

// A group holds the active silences that have the same matchers, as the reasons that they are,
// sorted by ID.
type group struct {
	key      string
	matchers matcher.Matchers
	reasons  []alarm.Suppression // without a fingerprint
}

// NewSuppressor returns a Suppressor that knows these silences, and no alerts yet.
func NewSuppressor(now time.Time, silences []*alarm.Silence) *Suppressor {
	s := &Suppressor{
		silences: map[string]*entry{}, groups: map[string]*group{}, alerts: map[model.Fingerprint]model.LabelSet{},
	}
	touched := map[*group]struct{}{}
	for _, sil := range silences {
		s.set(now, sil, touched)
	}
	return s
}

// Name returns "silence".
func (*Suppressor) Name() string { return string(alarm.ReasonSilence) }

// Judge judges the alerts that changed, and those that match a silence that began, ended or changed.
func (s *Suppressor) Judge(now time.Time, v alarm.View) alarm.Judgement {
	touched := map[*group]struct{}{}
	for _, c := range v.Silences {
		if c.Removed {
			s.drop(c.Silence.ID, touched)
		} else {
			s.set(now, c.Silence, touched)
		}
	}
	s.pass(now, touched)

	judged := s.matched(touched)
	for _, c := range v.Changes {
		fp := c.Alert.Fingerprint()
		judged = append(judged, fp)
		if c.Alert.State == alarm.Resolved {
			delete(s.alerts, fp)
		} else {
			s.alerts[fp] = c.Alert.Labels
		}
	}
	slices.Sort(judged)
	judged = slices.Compact(judged)

	j := alarm.Judgement{Judged: judged, Next: s.next()}
	for _, fp := range judged {
		if labels, ok := s.alerts[fp]; ok {
			j.Reasons = s.reasons(j.Reasons, fp, labels)
		}
	}
	return j
}

// set takes in a silence as it is from now on.
func (s *Suppressor) set(now time.Time, sil *alarm.Silence, touched map[*group]struct{}) {
	s.drop(sil.ID, touched)
	if sil.StateAt(now) == alarm.SilenceExpired {
		return
	}
	e := &entry{Silence: sil}
	s.silences[sil.ID] = e
	if sil.StateAt(now) == alarm.SilencePending {
		heap.Push(&s.edges, edge{sil.StartsAt, e})
		return
	}
	s.begin(e, touched)
}

// begin makes a silence active.
func (s *Suppressor) begin(e *entry, touched map[*group]struct{}) {
	heap.Push(&s.edges, edge{e.EndsAt, e})
	key := e.Matchers.Sorted().String()
	g := s.groups[key]
	if g == nil {
		g = &group{key: key, matchers: e.Matchers}
		s.groups[key] = g
		s.index.Add(g.matchers, g)
	}
	i, _ := slices.BinarySearchFunc(g.reasons, e.ID, byID)
	g.reasons = slices.Insert(g.reasons, i, alarm.Suppression{
		Reason: alarm.ReasonSilence, By: e.ID, Note: e.Comment, Since: e.StartsAt, Until: e.EndsAt,
	})
	e.group = g
	touched[g] = struct{}{}
}

// drop forgets a silence.
func (s *Suppressor) drop(id string, touched map[*group]struct{}) {
	e := s.silences[id]
	if e == nil {
		return
	}
	delete(s.silences, id)
	g := e.group
	if g == nil {
		return
	}
	touched[g] = struct{}{}
	if i, ok := slices.BinarySearchFunc(g.reasons, id, byID); ok {
		g.reasons = slices.Delete(g.reasons, i, i+1)
	}
	if len(g.reasons) == 0 {
		s.index.Remove(g)
		delete(s.groups, g.key)
	}
}

func byID(r alarm.Suppression, id string) int { return cmp.Compare(r.By, id) }

// pass lets silences begin and end.
func (s *Suppressor) pass(now time.Time, touched map[*group]struct{}) {
	for len(s.edges) > 0 && !s.edges[0].at.After(now) {
		e := heap.Pop(&s.edges).(edge).entry
		switch {
		case s.silences[e.ID] != e: // it was edited since
		case e.StateAt(now) == alarm.SilenceExpired:
			s.drop(e.ID, touched)
		case e.group == nil:
			s.begin(e, touched)
		}
	}
}

// next is when the next silence begins or ends, or zero.
func (s *Suppressor) next() time.Time {
	for len(s.edges) > 0 {
		if first := s.edges[0]; s.silences[first.entry.ID] == first.entry {
			return first.at
		}
		heap.Pop(&s.edges)
	}
	return time.Time{}
}

// matched returns the alerts that match one of the groups.
func (s *Suppressor) matched(groups map[*group]struct{}) []model.Fingerprint {
	if len(groups) == 0 {
		return nil
	}
	var index matcher.Index[*group]
	for g := range groups { // the order does not show: it only says whether any matches
		index.Add(g.matchers, g)
	}
	var matched []model.Fingerprint
	for fp, labels := range s.alerts {
		for range index.Matching(labels) {
			matched = append(matched, fp)
			break
		}
	}
	return matched
}

// reasons appends one reason for each active silence that matches, sorted by ID.
func (s *Suppressor) reasons(all []alarm.Suppression, fp model.Fingerprint, labels model.LabelSet) []alarm.Suppression {
	from, groups := len(all), 0
	for g := range s.index.Matching(labels) {
		groups++
		all = append(all, g.reasons...)
	}
	for i := from; i < len(all); i++ {
		all[i].Fingerprint = fp
	}
	if groups > 1 {
		slices.SortFunc(all[from:], func(a, b alarm.Suppression) int { return cmp.Compare(a.By, b.By) })
	}
	return all
}

// Mutes says whether an alert with these labels is silenced, as of the last Judge.
func (s *Suppressor) Mutes(labels model.LabelSet) bool {
	for range s.index.Matching(labels) {
		return true
	}
	return false
}

// edges is a heap of when silences begin or end.
type edges []edge

type edge struct {
	at    time.Time
	entry *entry
}

func (e edges) Len() int           { return len(e) }
func (e edges) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e edges) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *edges) Push(x any)        { *e = append(*e, x.(edge)) }

// Pop takes out the last one, and leaves nothing behind that would keep it alive.
func (e *edges) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = edge{}
	*e = (*e)[:last]
	return x
}
