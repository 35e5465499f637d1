package notifytest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// A Receiver records deliveries, fails on demand and blocks on demand.
type Receiver struct {
	mu        sync.Mutex // guards what follows
	attempts  []alarm.Delivery
	accepted  []alarm.Delivery
	failures  []error
	block     chan struct{} // nil: does not block
	inside    map[alarm.IntentionKey]int
	most      int
	mostOfKey int
	onDeliver func(*alarm.Delivery)
}

var _ notify.Receiver = (*Receiver)(nil)

// NewReceiver returns a Receiver that accepts everything. At the end of the test it no longer
// blocks anybody.
func NewReceiver(t testing.TB) *Receiver {
	r := &Receiver{inside: map[alarm.IntentionKey]int{}}
	t.Cleanup(r.release)
	return r
}

// FailNext makes the next n attempts that are not blocked fail with err.
func (r *Receiver) FailNext(n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range n {
		r.failures = append(r.failures, err)
	}
}

// OnDeliver has f called with each delivery before it is accepted. It may replace Data, and panic.
func (r *Receiver) OnDeliver(f func(*alarm.Delivery)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onDeliver = f
}

// Block lets every attempt from now on wait until release is called or its context ends.
func (r *Receiver) Block() (release func()) {
	r.release()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.block = make(chan struct{})
	return r.release
}

func (r *Receiver) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.block != nil {
		close(r.block)
		r.block = nil
	}
}

// Deliver records the attempt, waits while the receiver is blocked, and fails or accepts.
func (r *Receiver) Deliver(ctx context.Context, d *alarm.Delivery) error {
	block := r.enter(d)
	defer r.leave(d.Key)
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	if len(r.failures) > 0 {
		err := r.failures[0]
		r.failures = r.failures[1:]
		r.mu.Unlock()
		return err
	}
	f := r.onDeliver
	r.mu.Unlock()
	if f != nil {
		f(d)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accepted = append(r.accepted, *d)
	return nil
}

func (r *Receiver) enter(d *alarm.Delivery) (block chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts = append(r.attempts, *d)
	r.inside[d.Key]++
	r.mostOfKey = max(r.mostOfKey, r.inside[d.Key])
	r.most = max(r.most, r.insideAll())
	return r.block
}

func (r *Receiver) leave(k alarm.IntentionKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inside[k]--; r.inside[k] == 0 {
		delete(r.inside, k)
	}
}

func (r *Receiver) insideAll() int {
	sum := 0
	for _, n := range r.inside {
		sum += n
	}
	return sum
}

// Attempts returns every delivery that was attempted, in order.
func (r *Receiver) Attempts() []alarm.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.attempts)
}

// Accepted returns the deliveries that were accepted, in order.
func (r *Receiver) Accepted() []alarm.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.accepted)
}

// Most returns how many attempts were under way at once, at most: of all keys, and of any one key.
func (r *Receiver) Most() (all, ofOneKey int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most, r.mostOfKey
}
