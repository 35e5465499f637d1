package source

import (
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

const (
	// maxShared is the length of the longest string that is shared. About maxStrings are: what is in
	// use by many alerts is asked for again and again, and what is not, such as the name of a pod, need
	// not be remembered.
	maxShared  = 128
	maxStrings = 16_000

	// maxFresh bounds the strings that are put into one piece of memory.
	maxFresh = 512

	// maxSets is how many whole sets are shared.
	maxSets = 8_000
)

// An interner reads labels and annotations so that equal names and values are one string: alerts
// have most of theirs in common. Annotations that name no instance are the same for many alerts: they
// are one set.
type interner struct {
	seeds seeds

	mu   sync.Mutex // guards what follows
	kept generations[string, shared]
	sets generations[contentKey, sharedSet]
	seen [1 << 12]uint64 // of some sets that were seen, the half of the key that does not lead here

	texts []text // of the set that is being read: name, value, name, value
	fresh []byte // what of them is not known
}

type shared string

func (s shared) weight() int { return len(s) }

// A sharedSet is a set that nobody may modify, and how long it is in JSON.
type sharedSet struct {
	set   model.LabelSet
	bytes int
}

func (s sharedSet) weight() int { return s.bytes }

func newInterner() *interner {
	return &interner{
		seeds: newSeeds(),
		kept:  newGenerations[string, shared](maxStrings),
		sets:  newGenerations[contentKey, sharedSet](maxSets),
	}
}

func (n *interner) age(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kept.age(now)
	n.sets.age(now)
}

// readShared is readSet for a set that nobody is going to modify: equal bytes give the same set, from the
// second time on that they are seen. What is never seen again need not be remembered.
func (n *interner) readShared(raw []byte, pairs int) (model.LabelSet, bool) {
	key := n.seeds.key(raw)
	n.mu.Lock()
	known, ok := n.sets.get(key)
	seen := &n.seen[key[0]%uint64(len(n.seen))]
	again := *seen == key[1]
	*seen = key[1]
	n.mu.Unlock()
	if ok {
		return known.set, true
	}
	set, ok := n.readSet(raw, pairs)
	if ok && again {
		n.mu.Lock()
		n.sets.put(key, sharedSet{set, len(raw)})
		n.mu.Unlock()
	}
	return set, ok
}

// readSet reads a flat object of about so many pairs whose values are strings. Of a repeated name
// the last value counts. It is false if the object is not of that kind; nothing at all is an empty set.
func (n *interner) readSet(raw []byte, pairs int) (model.LabelSet, bool) {
	set, _, ok := n.readSetAnd(raw, pairs, nil)
	return set, ok
}

// readSetAnd is readSet, and reads a raw string beside it. What is new of all this is put into one piece
// of memory: that takes less of it, and whoever reads the alert later finds it in one place.
func (n *interner) readSetAnd(raw []byte, pairs int, beside []byte) (model.LabelSet, string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.texts, n.fresh = n.texts[:0], n.fresh[:0]
	if raw != nil && !n.readPairs(raw) {
		return nil, "", false
	}
	if beside != nil && !n.readFresh(beside, false) {
		return nil, "", false
	}
	fresh := string(n.fresh)
	set := make(model.LabelSet, min(pairs, 64))
	i := 0
	for ; i+1 < len(n.texts); i += 2 {
		set[model.LabelName(n.keep(&n.texts[i], fresh))] = model.LabelValue(n.keep(&n.texts[i+1], fresh))
	}
	var last string
	if beside != nil {
		last = n.keep(&n.texts[i], fresh)
	}
	if clear(n.texts); cap(n.texts) > 1024 {
		n.texts = nil
	}
	return set, last, true
}

// readPairs reads a flat object into texts.
func (n *interner) readPairs(raw []byte) bool {
	s := scanner{b: raw}
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.str()
		if !ok || !s.take(':') || !n.read(name) {
			return false
		}
		if value, ok := s.str(); !ok || !n.read(value) {
			return false
		}
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// A text is a string that is known, or where it is among what is fresh.
type text struct {
	known    string
	from, to int  // in fresh, unless the text is known
	share    bool // it is to be remembered
}

// read reads a raw string into texts.
func (n *interner) read(raw []byte) bool {
	inner := raw[1 : len(raw)-1]
	share := len(inner) <= maxShared && plain(inner)
	if share {
		// Written out, for an index by string(inner) does not allocate, and a call of get would.
		if s, ok := n.kept.young[string(inner)]; ok {
			n.texts = append(n.texts, text{known: string(s)})
			return true
		}
		if s, ok := n.kept.old[string(inner)]; ok {
			n.kept.put(string(s), s)
			n.texts = append(n.texts, text{known: string(s)})
			return true
		}
	}
	return n.readFresh(raw, share)
}

// readFresh reads a raw string that is not known into texts. What is long is kept by itself, lest a short
// string that many alerts share keep it alive.
func (n *interner) readFresh(raw []byte, share bool) bool {
	if len(n.fresh)+len(raw) > maxFresh {
		s, ok := readText(raw)
		n.texts = append(n.texts, text{known: s})
		return ok
	}
	t := text{from: len(n.fresh), share: share}
	var ok bool
	n.fresh, ok = appendText(n.fresh, raw)
	t.to = len(n.fresh)
	n.texts = append(n.texts, t)
	return ok
}

// keep returns the string, and remembers it if it is one to share.
func (n *interner) keep(t *text, fresh string) string {
	if t.to == 0 {
		return t.known
	}
	s := fresh[t.from:t.to]
	if t.share {
		n.kept.put(s, shared(s))
	}
	return s
}

// appendText appends what a raw string means.
func appendText(to, raw []byte) ([]byte, bool) {
	inner := raw[1 : len(raw)-1]
	if plain(inner) {
		return append(to, inner...), true
	}
	if utf8.Valid(inner) {
		if longer, ok := unescape(to, inner); ok {
			return longer, true
		}
	}
	s, ok := readText(raw)
	return append(to, s...), ok
}
