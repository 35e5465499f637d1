package depgraph

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

var _ alarm.Suppressor = (*Suppressor)(nil)

// A Suppressor gives the dependencies and inhibitions of a Graph as the reasons of an
// [alarm.Suppressor]. It stands after those that silence, plan and roll up, whose reasons it looks at.
type Suppressor struct {
	graph *Graph

	mu       sync.Mutex // guards what is below it
	begun    bool
	nodes    map[model.Fingerprint]*node
	pools    map[poolKey]*pool
	rolled   map[model.Fingerprint]map[model.Fingerprint]struct{} // by the alert of a roll-up, whom it explains
	dirty    map[place]struct{}                                   // where causes came or went in this call
	judged   map[model.Fingerprint]struct{}
	wakes    wakes[model.Fingerprint]
	restored map[model.Fingerprint]record // of rows, until the first call
	dropped  []model.Fingerprint          // that have a row and no node any more
}

// A place is one rule in one pool.
type place struct {
	pool *pool
	rule int
}

// Suppressor returns a Suppressor that knows of no alerts yet, and what an earlier one remembered of
// them: of the rows it takes those that are its own. One that cannot be read, or whose alert or rule is
// gone, is as none.
func (g *Graph) Suppressor(rows ...alarm.Row) *Suppressor {
	return &Suppressor{
		graph: g, nodes: map[model.Fingerprint]*node{}, pools: map[poolKey]*pool{},
		rolled: map[model.Fingerprint]map[model.Fingerprint]struct{}{}, dirty: map[place]struct{}{}, judged: map[model.Fingerprint]struct{}{},
		restored: readRows(rows),
	}
}

// Name returns "dependency".
func (*Suppressor) Name() string { return string(alarm.ReasonDependency) }

// Judge judges the alerts that changed or are due, those that a cause which came or went is chosen for,
// and those further down the chain whose root is another now.
func (s *Suppressor) Judge(now time.Time, v alarm.View) alarm.Judgement {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := &judging{Suppressor: s, now: now.UTC().Round(0), view: v}
	j.takeIn()
	s.settleCauses()

	said := make(map[model.Fingerprint][]alarm.Suppression, len(s.judged))
	for todo := s.takeJudged(); len(todo) > 0; {
		var again []model.Fingerprint
		for _, fp := range j.relinkAll(todo) {
			n := s.nodes[fp]
			if n == nil {
				said[fp] = nil
				continue
			}
			var over bool
			if said[fp], over = j.reasons(nil, fp, n); over {
				again = append(again, fp)
			}
		}
		todo = again
	}
	return j.judgement(said)
}

// takeIn follows what changed, and marks what is due.
func (j *judging) takeIn() {
	for _, c := range j.view.Changes {
		fp := c.Alert.Fingerprint()
		j.judged[fp] = struct{}{}
		j.follow(fp, c.Alert)
	}
	for _, fp := range j.view.Rejudged {
		if n := j.nodes[fp]; n != nil {
			j.judged[fp] = struct{}{}
			j.cause(fp, n, n.causing, isMuted(j.reasonsOf(fp)))
		}
	}
	for {
		fp, at, due := j.wakes.due(j.now)
		if !due {
			break
		}
		if n := j.nodes[fp]; n != nil && n.impact != nil && n.wake.Equal(at) {
			j.judged[fp] = struct{}{}
		}
	}
	if !j.begun {
		j.begun = true
		for fp := range j.restored { // the order does not show: they are sorted when they are written
			if n := j.nodes[fp]; n == nil || n.impact == nil || !n.stored {
				j.dropped = append(j.dropped, fp)
			}
		}
		j.restored = nil
	}
}

// follow takes in one alert as it is now.
func (j *judging) follow(fp model.Fingerprint, a *alarm.Alert) {
	n := j.nodes[fp]
	if a.State == alarm.Resolved {
		if n != nil {
			if n.impact != nil && n.stored {
				j.dropped = append(j.dropped, fp)
			}
			j.leave(fp, n)
		}
		return
	}
	if n == nil {
		if n = j.enter(fp, a.Labels); n == nil {
			return
		}
	}
	n.startsAt = a.StartsAt
	firing := a.State == alarm.Firing
	if n.impact != nil {
		n.follow(j, fp, a, n.causing, firing)
	}
	j.cause(fp, n, firing, isMuted(j.reasonsOf(fp)))
}

// follow takes in whether the alert fires: a new occurrence has no past.
func (i *impact) follow(j *judging, fp model.Fingerprint, a *alarm.Alert, fired, fires bool) {
	switch saved, known := j.restored[fp]; {
	case !fires:
		i.stays, i.wake, i.seen, i.changed = nil, time.Time{}, i.implied, i.stored
	case fired:
		implied := impliedSeen(j.now, a)
		i.changed = i.changed || i.holdBack > 0 && i.seen.Equal(implied) != i.seen.Equal(i.implied)
		i.implied = implied
	case j.begun:
		i.begin(j.now, a, true)
	default:
		i.begin(j.now, a, false)
		if known {
			i.restore(j.now, j.graph, saved)
		}
	}
}

