package depgraph

import (
	"container/heap"
	"time"

	"github.com/prometheus/common/model"
)

// wakes is a heap of when alerts are to be judged again. One that is to be judged at another time keeps
// its old place as well, which then means nothing.
type wakes struct {
	heap   wakeHeap
	queued map[wake]struct{}
}

type wake struct {
	at          int64 // Unix nanoseconds
	fingerprint model.Fingerprint
}

func (w *wakes) add(fp model.Fingerprint, at time.Time) {
	if w.queued == nil {
		w.queued = map[wake]struct{}{}
	}
	one := wake{at.UnixNano(), fp}
	if _, again := w.queued[one]; !again {
		w.queued[one] = struct{}{}
		heap.Push(&w.heap, one)
	}
}

// due takes out the first whose time has come.
func (w *wakes) due(now time.Time) (model.Fingerprint, time.Time, bool) {
	if len(w.heap) == 0 || w.heap[0].at > now.UnixNano() {
		return 0, time.Time{}, false
	}
	first := heap.Pop(&w.heap).(wake)
	delete(w.queued, first)
	return first.fingerprint, time.Unix(0, first.at).UTC(), true
}

// next is when the first is due, or zero.
func (w *wakes) next() time.Time {
	if len(w.heap) == 0 {
		return time.Time{}
	}
	return time.Unix(0, w.heap[0].at).UTC()
}

type wakeHeap []wake

func (h wakeHeap) Len() int { return len(h) }
func (h wakeHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].fingerprint < h[j].fingerprint
}
func (h wakeHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *wakeHeap) Push(x any)   { *h = append(*h, x.(wake)) }

// Pop takes out the last one.
func (h *wakeHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
