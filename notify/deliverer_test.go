package notify_test

import (
	"bytes"
	"context"
	"errors"
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

// A stage is a Deliverer that runs inside a bubble, with one receiver "ops", and what is around it.
type stage struct {
	*notify.Deliverer
	out   *notifytest.Outbox
	ops   *notifytest.Receiver
	stop  func()
	ended chan error
}

func only(in notify.Integration) notify.Receivers { return notify.Receivers{"ops": {in}} }

func newStage(t *testing.T, opts notify.Options, more ...func(notify.Receivers)) *stage {
	t.Helper()
	s := &stage{out: notifytest.NewOutbox(t), ops: notifytest.NewReceiver(t), ended: make(chan error, 1)}
	receivers := only(notify.Integration{Name: "log[0]", Receiver: s.ops})
	for _, change := range more {
		change(receivers)
	}
	var err error
	s.Deliverer, err = notify.New(s.out, receivers, opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = cancel
	go func() { s.ended <- s.Run(ctx) }()
	return s
}

// tell adds a delivery to the outbox and offers it.
func (s *stage) tell(receiver, group string) alarm.Intention {
	in := s.out.Add(notifytest.Delivery(time.Now(), receiver, "log[0]", group, alarm.Add))
	s.Offer([]alarm.Intention{in})
	return in
}

// end stops the deliverer and returns what Run returned.
func (s *stage) end() error {
	s.stop()
	return <-s.ended
}

func TestDelivererTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{})
		s.ops.OnDeliver(func(d *alarm.Delivery) { d.Data = []byte("thread 7") })
		start := time.Now()
		in := s.tell("ops", "a")
		synctest.Wait()

		sample := notifytest.Delivery(start, "ops", "log[0]", "a", alarm.Add)
		assert.Equal(t, []alarm.Outcome{{
			ID: in.ID, Key: in.Key, At: start, Attempts: 1,
			Told: sample.Told, Data: []byte("thread 7"), Oldest: start.Add(-time.Minute),
		}}, s.out.Outcomes())
		assert.NoError(t, s.end())
	})
}

func TestDelivererTakesWhatWasOfferedBeforeItRan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ops := notifytest.NewReceiver(t)
		out := notifytest.NewOutbox(t,
			notifytest.Delivery(time.Now(), "ops", "log[0]", "a", alarm.Add),
			notifytest.Delivery(time.Now(), "ops", "log[0]", "b", alarm.Add))
		d, err := notify.New(out, only(notify.Integration{Name: "log[0]", Receiver: ops}), notify.Options{})
		require.NoError(t, err)
		d.Offer(out.Open())
		d.Offer(out.Open()) // again, as after a commit that failed
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.NoError(t, d.Run(ctx))
		assert.Len(t, ops.Accepted(), 2)
		assert.Len(t, out.Outcomes(), 2)

		d.Offer([]alarm.Intention{{ID: 3}}) // after the end: ignored
	})
}

func TestDelivererBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{})
		away := errors.New("503")
		s.ops.FailNext(4, away)
		s.tell("ops", "a")
		time.Sleep(time.Minute)
		synctest.Wait()

		attempts := s.ops.Attempts()
		require.Len(t, attempts, 5)
		interval := 500 * time.Millisecond
		for i := 1; i < len(attempts); i++ {
			waited := attempts[i].Now.Sub(attempts[i-1].Now)
			assert.InDelta(t, interval, waited, float64(interval)/2+1, "wait %d", i)
			interval = interval * 3 / 2
		}
		require.Len(t, s.out.Outcomes(), 1)
		assert.NoError(t, s.out.Outcomes()[0].Err)
		assert.Equal(t, 5, s.out.Outcomes()[0].Attempts)
		assert.NoError(t, s.end())
	})
}

func TestDelivererRendersEachAttemptAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{})
		s.ops.FailNext(1, errors.New("503"))
		in := s.tell("ops", "a")
		synctest.Wait()
		s.out.Withdraw(in.ID) // the alert resolved before anybody was told
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []alarm.Outcome{{
			ID: in.ID, Key: in.Key, At: s.out.Outcomes()[0].At, Unsent: true, Attempts: 1,
		}}, s.out.Outcomes())
		assert.NoError(t, s.end())
	})
}

