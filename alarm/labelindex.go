package alarm

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
)

const (
	// maxIndexed is how many label names are indexed at a time: a name costs between 10 bytes for each
	// alert, if few values are shared by all, and 100, if each alert has its own.
	maxIndexed = 4

	// indexLife is how long a name stays indexed that nobody asks for.
	indexLife = 15 * time.Minute

	// selective is the part of all alerts that a list may hold, as a divisor, before another name is
	// tried.
	selective = 8
)

// A labelIndex finds the entries that carry a label value. A name is indexed when it is first asked
// for, which costs about as much as looking at every alert once, and followed from then on. What it
// finds may have been forgotten since: whoever asks has to look.
//
// Readers of the engine share it, so it has a lock of its own; the entries themselves are guarded by
// the engine's.
type labelIndex struct {
	mu    sync.Mutex   // guards the field below
	names []*nameIndex // the one that was asked for last comes first
}

// A nameIndex lists the entries by their value of one label.
type nameIndex struct {
	name   model.LabelName
	asked  time.Time
	values map[model.LabelValue]carriers
}

// carriers are the entries that have one label value, in no order, and how many of them are gone.
type carriers struct {
	entries []*entry
	gone    int
}

// carrying returns a list that holds all entries that match ms, others too. It is false if ms wants no
// label to have a certain value: then every entry has to be looked at.
func (x *labelIndex) carrying(now time.Time, ms matcher.Matchers, all map[model.Fingerprint]*entry) ([]*entry, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	best, unknown, found := x.shortest(now, ms)
	if unknown == "" || found && len(best) <= len(all)/selective {
		return best, found
	}
	x.index(unknown, now, all)
	best, _, found = x.shortest(now, ms)
	return best, found
}

// shortest returns the shortest list of the names that are indexed, and a name that is not.
func (x *labelIndex) shortest(now time.Time, ms matcher.Matchers) (best []*entry, unknown model.LabelName, found bool) {
	for _, m := range ms {
		if m.Type != matcher.Equal || m.Value == "" {
			continue
		}
		name := model.LabelName(m.Name)
		n := x.lookUp(name, now)
		if n == nil {
			unknown = name
			continue
		}
		if list := n.values[model.LabelValue(m.Value)].entries; !found || len(list) < len(best) {
			best, found = list, true
		}
	}
	return best, unknown, found
}

// lookUp returns the index of a name, or nil, and notes that it was asked for.
func (x *labelIndex) lookUp(name model.LabelName, now time.Time) *nameIndex {
	i := slices.IndexFunc(x.names, func(n *nameIndex) bool { return n.name == name })
	if i < 0 {
		return nil
	}
	n := x.names[i]
	n.asked = now
	copy(x.names[1:i+1], x.names[:i])
	x.names[0] = n
	return n
}

// index begins to index a name, in the place of the one that was not asked for for the longest time.
func (x *labelIndex) index(name model.LabelName, now time.Time, all map[model.Fingerprint]*entry) {
	n := &nameIndex{name: name, asked: now, values: map[model.LabelValue]carriers{}}
	for _, en := range all { // the order does not show: what is found is sorted by those who ask
		n.add(en)
	}
	if len(x.names) == maxIndexed {
		x.names = x.names[:maxIndexed-1]
	}
	x.names = slices.Insert(x.names, 0, n)
}

// add takes in an entry that is new.
func (x *labelIndex) add(en *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range x.names {
		n.add(en)
	}
}

func (n *nameIndex) add(en *entry) {
	if value := en.alert.Labels[n.name]; value != "" {
		c := n.values[value]
		c.entries = append(c.entries, en)
		n.values[value] = c
	}
}

// remove notes that an entry is gone, which all shows already. Lists are cleaned when half of what they
// hold is gone, so that a removal costs the same however long they are.
func (x *labelIndex) remove(en *entry, all map[model.Fingerprint]*entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range x.names {
		value := en.alert.Labels[n.name]
		c, ok := n.values[value]
		if !ok {
			continue
		}
		if c.gone++; 2*c.gone > len(c.entries) {
			c.gone = 0
			c.entries = slices.DeleteFunc(slices.Clone(c.entries), func(o *entry) bool { return all[o.fingerprint] != o })
		}
		if len(c.entries) == 0 {
			delete(n.values, value)
		} else {
			n.values[value] = c
		}
	}
}

// age drops the names that nobody asked for.
func (x *labelIndex) age(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.names = slices.DeleteFunc(x.names, func(n *nameIndex) bool { return now.Sub(n.asked) > indexLife })
}

// reset forgets everything.
func (x *labelIndex) reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.names = nil
}
