package dedupe

import (
	"math"
	"time"
)

// deadlines is a heap of when alerts end. An alert whose end moves to a later time, as that of each
// alert does that is sent again, keeps its place: it is looked at again when that place comes up.
type deadlines struct{ heap []deadline }

type deadline struct {
	at int64 // Unix nanoseconds
	e  *entry
}

// farthest bounds how long a place is kept that may not be needed any more.
const farthest = time.Hour

// push makes sure that e comes up when it is due, or before.
func (d *deadlines) push(now time.Time, e *entry, due int64) {
	e.due = due
	at := min(due, nanos(now.Add(farthest)))
	if e.queued != 0 && e.queued <= at {
		return
	}
	e.queued = at
	d.heap = append(d.heap, deadline{at, e})
	for i := len(d.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if d.heap[parent].at <= d.heap[i].at {
			break
		}
		d.heap[parent], d.heap[i] = d.heap[i], d.heap[parent]
		i = parent
	}
}

// pop takes out the entry whose place is the first.
func (d *deadlines) pop() *entry {
	first, last := d.heap[0], len(d.heap)-1
	d.heap[0], d.heap[last] = d.heap[last], deadline{}
	d.heap = d.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if d.heap[child].at < d.heap[least].at {
				least = child
			}
		}
		if least == i {
			break
		}
		d.heap[i], d.heap[least] = d.heap[least], d.heap[i]
		i = least
	}
	if first.e.queued == first.at {
		first.e.queued = 0
	}
	return first.e
}

// reached says whether the first place is at or before now.
func (d *deadlines) reached(now time.Time) bool {
	return len(d.heap) > 0 && d.heap[0].at <= nanos(now)
}

// first is the time of the first place, or zero.
func (d *deadlines) first() time.Time {
	if len(d.heap) == 0 {
		return time.Time{}
	}
	return time.Unix(0, d.heap[0].at).UTC()
}

// nanos is t in Unix nanoseconds, or the last or first instant that can be told so.
func nanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	case s <= math.MinInt64/int64(time.Second):
		return math.MinInt64 + 1
	default:
		return t.UnixNano()
	}
}
