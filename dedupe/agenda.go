package dedupe

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// An agenda says when somebody has to be looked at next. Each has one appointment at most.
type agenda[K cmp.Ordered] struct {
	queue appointments[K]
	at    map[K]time.Time // those that count; others in the queue are over
}

type appointment[K cmp.Ordered] struct {
	at  time.Time
	key K
}

type appointments[K cmp.Ordered] []appointment[K]

func (q appointments[K]) Len() int      { return len(q) }
func (q appointments[K]) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q appointments[K]) Less(i, j int) bool {
	if c := q[i].at.Compare(q[j].at); c != 0 {
		return c < 0
	}
	return q[i].key < q[j].key
}
func (q *appointments[K]) Push(x any) { *q = append(*q, x.(appointment[K])) }
func (q *appointments[K]) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

// set replaces the appointment of key; the zero time cancels it.
func (a *agenda[K]) set(key K, at time.Time) {
	old, ok := a.at[key]
	switch {
	case at.IsZero():
		delete(a.at, key)
		return
	case ok && old.Equal(at):
		return
	case a.at == nil:
		a.at = map[K]time.Time{}
	}
	a.at[key] = at
	heap.Push(&a.queue, appointment[K]{at, key})
	if len(a.queue) > 64 && len(a.queue) > 4*len(a.at) { // nearly all are over
		a.queue = a.queue[:0]
		for key, at := range a.at { // the order does not show: a heap sorts
			a.queue = append(a.queue, appointment[K]{at, key})
		}
		heap.Init(&a.queue)
	}
}

// first is the earliest appointment, if there is one.
func (a *agenda[K]) first() (appointment[K], bool) {
	for len(a.queue) > 0 {
		if at, ok := a.at[a.queue[0].key]; ok && at.Equal(a.queue[0].at) {
			return a.queue[0], true
		}
		heap.Pop(&a.queue)
	}
	return appointment[K]{}, false
}

// next is when the earliest appointment is, or zero.
func (a *agenda[K]) next() time.Time {
	first, _ := a.first()
	return first.at
}

// due cancels the appointments that have come, and returns whose they were, sorted.
func (a *agenda[K]) due(now time.Time) []K {
	var keys []K
	for first, ok := a.first(); ok && !first.at.After(now); first, ok = a.first() {
		delete(a.at, first.key)
		heap.Pop(&a.queue)
		keys = append(keys, first.key)
	}
	slices.Sort(keys)
	return keys
}
