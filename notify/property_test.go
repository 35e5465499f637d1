package notify_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/notifytest"
)

// Whatever the remotes and the store do, each intention that was offered ends in exactly one stored
// outcome, those of one key in their order and never two at once. The outbox itself fails the test
// when an outcome comes twice.
func TestDelivererEachIntentionEndsOnce(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { storm(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func storm(t *testing.T, random *rand.Rand) {
	remotes := map[string]*notifytest.Receiver{}
	receivers := notify.Receivers{}
	for _, name := range []string{"a", "b", "c"} {
		remotes[name] = notifytest.NewReceiver(t)
		receivers[name] = []notify.Integration{{Name: "log[0]", Receiver: remotes[name], Timeout: time.Second}}
	}
	s := newStage(t, notify.Options{Workers: 1 + random.IntN(3)}, func(r notify.Receivers) {
		for name, in := range receivers {
			r[name] = in
		}
	})
	fails := []error{
		errors.New("503"), notify.ErrRejected,
		&notify.ThrottledError{After: time.Duration(random.IntN(5)) * time.Second, Err: errors.New("429")},
	}

	var offered []alarm.Intention
	for range 200 {
		name := string("abcd"[random.IntN(4)]) // there is no d
		switch random.IntN(10) {
		case 0:
			s.out.FailNext(random.IntN(3), alarm.ErrNotStored)
		case 1, 2:
			for _, r := range []string{"a", "b", "c"} {
				remotes[r].FailNext(random.IntN(2), fails[random.IntN(len(fails))])
			}
		case 3:
			remotes["b"].Block()
		case 4:
			remotes["b"].Block()()
		case 5:
			synctest.Wait()       // the engine commits and offers from one goroutine, so no outcome comes in between
			s.Offer(s.out.Open()) // as after a commit that failed
		case 6:
			require.NoError(t, s.Replace(receivers))
		case 7:
			time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
		default:
			in := s.tell(name, fmt.Sprint(random.IntN(4)))
			offered = append(offered, in)
			if random.IntN(10) == 0 {
				s.out.Withdraw(in.ID)
			}
		}
	}
	remotes["b"].Block()()
	time.Sleep(time.Hour)
	synctest.Wait()
	require.NoError(t, s.end())

	assert.Empty(t, s.out.Open())
	byKey := map[alarm.IntentionKey][]int64{}
	for _, o := range s.out.Outcomes() {
		byKey[o.Key] = append(byKey[o.Key], o.ID)
	}
	sum := 0
	for key, ids := range byKey {
		assert.True(t, slices.IsSorted(ids), "%s: %v", key, ids)
		sum += len(ids)
	}
	assert.Equal(t, len(offered), sum)
	for name, r := range remotes {
		_, ofOneKey := r.Most()
		assert.LessOrEqual(t, ofOneKey, 1, name)
	}
}