// settleCauses marks the impacts for which another cause speaks than when they were last judged.
func (s *Suppressor) settleCauses() {
	for p := range s.dirty { // the order does not show: it only adds to a set
		c := p.pool.causes[p.rule]
		chosen := c.choose(s, &s.graph.rules[p.rule], p.pool.entity)
		if !chosen.equal(c.judged) {
			for fp := range p.pool.impacts {
				s.judged[fp] = struct{}{}
			}
		}
		c.judged = chosen
		if c.empty() {
			delete(p.pool.causes, p.rule)
			s.release(p.pool)
		}
	}
	s.dirty = emptied(s.dirty)
}

// relinkAll finds out what explains these alerts, and returns them with all others whose root changes by
// that. Both lists are sorted.
func (j *judging) relinkAll(todo []model.Fingerprint) []model.Fingerprint {
	more := map[model.Fingerprint]struct{}{}
	work := todo
	for rounds := 0; len(work) > 0 && rounds <= len(j.nodes); rounds++ { // there are no circles
		var next []model.Fingerprint
		for _, fp := range work {
			n := j.nodes[fp]
			if n == nil || !j.relink(fp, n) {
				continue
			}
			j.eachExplained(fp, n, func(below model.Fingerprint) {
				if _, known := slices.BinarySearch(todo, below); !known {
					more[below] = struct{}{}
				}
				next = append(next, below)
			})
		}
		slices.Sort(next)
		work = slices.Compact(next)
	}
	if len(more) == 0 {
		return todo
	}
	return slices.Sorted(maps.Keys(mergeInto(more, todo)))
}

func mergeInto(set map[model.Fingerprint]struct{}, list []model.Fingerprint) map[model.Fingerprint]struct{} {
	for _, fp := range list {
		set[fp] = struct{}{}
	}
	return set
}

// eachExplained visits the alerts that dependencies and roll-ups explain by this one.
func (s *Suppressor) eachExplained(fp model.Fingerprint, n *node, visit func(model.Fingerprint)) {
	if !n.causing {
		return
	}
	for below := range s.rolled[fp] { // the order does not show, as below
		visit(below)
	}
	for _, i := range n.rules {
		r := &s.graph.rules[i]
		if r.inhibits() {
			continue
		}
		s.eachPool(n, r, false, func(p *pool) {
			if c := p.causes[i]; c != nil && c.judged.names(fp) {
				for below := range p.impacts { // the order does not show: they are sorted, or a set
					visit(below)
				}
			}
		})
	}
}

// takeJudged returns the alerts that are marked, sorted.
func (s *Suppressor) takeJudged() []model.Fingerprint {
	sorted := make([]model.Fingerprint, 0, len(s.judged))
	for fp := range s.judged {
		sorted = append(sorted, fp)
	}
	slices.Sort(sorted)
	s.judged = emptied(s.judged)
	return sorted
}

// emptied clears a map, or replaces one that has become large: to clear that takes as long as it once was.
func emptied[K comparable](set map[K]struct{}) map[K]struct{} {
	if len(set) > 64 {
		return map[K]struct{}{}
	}
	clear(set)
	return set
}

// judgement puts together what was said, what is to be stored, and when to ask again.
func (j *judging) judgement(said map[model.Fingerprint][]alarm.Suppression) alarm.Judgement {
	out := alarm.Judgement{Judged: make([]model.Fingerprint, 0, len(said))}
	for fp := range said {
		out.Judged = append(out.Judged, fp)
	}
	slices.Sort(out.Judged)
	slices.Sort(j.dropped)
	gone := slices.Compact(j.dropped)
	for _, fp := range out.Judged {
		out.Reasons = append(out.Reasons, said[fp]...)
		if n := j.nodes[fp]; n != nil && n.impact != nil {
			if !n.wake.IsZero() {
				j.wakes.add(fp, n.wake)
			}
			if row, ok := n.row(j.graph, fp); ok {
				out.Rows = append(out.Rows, row)
				if i, found := slices.BinarySearch(gone, fp); found {
					gone = slices.Delete(gone, i, i+1)
				}
			}
		}
	}
	for _, fp := range gone {
		out.Rows = append(out.Rows, alarm.Row{Part: rowPart, Key: fp.String()})
	}
	j.dropped = nil
	out.Next = j.wakes.next()
	return out
}

// pool returns the pool of a side and values, which is made if there is none.
func (s *Suppressor) pool(side *side, values string, entity int) *pool {
	key := poolKey{side.id, values}
	p := s.pools[key]
	if p == nil {
		p = &pool{key: key, entity: -1}
		if side.via {
			p.entity = entity
		}
		s.pools[key] = p
	}
	return p
}

// release drops a pool that nobody needs any more.
func (s *Suppressor) release(p *pool) {
	if len(p.impacts) == 0 && len(p.causes) == 0 {
		delete(s.pools, p.key)
	}
}
