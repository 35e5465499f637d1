package notify_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/notifytest"
)

func TestDelivererShutdownGivesGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{Workers: 1})
		release := s.ops.Block()
		s.tell("ops", "a")
		waits := s.tell("ops", "b")
		synctest.Wait()
		s.stop()
		time.Sleep(4 * time.Second)
		release()
		require.NoError(t, <-s.ended)
		assert.Len(t, s.out.Outcomes(), 1, "what was under way was finished and recorded")
		assert.Equal(t, []alarm.Intention{waits}, s.out.Open(), "and nothing else was begun")
	})
}

func TestDelivererShutdownCancelsAfterGrace(t *testing.T) {
	tests := []struct {
		name  string
		grace time.Duration
		takes time.Duration
	}{
		{"default", 0, 5 * time.Second},
		{"none", -1, 0},
		{"longer", time.Minute, time.Minute},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, notify.Options{Grace: test.grace}, func(r notify.Receivers) {
					r["ops"][0].Timeout = notify.UntilDeadline
				})
				s.ops.Block()
				in := s.tell("ops", "a")
				synctest.Wait()
				start := time.Now()
				require.NoError(t, s.end())
				assert.Equal(t, test.takes, time.Since(start))
				assert.Empty(t, s.out.Outcomes())
				assert.Equal(t, []alarm.Intention{in}, s.out.Open(), "it stays in the outbox")
			})
		})
	}
}

func TestDelivererShutdownWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		s := newStage(t, notify.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		s.out.FailNext(1000, alarm.ErrNotStored)
		s.tell("ops", "a")
		synctest.Wait()
		require.NoError(t, s.end())
		assert.Contains(t, logged.String(), "outcome not recorded, the delivery will be repeated")
	})
}

// What an attempt says that was cancelled is no outcome: what became of it at the remote is unknown.
func TestDelivererShutdownMakesNoOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		stuck := receiverFunc(func(ctx context.Context, _ *alarm.Delivery) error {
			<-ctx.Done()
			return fmt.Errorf("%w: %w", notify.ErrRejected, ctx.Err())
		})
		s := newStage(t, notify.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))}, func(r notify.Receivers) {
			r["ops"][0].Receiver = stuck
		})
		in := s.tell("ops", "a")
		synctest.Wait()
		require.NoError(t, s.end())
		assert.Equal(t, []alarm.Intention{in}, s.out.Open())
		assert.Empty(t, logged.String())
	})
}

func TestDelivererEndsWithItsOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{}, func(r notify.Receivers) {
			r["ops"][0].Limit = .001 // the second waits for the bucket
		})
		s.out.FailNext(1, fmt.Errorf("submit: %w", alarm.ErrStopped))
		start := time.Now()
		s.Offer([]alarm.Intention{
			s.out.Add(notifytest.Delivery(start, "ops", "log[0]", "a", alarm.Add)),
			s.out.Add(notifytest.Delivery(start, "ops", "log[0]", "b", alarm.Add)),
		})
		assert.EqualError(t, <-s.ended, "record outcome: submit: engine stopped")
		assert.Equal(t, start, time.Now())
		s.stop()
	})
}

func TestDelivererRunWithADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ops := notifytest.NewReceiver(t)
		out := notifytest.NewOutbox(t,
			notifytest.Delivery(time.Now(), "ops", "log[0]", "a", alarm.Add),
			notifytest.Delivery(time.Now(), "ops", "log[0]", "b", alarm.Add))
		d, err := notify.New(out, only(notify.Integration{Name: "log[0]", Receiver: ops, Limit: .001}), notify.Options{})
		require.NoError(t, err)
		d.Offer(out.Open())
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, d.Run(ctx))
		assert.Equal(t, time.Minute, time.Since(start))
		assert.Len(t, ops.Attempts(), 1)
	})
}
