package depgraph

import (
	"time"

	"github.com/prometheus/common/model"
)

// A pool holds the alerts of one side that agree in their values, and the causes that these rules
// have for them.
type pool struct {
	key     poolKey
	impacts map[model.Fingerprint]struct{}
	causes  map[int]*causes // by the position of the rule; never empty ones
}

type poolKey struct {
	side   int
	values string
}

// causes are what fires for one rule in one pool.
type causes struct {
	oneSided minSet // those that do not match the rule's impacts
	twoSided minSet
	judged   choice // by which the impacts were judged
}

// A choice is the cause that speaks for the others: for impacts that are no causes of the rule
// themselves, and for those that are. Nil: none.
type choice struct{ any, oneSided *spokesman }

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

func (c choice) equal(o choice) bool { return c.any.equal(o.any) && c.oneSided.equal(o.oneSided) }

func (c *causes) set(twoSided bool) *minSet {
	if twoSided {
		return &c.twoSided
	}
	return &c.oneSided
}

// choose returns the causes with the smallest fingerprints, of all and of the one-sided ones.
func (c *causes) choose(nodes map[model.Fingerprint]*node) choice {
	speak := func(fp model.Fingerprint) *spokesman {
		n := nodes[fp]
		return &spokesman{fp, string(n.labels[model.AlertNameLabel]), n.startsAt}
	}
	var ch choice
	one, ok := c.oneSided.min()
	if ok {
		ch.oneSided = speak(one)
		ch.any = ch.oneSided
	}
	if two, found := c.twoSided.min(); found && (!ok || two < one) {
		ch.any = speak(two)
	}
	return ch
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
