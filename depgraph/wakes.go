package depgraph

import (
	"cmp"
	"container/heap"
	"time"
)

// wakes is a heap of when something, such as an alert, is to be looked at again. What is to be looked at
// at another time keeps its old place as well, which then means nothing.
type wakes[K cmp.Ordered] struct {
	heap   wakeHeap[K]
	queued map[wake[K]]struct{}
}

type wake[K cmp.Ordered] struct {
	at  int64 // Unix nanoseconds
	key K
}

func (w *wakes[K]) add(key K, at time.Time) {
	if w.queued == nil {
		w.queued = map[wake[K]]struct{}{}
	}
	one := wake[K]{at.UnixNano(), key}
	if _, again := w.queued[one]; !again {
		w.queued[one] = struct{}{}
		heap.Push(&w.heap, one)
	}
}

// due takes out the first whose time has come.
func (w *wakes[K]) due(now time.Time) (key K, at time.Time, ok bool) {
	if len(w.heap) == 0 || w.heap[0].at > now.UnixNano() {
		return key, at, false
	}
	first := heap.Pop(&w.heap).(wake[K])
	delete(w.queued, first)
	return first.key, time.Unix(0, first.at).UTC(), true
}

// next is when the first is due, or zero.
func (w *wakes[K]) next() time.Time {
	if len(w.heap) == 0 {
		return time.Time{}
	}
	return time.Unix(0, w.heap[0].at).UTC()
}

type wakeHeap[K cmp.Ordered] []wake[K]

func (h wakeHeap[K]) Len() int { return len(h) }
func (h wakeHeap[K]) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].key < h[j].key
}
func (h wakeHeap[K]) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *wakeHeap[K]) Push(x any)   { *h = append(*h, x.(wake[K])) }

// Pop takes out the last one.
func (h *wakeHeap[K]) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