func TestDelivererGivesUp(t *testing.T) {
	away := errors.New("503")
	tests := []struct {
		name     string
		err      error
		is       error
		attempts int
	}{
		{"rejected", fmt.Errorf("%w: no such channel", notify.ErrRejected), notify.ErrRejected, 1},
		{"throttled beyond the deadline", &notify.ThrottledError{After: time.Hour, Err: away}, away, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, notify.Options{})
				s.ops.FailNext(1, test.err)
				in := s.tell("ops", "a")
				synctest.Wait()
				require.Len(t, s.out.Outcomes(), 1)
				o := s.out.Outcomes()[0]
				require.ErrorIs(t, o.Err, test.is)
				o.Err = nil
				assert.Equal(t, alarm.Outcome{ID: in.ID, Key: in.Key, At: time.Now(), Attempts: test.attempts}, o)
				assert.NoError(t, s.end())
			})
		})
	}
}

func TestDelivererGivesUpAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{})
		away := errors.New("503")
		s.ops.FailNext(1000, away)
		in := s.tell("ops", "a")
		time.Sleep(6 * time.Minute)
		synctest.Wait()

		require.Len(t, s.out.Outcomes(), 1)
		o := s.out.Outcomes()[0]
		require.ErrorIs(t, o.Err, away)
		assert.WithinRange(t, o.At, in.Deadline.Add(-90*time.Second), in.Deadline)
		assert.Len(t, s.ops.Attempts(), o.Attempts)
		assert.NoError(t, s.end())
	})
}

// A deadline that passed before the first attempt, as after a restart, does not keep it from being
// told: it was never said.
func TestDelivererAttemptsAtLeastOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{})
		late := notifytest.Delivery(time.Now().Add(-time.Hour), "ops", "log[0]", "a", alarm.Add)
		release := s.ops.Block()
		s.Offer([]alarm.Intention{s.out.Add(late)})
		time.Sleep(9 * time.Second)
		release()
		synctest.Wait()
		require.Len(t, s.out.Outcomes(), 1)
		assert.NoError(t, s.out.Outcomes()[0].Err)
		assert.NoError(t, s.end())
	})
}

func TestDelivererBoundsAnAttempt(t *testing.T) {
	tests := []struct {
		name             string
		timeout, options time.Duration
		late             bool
		attempt          time.Duration
	}{
		{"by default", 0, 0, false, 30 * time.Second},
		{"by the options", 0, time.Minute, false, time.Minute},
		{"by the integration", time.Second, time.Minute, false, time.Second},
		{"by the deadline alone", notify.UntilDeadline, 0, false, 5 * time.Minute},
		{"after the deadline", 0, 0, true, 10 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var took time.Duration
				stuck := receiverFunc(func(ctx context.Context, d *alarm.Delivery) error {
					<-ctx.Done()
					took = time.Since(d.Now)
					return fmt.Errorf("%w: %w", notify.ErrRejected, ctx.Err())
				})
				s := newStage(t, notify.Options{Timeout: test.options}, func(r notify.Receivers) {
					r["ops"][0].Receiver, r["ops"][0].Timeout = stuck, test.timeout
				})
				d := notifytest.Delivery(time.Now(), "ops", "log[0]", "a", alarm.Add)
				if test.late {
					d.Deadline = time.Now()
				}
				s.Offer([]alarm.Intention{s.out.Add(d)})
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				assert.Equal(t, test.attempt, took)
				require.Len(t, s.out.Outcomes(), 1)
				require.ErrorIs(t, s.out.Outcomes()[0].Err, context.DeadlineExceeded)
				assert.NoError(t, s.end())
			})
		})
	}
}

type receiverFunc func(context.Context, *alarm.Delivery) error

func (f receiverFunc) Deliver(ctx context.Context, d *alarm.Delivery) error { return f(ctx, d) }

