package depgraph

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A node is one alert that matches a rule, and where it stands in the graph. It does not hold the
// alert itself, of which there is a new one whenever it is sent again.
type node struct {
	labels   model.LabelSet
	startsAt time.Time
	causing  bool    // it fires
	silenced bool    // or in a window, as the suppressors before this one say
	rules    []int   // those whose cause it matches, sorted
	impacts  []*pool // those that it is an impact in
	entity   int     // that it is about, or -1
	class    int     // its severity

	// up is the alert that explains it, if one does, and root the first in that chain. muting says that
	// an inhibition mutes it.
	up, root model.Fingerprint
	linked   bool              // up and root mean something
	rolledBy model.Fingerprint // up, if a roll-up says so; else 0
	muting   bool

	*impact // nil if no dependency can explain it
}

// enter makes the node of an alert, or returns nil if no rule is about it.
func (s *Suppressor) enter(fp model.Fingerprint, labels model.LabelSet) *node {
	n := &node{labels: labels, entity: s.graph.entity(labels), class: s.graph.class(labels)}
	for r := range s.graph.causes.Matching(labels) {
		n.rules = append(n.rules, r)
	}
	for side := range s.graph.impacts.Matching(labels) {
		if side.via && (n.entity < 0 || len(s.graph.topology.below[n.entity]) == 0) {
			continue // it depends on nothing
		}
		for _, key := range side.impactKeys(labels, n.entity) {
			p := s.pool(side, key, n.entity)
			if p.impacts == nil {
				p.impacts = map[model.Fingerprint]struct{}{}
			}
			p.impacts[fp] = struct{}{}
			n.impacts = append(n.impacts, p)
			if side.loose {
				continue
			}
			if n.impact == nil {
				n.impact = &impact{}
			}
			if side.holdBack > n.holdBack || side.holdBack == n.holdBack && side.holder < n.holder {
				n.holdBack, n.holder = side.holdBack, side.holder
			}
		}
	}
	if len(n.rules) == 0 && len(n.impacts) == 0 {
		return nil
	}
	s.nodes[fp] = n
	return n
}

func (s *Suppressor) leave(fp model.Fingerprint, n *node) {
	s.cause(fp, n, false, n.silenced)
	s.rollUp(fp, n, 0, false)
	for _, p := range n.impacts {
		delete(p.impacts, fp)
		s.release(p)
	}
	delete(s.nodes, fp)
}

// cause makes an alert a cause, or ends that it is one.
func (s *Suppressor) cause(fp model.Fingerprint, n *node, causing, silenced bool) {
	for _, i := range n.rules {
		r := &s.graph.rules[i]
		was, is := n.causing && !(r.SilencedPass && n.silenced), causing && !(r.SilencedPass && silenced)
		if !was && !is {
			continue
		}
		set := 0
		if r.classes > 1 {
			set = n.class * sides
		}
		if !r.Via && n.isImpactOf(r) {
			set += twoSided
		}
		s.eachPool(n, r, is, func(p *pool) {
			c := p.causes[i]
			if c == nil {
				c = &causes{sets: make([]minSet, r.classes*sides)}
				if p.causes == nil {
					p.causes = map[int]*causes{}
				}
				p.causes[i] = c
			}
			if is {
				c.sets[set].add(fp)
			} else {
				c.sets[set].remove(fp)
			}
			s.dirty[place{p, i}] = struct{}{}
		})
	}
	n.causing, n.silenced = causing, silenced
}

// eachPool visits the pools in which the alert is a cause of a rule. They are made if so asked.
func (s *Suppressor) eachPool(n *node, r *rule, make bool, visit func(*pool)) {
	if r.Via && n.entity < 0 {
		return
	}
	find := func(key string, entity int) {
		p := s.pools[poolKey{r.impact.id, key}]
		if p == nil && make {
			p = s.pool(r.impact, key, entity)
		}
		if p != nil {
			visit(p)
		}
	}
	for _, key := range r.causeKeys(n.labels) {
		if !r.Via {
			find(key, -1)
			continue
		}
		for _, above := range s.graph.topology.dependents(n.entity) {
			find(entityKey(key, above), above)
		}
	}
}

// isImpactOf says whether the alert matches the impact side of a rule.
func (n *node) isImpactOf(r *rule) bool {
	return slices.ContainsFunc(n.impacts, func(p *pool) bool { return p.key.side == r.impact.id })
}

// isCauseOf says whether the alert matches the cause side of a rule.
func (n *node) isCauseOf(rule int) bool {
	_, found := slices.BinarySearch(n.rules, rule)
	return found
}

// A link is a cause that a rule gives for an alert.
type link struct {
	rule  int
	cause *spokesman
}

// links returns the causes of an alert, one for each rule, in the order of the rules.
func (s *Suppressor) links(n *node) []link {
	var found []link
	for _, p := range n.impacts {
		for i, c := range p.causes {
			r := &s.graph.rules[i]
			at := 0
			if r.classes > 1 {
				at = n.class * sides
			}
			if !r.Via && n.isCauseOf(i) {
				at += twoSided
			}
			if chosen := c.judged[at]; chosen != nil {
				found = append(found, link{i, chosen})
			}
		}
	}
	if len(found) < 2 {
		return found
	}
	slices.SortFunc(found, func(a, b link) int {
		if a.rule != b.rule {
			return a.rule - b.rule
		}
		if a.cause.fingerprint < b.cause.fingerprint {
			return -1
		}
		return 1
	})
	return slices.CompactFunc(found, func(a, b link) bool { return a.rule == b.rule })
}

// isMuted says whether a person or a plan mutes an alert.
func isMuted(reasons []alarm.Suppression) bool {
	return slices.ContainsFunc(reasons, func(r alarm.Suppression) bool {
		switch r.Reason {
		case alarm.ReasonSilence, alarm.ReasonWindow, alarm.ReasonActivity:
			return true
		}
		return false
	})
}

// isTolerated says whether a roll-up counts the alert, and so few that the configuration has nobody told:
// that is as deliberate as a silence.
func isTolerated(reasons []alarm.Suppression) bool {
	return slices.ContainsFunc(reasons, func(r alarm.Suppression) bool {
		return r.Reason == alarm.ReasonRollup && r.By == ""
	})
}
