package cache

import (
	"context"
	"strconv"
	"sync"
	"time"
)

// MemoryQueue is a [Queue] in this process. It may be used by several goroutines.
type MemoryQueue struct {
	opts MemoryOptions

	mu      sync.Mutex // guards what is below
	newest  int64      // generation of a lease
	version string
	until   time.Time
	waiting []Task
	taken   map[string]taken // by task ID
	done    map[string][]byte
	receipt int
	wake    chan struct{} // closed when tasks come
}

// A taken task is with a worker.
type taken struct {
	task Task
	at   time.Time
}

var _ Queue = (*MemoryQueue)(nil)

// NewMemoryQueue returns an empty queue.
func NewMemoryQueue(opts MemoryOptions) *MemoryQueue {
	return &MemoryQueue{opts: opts.OrDefaults(), wake: make(chan struct{})}
}

// Begin puts the tasks of a version on the queue.
func (q *MemoryQueue) Begin(_ context.Context, l Lease, version string, tasks []Task) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.Generation < q.newest {
		return ErrNotPublisher
	}
	q.newest = l.Generation
	q.version, q.until = version, time.Now().Add(q.opts.VersionTTL)
	q.waiting = append([]Task(nil), tasks...)
	q.taken, q.done = map[string]taken{}, map[string][]byte{}
	close(q.wake)
	q.wake = make(chan struct{})
	return nil
}

// Results returns the results once all are there.
func (q *MemoryQueue) Results(_ context.Context, version string, want int) (map[string][]byte, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if version != q.version || len(q.done) < want {
		return nil, nil
	}
	results := make(map[string][]byte, len(q.done))
	for id, r := range q.done {
		results[id] = r
	}
	return results, nil
}

// End makes the tasks of a version void.
func (q *MemoryQueue) End(_ context.Context, version string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if version == q.version {
		q.version, q.waiting, q.taken, q.done = "", nil, nil, nil
	}
	return nil
}

// Take returns tasks, and waits for the first.
func (q *MemoryQueue) Take(ctx context.Context, _ string, n int, wait time.Duration) ([]Claim, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		claims, wake, due := q.take(time.Now(), n)
		if len(claims) > 0 {
			return claims, nil
		}
		again := time.NewTimer(due)
		select {
		case <-wake:
		case <-again.C:
		case <-timer.C:
			again.Stop()
			return nil, nil
		case <-ctx.Done():
			again.Stop()
			return nil, ctx.Err()
		}
		again.Stop()
	}
}

// take returns tasks, or who tells of new ones and when one that is taken falls due.
func (q *MemoryQueue) take(now time.Time, n int) (claims []Claim, wake <-chan struct{}, due time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.After(q.until) {
		return nil, q.wake, q.opts.ClaimAfter
	}
	due = q.opts.ClaimAfter
	for id, t := range q.taken { // any of them: each is done once in effect
		switch left := t.at.Add(q.opts.ClaimAfter).Sub(now); {
		case left > 0:
			due = min(due, left)
		case len(claims) < n:
			claims = append(claims, q.claim(t.task))
			q.taken[id] = taken{t.task, now}
		}
	}
	for len(claims) < n && len(q.waiting) > 0 {
		t := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.taken[t.ID] = taken{t, now}
		claims = append(claims, q.claim(t))
	}
	return claims, q.wake, due
}

func (q *MemoryQueue) claim(t Task) Claim {
	q.receipt++
	return Claim{Task: t, Receipt: strconv.Itoa(q.receipt)}
}

// Finish records results.
func (q *MemoryQueue) Finish(_ context.Context, done []Done) (first int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range done {
		if d.Version != q.version || time.Now().After(q.until) {
			continue
		}
		delete(q.taken, d.ID)
		if _, twice := q.done[d.ID]; !twice {
			q.done[d.ID] = d.Result
			first++
		}
	}
	return first, nil
}
