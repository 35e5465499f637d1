package notifytest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// An Outbox keeps intentions in memory, renders them as they were added, and records their outcomes.
type Outbox struct {
	t testing.TB

	mu        sync.Mutex // guards what follows
	lastID    int64
	open      map[int64]alarm.Delivery
	withdrawn map[int64]bool
	outcomes  []alarm.Outcome
	failures  []error
}

var _ notify.Outbox = (*Outbox)(nil)

// NewOutbox returns an Outbox that holds these deliveries.
func NewOutbox(t testing.TB, deliveries ...*alarm.Delivery) *Outbox {
	o := &Outbox{t: t, open: map[int64]alarm.Delivery{}, withdrawn: map[int64]bool{}}
	for _, d := range deliveries {
		o.Add(d)
	}
	return o
}

// Add puts a delivery into the outbox and returns its intention. An ID of 0 is replaced by the next
// one.
func (o *Outbox) Add(d *alarm.Delivery) alarm.Intention {
	o.mu.Lock()
	defer o.mu.Unlock()
	added := *d
	if added.ID == 0 {
		added.ID = o.lastID + 1
	}
	o.lastID = max(o.lastID, added.ID)
	o.open[added.ID] = added
	return added.Intention
}

// Withdraw lets an intention have nothing left to say.
func (o *Outbox) Withdraw(id int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.withdrawn[id] = true
}

// FailNext makes the next n outcomes not be stored.
func (o *Outbox) FailNext(n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for range n {
		o.failures = append(o.failures, err)
	}
}

// Render returns the delivery as it was added, with Now set.
func (o *Outbox) Render(now time.Time, in alarm.Intention) (*alarm.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d, ok := o.open[in.ID]
	if !ok || o.withdrawn[in.ID] {
		return nil, nil
	}
	d.Now = now
	d.Data = slices.Clone(d.Data)
	d.Alerts = slices.Clone(d.Alerts)
	return &d, nil
}

// Done stores an outcome. The test fails if the intention is not open.
func (o *Outbox) Done(ctx context.Context, out alarm.Outcome) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(o.failures) > 0 {
		err := o.failures[0]
		o.failures = o.failures[1:]
		return err
	}
	if _, open := o.open[out.ID]; !open {
		o.t.Errorf("outcome of intention %d, which is not open: %+v", out.ID, out)
		return nil
	}
	delete(o.open, out.ID)
	o.outcomes = append(o.outcomes, out)
	return nil
}

// Open returns the intentions without an outcome, sorted by ID: what an engine offers at its start.
func (o *Outbox) Open() []alarm.Intention {
	o.mu.Lock()
	defer o.mu.Unlock()
	var open []alarm.Intention
	for _, id := range slices.Sorted(maps.Keys(o.open)) {
		open = append(open, o.open[id].Intention)
	}
	return open
}

// Outcomes returns what was stored, in order.
func (o *Outbox) Outcomes() []alarm.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.outcomes)
}