func TestDelivererThrottlingHoldsBackTheIntegration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := notifytest.NewReceiver(t)
		s := newStage(t, notify.Options{Workers: 1}, func(r notify.Receivers) {
			r["db"] = []notify.Integration{{Name: "log[0]", Receiver: db}}
		})
		start := time.Now()
		s.ops.FailNext(1, &notify.ThrottledError{After: 30 * time.Second, Err: errors.New("429")})
		s.tell("ops", "a")
		s.tell("ops", "b")
		s.tell("db", "a")
		time.Sleep(29 * time.Second)
		synctest.Wait()
		assert.Len(t, s.ops.Attempts(), 1, "b must not ask a remote that wants to be left alone")
		assert.Len(t, db.Accepted(), 1, "another receiver has nothing to do with it")

		time.Sleep(time.Minute)
		synctest.Wait()
		var at []time.Duration
		for _, d := range s.ops.Accepted() {
			at = append(at, d.Now.Sub(start))
		}
		assert.Equal(t, []time.Duration{30 * time.Second, 30 * time.Second}, at)
		assert.NoError(t, s.end())
	})
}

func TestDelivererSlowReceiverDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := notifytest.NewReceiver(t)
		s := newStage(t, notify.Options{Workers: 4}, func(r notify.Receivers) {
			r["db"] = []notify.Integration{{Name: "log[0]", Receiver: db}}
		})
		release := s.ops.Block()
		for i := range 100 {
			s.tell("ops", fmt.Sprint(i))
			s.tell("db", fmt.Sprint(i))
		}
		synctest.Wait()
		assert.Len(t, db.Accepted(), 100)
		assert.Empty(t, s.ops.Accepted())
		most, _ := s.ops.Most()
		assert.Equal(t, 4, most)

		release()
		synctest.Wait()
		assert.Len(t, s.ops.Accepted(), 100)
		assert.NoError(t, s.end())
	})
}

func TestDelivererLimitsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{}, func(r notify.Receivers) {
			r["ops"][0].Limit, r["ops"][0].Burst = 10, 5
		})
		for i := range 25 {
			s.tell("ops", fmt.Sprint(i))
		}
		synctest.Wait()
		assert.Len(t, s.ops.Accepted(), 5)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Len(t, s.ops.Accepted(), 15)
		assert.NoError(t, s.end(), "those that wait for the bucket do not hold up the end")
		assert.Len(t, s.out.Open(), 10)
	})
}

func TestDelivererOneAtATimeOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{})
		s.ops.FailNext(2, errors.New("503"))
		var want []int64
		for range 20 {
			want = append(want, s.tell("ops", "a").ID)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		var got []int64
		for _, d := range s.ops.Accepted() {
			got = append(got, d.ID)
		}
		assert.Equal(t, want, got)
		_, ofOneKey := s.ops.Most()
		assert.Equal(t, 1, ofOneKey)
		assert.NoError(t, s.end())
	})
}

// The remote has been told: what it was told must not be lost, nor told again.
func TestDelivererKeepsTheOutcomeWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{})
		s.out.FailNext(6, alarm.ErrNotStored)
		first := s.tell("ops", "a")
		s.tell("ops", "a")
		synctest.Wait()
		assert.Len(t, s.ops.Accepted(), 1, "the second of the key waits for the first to be recorded")
		assert.Empty(t, s.out.Outcomes())
		s.Offer([]alarm.Intention{first}) // the engine was built anew from the store, which still has it

		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Len(t, s.ops.Accepted(), 2)
		require.Len(t, s.out.Outcomes(), 2)
		assert.Equal(t, first.ID, s.out.Outcomes()[0].ID)
		assert.NotEmpty(t, s.out.Outcomes()[0].Told)
		assert.NoError(t, s.end())
	})
}

func TestDelivererReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{Workers: 1}, func(r notify.Receivers) {
			r["gone"] = []notify.Integration{{Name: "log[0]", Receiver: r["ops"][0].Receiver}}
		})
		release := s.ops.Block()
		s.tell("ops", "a")
		s.tell("ops", "b")
		s.tell("gone", "a")
		gone := s.tell("gone", "b")
		synctest.Wait()

		late := notifytest.NewReceiver(t)
		require.NoError(t, s.Replace(only(notify.Integration{Name: "log[0]", Receiver: late})))
		release()
		synctest.Wait()

		assert.Len(t, s.ops.Accepted(), 2, "under way: they finish with the old one")
		require.Len(t, late.Accepted(), 1)
		assert.Equal(t, "b", late.Accepted()[0].Key.Group)
		require.Len(t, s.out.Outcomes(), 4)
		for _, o := range s.out.Outcomes() {
			if o.ID != gone.ID {
				assert.NoError(t, o.Err)
				continue
			}
			require.ErrorIs(t, o.Err, notify.ErrNoReceiver)
			assert.EqualError(t, o.Err, `no such receiver: the configuration has no receiver "gone"`)
		}
		assert.NoError(t, s.end())
	})
}

func TestDelivererRefusesBadReceivers(t *testing.T) {
	bad := notify.Receivers{
		"b": {{Name: "log[0]"}},
		"a": {{Name: ""}, {Name: "x[0]", Receiver: notify.NewLog(nil, slog.LevelInfo)}, {Name: "x[0]", Receiver: notify.NewLog(nil, slog.LevelInfo)}},
		"c": {{Name: "x[0]", Receiver: notify.NewLog(nil, slog.LevelInfo), Limit: -1}},
	}
	const want = `receiver "a": integration 0 has no name
receiver "a": integration "x[0]" occurs twice
receiver "b": integration "log[0]" has no Receiver
receiver "c": integration "x[0]" has a negative bound`
	out := notifytest.NewOutbox(t)
	_, err := notify.New(out, bad, notify.Options{})
	require.EqualError(t, err, want)
	d, err := notify.New(out, nil, notify.Options{})
	require.NoError(t, err)
	assert.EqualError(t, d.Replace(bad), want)
	_, err = notify.New(out, nil, notify.Options{Workers: -1})
	assert.EqualError(t, err, "options: workers and timeouts must not be negative")
}

func TestDelivererSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		s := newStage(t, notify.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		s.ops.OnDeliver(func(d *alarm.Delivery) {
			if d.Key.Group == "bad" {
				panic("index out of range")
			}
		})
		bad := s.tell("ops", "bad")
		s.tell("ops", "good")
		synctest.Wait()
		require.Len(t, s.out.Outcomes(), 2)
		for _, o := range s.out.Outcomes() {
			if o.ID == bad.ID {
				require.ErrorIs(t, o.Err, notify.ErrRejected)
				assert.EqualError(t, o.Err, "rejected by receiver: panic: index out of range")
			} else {
				assert.NoError(t, o.Err)
			}
		}
		assert.Contains(t, logged.String(), "receiver panicked")
		assert.Contains(t, logged.String(), "deliverer_test.go", "the stack leads to the receiver")
		assert.NoError(t, s.end())
	})
}

// The outbox says what waits longest, and when an attempt last ended, however it ended.
func TestDelivererProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := newStage(t, notify.Options{})
		waiting, ended := s.Progress()
		assert.True(t, waiting.IsZero() && ended.IsZero(), "nothing waits")
		s.ops.FailNext(1, errors.New("503"))
		s.Offer([]alarm.Intention{s.out.Add(&alarm.Delivery{Intention: alarm.Intention{
			Key: alarm.IntentionKey{Receiver: "ops", Integration: "log[0]", Group: "g"}, At: began, Deadline: began.Add(time.Hour),
		}})})
		synctest.Wait()
		waiting, ended = s.Progress()
		assert.Equal(t, began, waiting)
		assert.Equal(t, began, ended, "the attempt failed, and has ended")
		assert.Equal(t, []notify.Depth{{Receiver: "ops", Open: 1}}, s.Depths())
		time.Sleep(time.Minute)
		waiting, ended = s.Progress()
		assert.True(t, waiting.IsZero())
		assert.True(t, ended.After(began))
		s.stop()
	})
}
