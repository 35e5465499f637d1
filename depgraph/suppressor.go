package depgraph

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

var _ alarm.Suppressor = (*Suppressor)(nil)

// A Suppressor gives the inhibitions of a Graph as the reasons of an [alarm.Suppressor].
type Suppressor struct {
	graph  *Graph
	nodes  map[model.Fingerprint]*node
	pools  map[poolKey]*pool
	dirty  map[place]struct{} // where causes came or went in this call
	judged map[model.Fingerprint]struct{}
}

// A node is one alert that matches a rule, and where it stands in the graph. It does not hold the
// alert itself, of which there is a new one whenever it is sent again.
type node struct {
	labels   model.LabelSet
	startsAt time.Time
	causing  bool
	rules    []int   // those whose cause it matches, sorted
	impacts  []*pool // those that it is an impact in
}

// A place is one rule in one pool.
type place struct {
	pool *pool
	rule int
}

// Suppressor returns a Suppressor that knows of no alerts yet.
func (g *Graph) Suppressor() *Suppressor {
	return &Suppressor{
		graph: g, nodes: map[model.Fingerprint]*node{}, pools: map[poolKey]*pool{},
		dirty: map[place]struct{}{}, judged: map[model.Fingerprint]struct{}{},
	}
}

// Name returns "inhibition".
func (*Suppressor) Name() string { return string(alarm.ReasonInhibition) }

// Judge judges the alerts that changed, and those that a cause which came or went is chosen for.
func (s *Suppressor) Judge(_ time.Time, v alarm.View) alarm.Judgement {
	for _, c := range v.Changes {
		s.judged[c.Alert.Fingerprint()] = struct{}{}
		s.follow(c.Alert)
	}
	for p := range s.dirty { // the order does not show: it only adds to a set
		if s.settle(p) {
			for fp := range p.pool.impacts {
				s.judged[fp] = struct{}{}
			}
		}
	}
	clear(s.dirty)

	j := alarm.Judgement{Judged: make([]model.Fingerprint, 0, len(s.judged))}
	for fp := range s.judged {
		j.Judged = append(j.Judged, fp)
	}
	slices.Sort(j.Judged)
	clear(s.judged)
	for _, fp := range j.Judged {
		if n := s.nodes[fp]; n != nil {
			j.Reasons = s.reasons(j.Reasons, fp, n)
		}
	}
	return j
}

// follow takes in one alert as it is now.
func (s *Suppressor) follow(a *alarm.Alert) {
	fp := a.Fingerprint()
	n := s.nodes[fp]
	switch {
	case a.State == alarm.Resolved:
		if n != nil {
			s.leave(fp, n)
		}
		return
	case n == nil:
		if n = s.enter(fp, a.Labels); n == nil {
			return
		}
	}
	n.startsAt = a.StartsAt
	s.cause(fp, n, a.State == alarm.Firing)
}

// enter makes the node of an alert, or returns nil if no rule is about it.
func (s *Suppressor) enter(fp model.Fingerprint, labels model.LabelSet) *node {
	n := &node{labels: labels}
	for r := range s.graph.causes.Matching(labels) {
		n.rules = append(n.rules, r)
	}
	for side := range s.graph.impacts.Matching(labels) {
		p := s.pool(side, values(side.labels, labels))
		p.impacts[fp] = struct{}{}
		n.impacts = append(n.impacts, p)
	}
	if len(n.rules) == 0 && len(n.impacts) == 0 {
		return nil
	}
	s.nodes[fp] = n
	return n
}

func (s *Suppressor) leave(fp model.Fingerprint, n *node) {
	s.cause(fp, n, false)
	for _, p := range n.impacts {
		delete(p.impacts, fp)
		s.release(p)
	}
	delete(s.nodes, fp)
}

// cause makes an alert a cause, or ends that it is one.
func (s *Suppressor) cause(fp model.Fingerprint, n *node, causing bool) {
	if !causing && !n.causing {
		return
	}
	for _, i := range n.rules {
		r := &s.graph.rules[i]
		p := s.pool(r.impact, values(r.labels, n.labels))
		c := p.causes[i]
		if c == nil {
			c = &causes{}
			p.causes[i] = c
		}
		if set := c.set(n.isImpactOf(r)); causing {
			set.add(fp)
		} else {
			set.remove(fp)
		}
		s.dirty[place{p, i}] = struct{}{}
	}
	n.causing = causing
}

// isImpactOf says whether the alert matches the impact side of a rule.
func (n *node) isImpactOf(r *rule) bool {
	return slices.ContainsFunc(n.impacts, func(p *pool) bool { return p.key.side == r.impact.id })
}

// settle says whether other causes speak for a rule than when its impacts were last judged.
func (s *Suppressor) settle(p place) bool {
	c := p.pool.causes[p.rule]
	chosen := c.choose(s.nodes)
	changed := !chosen.equal(c.judged)
	c.judged = chosen
	if chosen.any == nil {
		delete(p.pool.causes, p.rule)
		s.release(p.pool)
	}
	return changed
}

// reasons appends one reason for each rule that mutes the alert, in the order of the rules.
func (s *Suppressor) reasons(all []alarm.Suppression, fp model.Fingerprint, n *node) []alarm.Suppression {
	var muting []place
	for _, p := range n.impacts {
		for i := range p.causes {
			muting = append(muting, place{p, i})
		}
	}
	slices.SortFunc(muting, func(a, b place) int { return cmp.Compare(a.rule, b.rule) })
	for _, m := range muting {
		chosen := m.pool.causes[m.rule].judged.any
		if _, twoSided := slices.BinarySearch(n.rules, m.rule); twoSided {
			chosen = m.pool.causes[m.rule].judged.oneSided
		}
		if chosen == nil {
			continue
		}
		all = append(all, alarm.Suppression{
			Fingerprint: fp, Reason: alarm.ReasonInhibition, By: chosen.fingerprint.String(),
			Rule: s.graph.rules[m.rule].name, Note: chosen.name, Since: chosen.since,
		})
	}
	return all
}

// pool returns the pool of a side and values, which is made if there is none.
func (s *Suppressor) pool(side *side, values string) *pool {
	key := poolKey{side.id, values}
	p := s.pools[key]
	if p == nil {
		p = &pool{key: key, impacts: map[model.Fingerprint]struct{}{}, causes: map[int]*causes{}}
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
