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
	alerts   map[model.Fingerprint]candidate
}

// A candidate is an alert that may be silenced: its labels, and since when it fires.
type candidate struct {
	labels model.LabelSet
	since  time.Time
}

// An entry is a silence that has not expired.
type entry struct {
	*alarm.Silence
	group *group // nil while it does not mute
	next  time.Time
}

// A group holds the active silences that have the same matchers, as the reasons that they are,
// sorted by ID.
type group struct {
	key      string
	matchers matcher.Matchers
	reasons  []reason
}

// A reason is why what matches is withheld. It lacks the fingerprint.
type reason struct {
	alarm.Suppression
	before time.Time // only what began to fire before: the grace has begun; zero is no bound
}

// NewSuppressor returns a Suppressor that knows these silences, and no alerts yet. One that recurs by
// what is no rule never mutes: nothing is withheld of which nobody knows when it ends.
func NewSuppressor(now time.Time, silences []*alarm.Silence) *Suppressor {
	s := &Suppressor{
		silences: map[string]*entry{}, groups: map[string]*group{}, alerts: map[model.Fingerprint]candidate{},
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
			s.alerts[fp] = candidate{c.Alert.Labels, c.Alert.StartsAt}
		}
	}
	slices.Sort(judged)
	judged = slices.Compact(judged)

	j := alarm.Judgement{Judged: judged, Next: s.next()}
	for _, fp := range judged {
		if a, ok := s.alerts[fp]; ok {
			j.Reasons = s.reasons(j.Reasons, fp, a)
		}
	}
	return j
}

// set takes in a silence as it is from now on.
func (s *Suppressor) set(now time.Time, sil *alarm.Silence, touched map[*group]struct{}) {
	s.drop(sil.ID, touched)
	if sil.Recurrence != nil {
		sil, _ = Compile(sil) // where it fails there is no calendar, and so no occurrence
	}
	e := &entry{Silence: sil}
	s.silences[sil.ID] = e
	s.turn(now, e, touched)
}

// turn has a silence be what it is at now: pending, active, in its grace, or over.
func (s *Suppressor) turn(now time.Time, e *entry, touched map[*group]struct{}) {
	s.leave(e, touched)
	p := phaseAt(e.Silence, now)
	if p.mutes {
		s.begin(e, p.reason, touched)
	}
	if e.next = p.next; p.next.IsZero() {
		delete(s.silences, e.ID)
		return
	}
	heap.Push(&s.edges, edge{p.next, e})
}

// begin has a silence mute, for this reason.
func (s *Suppressor) begin(e *entry, r reason, touched map[*group]struct{}) {
	key := e.Matchers.Sorted().String()
	g := s.groups[key]
	if g == nil {
		g = &group{key: key, matchers: e.Matchers}
		s.groups[key] = g
		s.index.Add(g.matchers, g)
	}
	i, _ := slices.BinarySearchFunc(g.reasons, e.ID, byID)
	g.reasons = slices.Insert(g.reasons, i, r)
	e.group = g
	touched[g] = struct{}{}
}

// drop forgets a silence.
func (s *Suppressor) drop(id string, touched map[*group]struct{}) {
	if e := s.silences[id]; e != nil {
		delete(s.silences, id)
		s.leave(e, touched)
	}
}

// leave has a silence mute no more.
func (s *Suppressor) leave(e *entry, touched map[*group]struct{}) {
	g := e.group
	if g == nil {
		return
	}
	e.group = nil
	touched[g] = struct{}{}
	if i, ok := slices.BinarySearchFunc(g.reasons, e.ID, byID); ok {
		g.reasons = slices.Delete(g.reasons, i, i+1)
	}
	if len(g.reasons) == 0 {
		s.index.Remove(g)
		delete(s.groups, g.key)
	}
}

func byID(r reason, id string) int { return cmp.Compare(r.By, id) }

// pass lets silences begin and end.
func (s *Suppressor) pass(now time.Time, touched map[*group]struct{}) {
	for len(s.edges) > 0 && !s.edges[0].at.After(now) {
		if due := heap.Pop(&s.edges).(edge); s.current(due) {
			s.turn(now, due.entry, touched)
		}
	}
}

// current says whether an edge still is one: the silence may have been edited since.
func (s *Suppressor) current(e edge) bool {
	return s.silences[e.entry.ID] == e.entry && e.entry.next.Equal(e.at)
}

// next is when the next silence begins or ends, or zero.
func (s *Suppressor) next() time.Time {
	for len(s.edges) > 0 {
		if first := s.edges[0]; s.current(first) {
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
	for fp, a := range s.alerts {
		for range index.Matching(a.labels) {
			matched = append(matched, fp)
			break
		}
	}
	return matched
}

// reasons appends one reason for each active silence that matches, sorted by ID.
func (s *Suppressor) reasons(all []alarm.Suppression, fp model.Fingerprint, a candidate) []alarm.Suppression {
	from, groups := len(all), 0
	for g := range s.index.Matching(a.labels) {
		groups++
		all = slices.Grow(all, len(g.reasons))
		for i := range g.reasons {
			if r := &g.reasons[i]; r.before.IsZero() || a.since.Before(r.before) {
				all = append(all, r.Suppression)
				all[len(all)-1].Fingerprint = fp
			}
		}
	}
	if groups > 1 {
		slices.SortFunc(all[from:], func(a, b alarm.Suppression) int { return cmp.Compare(a.By, b.By) })
	}
	return all
}

// Mutes says whether an alert with these labels is silenced if it begins to fire now, as of the last
// Judge.
func (s *Suppressor) Mutes(labels model.LabelSet) bool {
	for g := range s.index.Matching(labels) {
		for i := range g.reasons {
			if g.reasons[i].before.IsZero() {
				return true
			}
		}
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
