package matcher

import (
	"cmp"
	"iter"
	"slices"

	"github.com/prometheus/common/model"
)

// An Index holds many values, each with its Matchers, and finds those that match a label set. The
// time of a search depends on how many values share a label with the label set, not on how many
// there are.
//
// Each value is filed under one of its matchers that only a few label values can satisfy: an
// equality, or a regular expression that says no more than a|b|c. Values without such a matcher,
// and those that would need the label to be absent, are tried at every search.
//
// The zero value is an empty index. Any number of goroutines may search it at once as long as none
// changes it.
type Index[T comparable] struct {
	fields map[model.LabelName]map[model.LabelValue][]item[T]
	rest   []item[T] // those that are filed nowhere
	filed  map[T]place
	seq    uint64
}

// An item is a value where it is filed. The items of a list rise in seq, the order in which the
// values were added.
type item[T any] struct {
	seq   uint64
	tests []test // those that still have to match, the cheap ones first
	value T
}

func (it *item[T]) matches(ls model.LabelSet) bool {
	for i := range it.tests {
		if !it.tests[i].matches(ls) {
			return false
		}
	}
	return true
}

// A place says where a value is filed: under each of the label values, or, if there are none, in
// the rest.
type place struct {
	seq    uint64
	name   model.LabelName
	values []string
}

// Add files a value under its matchers, which must not be modified afterwards. A value that is in
// the index already moves to the end of the order and is found by the new matchers only.
func (x *Index[T]) Add(ms Matchers, value T) {
	x.Remove(value)
	if x.filed == nil {
		x.fields, x.filed = map[model.LabelName]map[model.LabelValue][]item[T]{}, map[T]place{}
	}
	x.seq++
	chosen, values := x.choose(ms)
	remaining := make([]test, 0, len(ms))
	for i, m := range ms {
		if i != chosen {
			remaining = append(remaining, newTest(m))
		}
	}
	slices.SortStableFunc(remaining, func(a, b test) int { return cmp.Compare(a.Type, b.Type) })
	it := item[T]{seq: x.seq, tests: remaining, value: value}

	if chosen < 0 {
		x.rest = append(x.rest, it)
		x.filed[value] = place{seq: x.seq}
		return
	}
	name := model.LabelName(ms[chosen].Name)
	x.filed[value] = place{seq: x.seq, name: name, values: values}
	field := x.fields[name]
	if field == nil {
		field = map[model.LabelValue][]item[T]{}
		x.fields[name] = field
	}
	for _, v := range values {
		field[model.LabelValue(v)] = append(field[model.LabelValue(v)], it)
	}
}

// choose returns the position of the matcher to file under, and the label values that satisfy it:
// the one whose longest list is the shortest. It returns -1 if there is none.
func (x *Index[T]) choose(ms Matchers) (chosen int, values []string) {
	chosen, longest := -1, 0
	for i, m := range ms {
		vs := literals(m)
		if len(vs) == 0 {
			continue
		}
		n := 0
		for _, v := range vs {
			n = max(n, len(x.fields[model.LabelName(m.Name)][model.LabelValue(v)]))
		}
		if chosen < 0 || n < longest || n == longest && len(vs) < len(values) {
			chosen, longest, values = i, n, vs
		}
	}
	return chosen, values
}

// Remove takes a value out and says whether it was there.
func (x *Index[T]) Remove(value T) bool {
	p, ok := x.filed[value]
	if !ok {
		return false
	}
	delete(x.filed, value)
	if len(p.values) == 0 {
		x.rest = without(x.rest, p.seq)
		return true
	}
	field := x.fields[p.name]
	for _, v := range p.values {
		if list := without(field[model.LabelValue(v)], p.seq); len(list) > 0 {
			field[model.LabelValue(v)] = list
		} else {
			delete(field, model.LabelValue(v))
		}
	}
	if len(field) == 0 {
		delete(x.fields, p.name)
	}
	return true
}

func without[T any](list []item[T], seq uint64) []item[T] {
	i, ok := slices.BinarySearchFunc(list, seq, func(it item[T], seq uint64) int { return cmp.Compare(it.seq, seq) })
	if !ok {
		return list
	}
	return slices.Delete(list, i, i+1)
}

// Len returns how many values there are.
func (x *Index[T]) Len() int { return len(x.filed) }

// Matching yields each value whose matchers match the label set, once, in the order in which they
// were added. The index must not be changed meanwhile.
func (x *Index[T]) Matching(ls model.LabelSet) iter.Seq[T] {
	return func(yield func(T) bool) { x.search(ls, yield) }
}

// search merges the lists that the labels lead to. A value is in at most one of them, for it is
// filed under one label name only.
func (x *Index[T]) search(ls model.LabelSet, yield func(T) bool) {
	var few [8][]item[T] // on the stack
	lists := few[:0]
	if len(x.rest) > 0 {
		lists = append(lists, x.rest)
	}
	if len(x.fields) < len(ls) { // the order of the lists does not matter
		for name, field := range x.fields {
			if list := field[ls[name]]; len(list) > 0 {
				lists = append(lists, list)
			}
		}
	} else {
		for name, value := range ls {
			if list := x.fields[name][value]; len(list) > 0 {
				lists = append(lists, list)
			}
		}
	}
	for len(lists) > 0 {
		first := 0
		for i := range lists {
			if lists[i][0].seq < lists[first][0].seq {
				first = i
			}
		}
		it := &lists[first][0]
		if it.matches(ls) && !yield(it.value) {
			return
		}
		if lists[first] = lists[first][1:]; len(lists[first]) == 0 {
			lists[first] = lists[len(lists)-1]
			lists = lists[:len(lists)-1]
		}
	}
}
