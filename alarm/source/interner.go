package source

import (
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

const (
	// maxShared is the length of the longest string that is shared. About maxStrings are: what is in
	// use by many alerts is asked for again and again, and what is not, such as the name of a pod, need
	// not be remembered.
	maxShared  = 128
	maxStrings = 16_000
)

// An interner reads labels and annotations so that equal names and values are one string: alerts
// have most of theirs in common.
type interner struct {
	mu   sync.Mutex // guards what follows
	kept generations[string, shared]
}

type shared string

func (s shared) weight() int { return len(s) }

func newInterner() *interner {
	return &interner{kept: newGenerations[string, shared](maxStrings)}
}

func (n *interner) age(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kept.age(now)
}

// readSet reads a flat object of about so many pairs whose values are strings. Of a repeated name
// the last value counts. It is false if the object is not of that kind; nothing at all is an empty set.
func (n *interner) readSet(raw []byte, pairs int) (model.LabelSet, bool) {
	if raw == nil {
		return model.LabelSet{}, true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := scanner{b: raw}
	if !s.take('{') {
		return nil, false
	}
	set := make(model.LabelSet, min(pairs, 64))
	if s.take('}') {
		return set, true
	}
	for {
		rawName, ok := s.str()
		if !ok || !s.take(':') {
			return nil, false
		}
		rawValue, ok := s.str()
		if !ok {
			return nil, false
		}
		name, ok := n.read(rawName)
		if !ok {
			return nil, false
		}
		value, ok := n.read(rawValue)
		if !ok {
			return nil, false
		}
		set[model.LabelName(name)] = model.LabelValue(value)
		if s.take('}') {
			return set, true
		}
		if !s.take(',') {
			return nil, false
		}
	}
}

// read reads a raw string.
func (n *interner) read(raw []byte) (string, bool) {
	inner := raw[1 : len(raw)-1]
	if len(inner) > maxShared || !plain(inner) {
		return readText(raw)
	}
	// Written out, for an index by string(inner) does not allocate, and a call of get would.
	if s, ok := n.kept.young[string(inner)]; ok {
		return string(s), true
	}
	s, ok := n.kept.old[string(inner)]
	if !ok {
		s = shared(inner)
	}
	n.kept.put(string(s), s)
	return string(s), true
}
