package notify_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// renders is an outbox that takes its time to render, as a process does that is paused meanwhile.
type renders struct {
	pause time.Duration
	done  atomic.Int64
}

func (o *renders) Render(_ time.Time, in alarm.Intention) (*alarm.Delivery, error) {
	time.Sleep(o.pause)
	return &alarm.Delivery{Intention: in}, nil
}

func (o *renders) Done(context.Context, alarm.Outcome) error {
	o.done.Add(1)
	return nil
}

type counter struct{ n atomic.Int64 }

func (c *counter) Deliver(context.Context, *alarm.Delivery) error {
	c.n.Add(1)
	return nil
}

// TestNothingIsDeliveredAfterTheLease has the lease end before an intention is offered, and between
// rendering and delivering, and be renewed.
func TestNothingIsDeliveredAfterTheLease(t *testing.T) {
	for name, pause := range map[string]time.Duration{"before": 0, "between": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var until atomic.Pointer[time.Time]
				renew := func(d time.Duration) {
					end := time.Now().Add(d)
					until.Store(&end)
				}
				renew(time.Second)
				out, remote := &renders{pause: pause}, &counter{}
				d, err := notify.New(out, notify.Receivers{"team": {{Name: "webhook[0]", Receiver: remote}}},
					notify.Options{Until: func() time.Time { return *until.Load() }})
				require.NoError(t, err)
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- d.Run(ctx) }()

				if pause == 0 {
					time.Sleep(time.Second)
				}
				key := alarm.IntentionKey{Receiver: "team", Integration: "webhook[0]", Group: "g"}
				d.Offer([]alarm.Intention{{ID: 1, Key: key, Deadline: time.Now().Add(time.Hour)}})
				time.Sleep(time.Minute)
				assert.Zero(t, remote.n.Load(), "delivered after the lease had ended")
				assert.Zero(t, out.done.Load())

				renew(time.Hour)
				time.Sleep(10 * time.Second)
				assert.EqualValues(t, 1, remote.n.Load(), "delivered once it is renewed")
				assert.EqualValues(t, 1, out.done.Load())
				stop()
				require.NoError(t, <-ended)
			})
		})
	}
}

// unknowing is an outbox that cannot say for a while what is to be told, or never again.
type unknowing struct {
	renders
	until time.Time
	why   error
}

func (o *unknowing) Render(now time.Time, in alarm.Intention) (*alarm.Delivery, error) {
	if now.Before(o.until) {
		return nil, o.why
	}
	return o.renders.Render(now, in)
}

// TestNothingIsDeliveredThatIsNotKnown has the outbox know for a minute nothing of what is to be told.
func TestNothingIsDeliveredThatIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, remote := &unknowing{until: time.Now().Add(time.Minute), why: alarm.ErrNotStored}, &counter{}
		d, err := notify.New(out, notify.Receivers{"team": {{Name: "webhook[0]", Receiver: remote}}}, notify.Options{})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		key := alarm.IntentionKey{Receiver: "team", Integration: "webhook[0]", Group: "g"}
		d.Offer([]alarm.Intention{{ID: 1, Key: key, Deadline: time.Now().Add(10 * time.Second)}})
		time.Sleep(time.Minute - time.Millisecond)
		assert.Zero(t, remote.n.Load())
		assert.Zero(t, out.done.Load(), "it is not given up")
		time.Sleep(2 * time.Second)
		assert.Equal(t, int64(1), remote.n.Load())
		assert.Equal(t, int64(1), out.done.Load())
		stop()
		require.NoError(t, <-ended)
	})
}

// TestRunEndsWithItsOutbox has the outbox end before anything is rendered.
func TestRunEndsWithItsOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, remote := &unknowing{until: time.Now().Add(time.Hour), why: alarm.ErrStopped}, &counter{}
		d, err := notify.New(out, notify.Receivers{"team": {{Name: "webhook[0]", Receiver: remote}}}, notify.Options{})
		require.NoError(t, err)
		key := alarm.IntentionKey{Receiver: "team", Integration: "webhook[0]", Group: "g"}
		d.Offer([]alarm.Intention{{ID: 1, Key: key, Deadline: time.Now().Add(time.Hour)}})
		require.ErrorIs(t, d.Run(t.Context()), alarm.ErrStopped)
		assert.Zero(t, remote.n.Load())
	})
}
