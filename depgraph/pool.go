package depgraph

import (
	"time"

	"github.com/prometheus/common/model"
)

// A pool holds the alerts of one side that agree in their values, and the causes that these rules
// have for them.
type pool struct {
	key     poolKey
	entity  int // that the impacts are about; -1 unless the side goes via the topology
	impacts map[model.Fingerprint]struct{}
	causes  map[int]*causes // by the position of the rule; never empty ones
}

type poolKey struct {
	side   int
	values string
}

// causes are what fires for one rule in one pool: a set for each severity, of those that do not match
// the rule's impacts, and of those that do.
type causes struct {
	sets   []minSet
	known  int    // how many entities Require counts; 0: not asked yet
	judged choice // by which the impacts were judged
}

// oneSided and twoSided say where, beside its severity, an alert stands in sets and choices.
const (
	oneSided = iota
	twoSided
	sides
)

// A choice is the cause that speaks for the others, nil for none: for impacts of each severity, those
// that are no causes of the rule themselves, and those that are.
type choice []*spokesman

type spokesman struct {
	fingerprint model.Fingerprint
	name        string
	since       time.Time
}

func (s *spokesman) equal(o *spokesman) bool {
	if s == nil || o == nil {
		return s == o
	}
	return s.fingerprint == o.fingerprint && s.since.Equal(o.since)
}

func (c choice) equal(o choice) bool {
	if len(c) == 0 || len(o) == 0 {
		return c.empty() && o.empty()
	}
	for i := range c {
		if !c[i].equal(o[i]) {
			return false
		}
	}
	return true
}

func (c choice) empty() bool {
	for _, s := range c {
		if s != nil {
			return false
		}
	}
	return true
}

// names says whether the alert speaks for the others.
func (c choice) names(fp model.Fingerprint) bool {
	for _, s := range c {
		if s != nil && s.fingerprint == fp {
			return true
		}
	}
	return false
}

// eligible says whether a cause of one severity explains an impact of another; see [Graph.class].
func (r *rule) eligible(cause, impact int) bool {
	last := r.classes - 1
	return cause <= impact || cause == last || impact == last
}

// choose returns the causes with the smallest fingerprints.
func (c *causes) choose(s *Suppressor, r *rule, entity int) choice {
	ch := make(choice, r.classes*sides)
	var firsts [sides]*spokesman // of the last class that was looked at
	for impact := range r.classes {
		for side := range sides {
			best := c.least(r, impact, side)
			if best == nil || !c.enough(s, r, entity, impact, side) {
				continue
			}
			if firsts[side] == nil || firsts[side].fingerprint != *best {
				n := s.nodes[*best]
				firsts[side] = &spokesman{*best, string(n.labels[model.AlertNameLabel]), n.startsAt}
			}
			ch[impact*sides+side] = firsts[side]
		}
	}
	return ch
}

// least returns the smallest of the causes that explain an impact of this severity. One that is a cause
// of the rule itself is explained by one-sided causes alone.
func (c *causes) least(r *rule, impact, side int) *model.Fingerprint {
	var best *model.Fingerprint
	for i := range c.sets {
		if i%sides == twoSided && side == twoSided || !r.eligible(i/sides, impact) {
			continue
		}
		if fp, ok := c.sets[i].min(); ok && (best == nil || fp < *best) {
			best = &fp
		}
	}
	return best
}

// enough says whether as many causes fire as the rule requires.
func (c *causes) enough(s *Suppressor, r *rule, entity, impact, side int) bool {
	if r.Require == Any || r.Require == "" {
		return true
	}
	firing, entities := 0, map[int]struct{}{}
	for i := range c.sets {
		if i%sides == twoSided && side == twoSided || !r.eligible(i/sides, impact) {
			continue
		}
		for fp := range c.sets[i].members { // the order does not show: they are counted
			firing++
			if r.Via && s.graph.topology.counts(r, s.nodes[fp].entity) {
				entities[s.nodes[fp].entity] = struct{}{}
			}
		}
	}
	if r.Via {
		firing = len(entities)
	}
	if r.Require == AtLeast {
		return firing >= r.Least
	}
	if c.known == 0 {
		c.known = s.graph.topology.known(r, entity)
	}
	return c.known > 0 && firing == c.known
}

func (c *causes) empty() bool {
	for i := range c.sets {
		if len(c.sets[i].members) > 0 {
			return false
		}
	}
	return true
}

// A minSet is a set that knows its smallest member.
type minSet struct {
	members map[model.Fingerprint]struct{}
	heap    []model.Fingerprint // the members, and some that are none any more
}

func (s *minSet) add(fp model.Fingerprint) {
	if _, ok := s.members[fp]; ok {
		return
	}
	if s.members == nil {
		s.members = map[model.Fingerprint]struct{}{}
	}
	s.members[fp] = struct{}{}
	s.heap = append(s.heap, fp)
	for i := len(s.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if s.heap[parent] <= s.heap[i] {
			break
		}
		s.heap[parent], s.heap[i] = s.heap[i], s.heap[parent]
		i = parent
	}
}

func (s *minSet) remove(fp model.Fingerprint) {
	delete(s.members, fp)
	if len(s.heap) > 2*len(s.members)+8 { // one that comes and goes must not make it grow
		s.heap = s.heap[:0]
		for fp := range s.members { // the order does not show: only the smallest is ever told
			s.heap = append(s.heap, fp)
		}
		for i := len(s.heap)/2 - 1; i >= 0; i-- {
			s.sink(i)
		}
	}
}

func (s *minSet) min() (model.Fingerprint, bool) {
	for len(s.heap) > 0 {
		if _, ok := s.members[s.heap[0]]; ok {
			return s.heap[0], true
		}
		last := len(s.heap) - 1
		s.heap[0] = s.heap[last]
		s.heap = s.heap[:last]
		s.sink(0)
	}
	return 0, false
}

func (s *minSet) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s.heap); child++ {
			if s.heap[child] < s.heap[least] {
				least = child
			}
		}
		if least == i {
			return
		}
		s.heap[i], s.heap[least] = s.heap[least], s.heap[i]
		i = least
	}
}
