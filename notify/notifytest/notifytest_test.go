package notifytest_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/notifytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReceiverMeetsTheContract(t *testing.T) {
	notifytest.ExerciseReceiver(t, notifytest.NewReceiver(t))
}

func TestLogMeetsTheContract(t *testing.T) {
	notifytest.ExerciseReceiver(t, notify.NewLog(slog.New(slog.DiscardHandler), slog.LevelInfo))
}

func TestReceiverFailsOnDemand(t *testing.T) {
	r := notifytest.NewReceiver(t)
	away := errors.New("away")
	r.FailNext(2, away)
	d := notifytest.Delivery(time.Now(), "ops", "log[0]", "g", alarm.Add)

	require.ErrorIs(t, r.Deliver(t.Context(), d), away)
	require.ErrorIs(t, r.Deliver(t.Context(), d), away)
	require.NoError(t, r.Deliver(t.Context(), d))
	assert.Equal(t, []alarm.Delivery{*d, *d, *d}, r.Attempts())
	assert.Equal(t, []alarm.Delivery{*d}, r.Accepted())
}

func TestReceiverBlocksOnDemand(t *testing.T) {
	r := notifytest.NewReceiver(t)
	release := r.Block()
	d := notifytest.Delivery(time.Now(), "ops", "log[0]", "g", alarm.Add)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Deliver(ctx, d), context.Canceled)

	done := make(chan error)
	go func() { done <- r.Deliver(t.Context(), d) }()
	release()
	require.NoError(t, <-done)
	all, ofOneKey := r.Most()
	assert.Equal(t, []int{1, 1}, []int{all, ofOneKey})
}

func TestOutbox(t *testing.T) {
	at := time.Now()
	o := notifytest.NewOutbox(t, notifytest.Delivery(at, "ops", "log[0]", "a", alarm.Add))
	second := o.Add(notifytest.Delivery(at, "ops", "log[0]", "b", alarm.Add))
	assert.Equal(t, int64(2), second.ID)

	d, err := o.Render(at.Add(time.Second), second)
	require.NoError(t, err)
	require.NotNil(t, d)
	assert.Equal(t, at.Add(time.Second), d.Now)
	o.Withdraw(2)
	d, err = o.Render(at, second)
	require.NoError(t, err)
	assert.Nil(t, d)

	away := errors.New("away")
	o.FailNext(1, away)
	out := alarm.Outcome{ID: 2, Key: second.Key, Unsent: true}
	require.ErrorIs(t, o.Done(t.Context(), out), away)
	require.NoError(t, o.Done(t.Context(), out))
	assert.Equal(t, []alarm.Outcome{out}, o.Outcomes())
	require.Len(t, o.Open(), 1)
	assert.Equal(t, "a", o.Open()[0].Key.Group)
}

// A test of one's own receiver calls ExerciseReceiver, and then says what is special about it.
func ExampleExerciseReceiver() {
	test := func(t *testing.T) {
		notifytest.ExerciseReceiver(t, notify.NewLog(slog.New(slog.DiscardHandler), slog.LevelInfo))
	}
	_ = test // func TestLog(t *testing.T)
}
