package apiv2

import (
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// maxShapes is how many shapes are remembered: those of labels and annotations of a few kinds of
// alerts.
const maxShapes = 8

// A shaper appends label sets as objects with sorted names. Most sets have the same names as one that
// came shortly before: then their values are looked up in the order of the names, which takes a third
// of the time that it takes to range over the set and to sort. The zero value is ready. It must not be
// used by two goroutines at once.
type shaper struct {
	shapes [maxShapes]shape // the newest are at the end
	n      int
}

// ahead is how many alerts are warmed at a time.
const ahead = 16

// warm looks at a little of each alert of a few that come next. They lie scattered in memory: asked for
// in one breath, they arrive together, while to wait for one after the other would take as long as all
// that is done with them. What it returns means nothing; it must be kept, so that it is not left out.
func warm(readings []alarm.Reading) int {
	n := 0
	for i := range readings {
		a := readings[i].Alert
		n += len(a.Labels) + len(a.Annotations)
		if a.GeneratorURL != "" {
			n += int(a.GeneratorURL[0])
		}
	}
	for i := range readings {
		a := readings[i].Alert
		n += len(a.Labels["instance"]) + len(a.Annotations["summary"])
	}
	return n
}

// A shape is a set of names.
type shape struct {
	names []model.LabelName // sorted
	keys  []string          // the same, encoded, with all that stands before the value
}

// append appends a label set, escaped for HTML.
func (sh *shaper) append(b []byte, ls model.LabelSet) []byte {
	for i := sh.n - 1; i >= 0; i-- {
		if len(sh.shapes[i].names) != len(ls) {
			continue
		}
		if longer, ok := sh.shapes[i].append(b, ls); ok {
			return longer
		}
	}
	sh.learn(ls)
	return appendLabels(b, ls, forHTML)
}

// append is false if the set has other names.
func (s *shape) append(b []byte, ls model.LabelSet) ([]byte, bool) {
	for i, name := range s.names {
		value, ok := ls[name]
		if !ok {
			return b, false
		}
		b = append(b, s.keys[i]...)
		b = appendString(b, string(value), forHTML)
	}
	return append(b, '}'), true
}

// learn remembers the names of a set, in place of the oldest.
func (sh *shaper) learn(ls model.LabelSet) {
	if len(ls) == 0 || len(ls) > 64 {
		return
	}
	if sh.n == maxShapes {
		copy(sh.shapes[:], sh.shapes[1:])
		sh.n--
	}
	fresh := shape{names: make([]model.LabelName, 0, len(ls)), keys: make([]string, 0, len(ls))}
	before := byte('{')
	for _, p := range sortedPairs(nil, ls) {
		key := appendString([]byte{before}, p.name, forHTML)
		fresh.names = append(fresh.names, model.LabelName(p.name))
		fresh.keys = append(fresh.keys, string(append(key, ':')))
		before = ','
	}
	sh.shapes[sh.n] = fresh
	sh.n++
}
