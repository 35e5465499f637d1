package notify_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/notify"
)

func TestDelivererKnowsItsLastAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, notify.Options{})
		assert.Empty(t, s.Attempts())
		start := time.Now()
		s.ops.FailNext(1, errors.New("503"))
		s.tell("ops", "a")
		synctest.Wait()
		assert.Equal(t, []notify.LastAttempts{{Receiver: "ops", Integration: "log[0]", Failed: start, Err: "503"}}, s.Attempts())
		time.Sleep(time.Minute)
		synctest.Wait()
		last := s.Attempts()
		require.Len(t, last, 1)
		assert.True(t, last[0].Accepted.After(last[0].Failed))
		assert.Equal(t, "503", last[0].Err, "an error is shown although it is over")
		require.NoError(t, s.Replace(notify.Receivers{}))
		assert.Empty(t, s.Attempts(), "a receiver that is gone is forgotten")
		assert.NoError(t, s.end())
	})
}
