package alarm_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/dedupe"
)

// A pulse finds out that the store fails, and, with nothing else to be written, that it works again.
func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := alarmtest.NewStore()
		e, err := alarm.NewEngine(alarm.EngineOptions{Store: store, Build: func(now time.Time, s *alarm.Stored) (alarm.Parts, error) {
			presence, err := dedupe.NewPresence(now, s, dedupe.Options{})
			if err != nil {
				return alarm.Parts{}, err
			}
			tree, err := route.New(route.Route{Receiver: "ops"}, nil)
			return alarm.Parts{Presence: presence, Router: tree, Receivers: []alarm.ReceiverSpec{{Name: "ops"}}}, err
		}})
		require.NoError(t, err)
		require.Error(t, e.Pulse(t.Context()), "it does not run yet")
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, e.Run(ctx)) })
		<-e.Ready()
		require.NoError(t, e.Pulse(t.Context()))

		from, _ := e.Outage()
		require.Zero(t, from)
		began := time.Now()

		full := errors.New("disk full")
		store.Fail(full)
		require.ErrorIs(t, e.Pulse(t.Context()), full)
		require.ErrorIs(t, e.Pulse(t.Context()), full)
		from, to := e.Outage()
		assert.True(t, from.Equal(began), "%s", from)
		assert.Zero(t, to)
		store.Fail(nil)
		time.Sleep(15 * time.Second)
		require.NoError(t, e.Pulse(t.Context()))
		require.NoError(t, e.Trouble())
		from, to = e.Outage()
		assert.Equal(t, time.Second, to.Sub(from), "the engine tries again by itself")
		stop()
		wg.Wait()
		require.ErrorIs(t, e.Pulse(t.Context()), alarm.ErrStopped)
	})
}
