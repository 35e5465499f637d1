package opsgenie_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

// Whatever fails, at random and for long: when all deliveries were accepted, what is open there is what
// was to be, once, with what was said last.
func TestWhateverFails(t *testing.T) {
	for _, jsm := range []bool{false, true} {
		for seed := range uint64(15) {
			t.Run(fmt.Sprintf("jsm=%v/%d", jsm, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { troubled(t, jsm, rand.New(rand.NewPCG(seed, 5))) })
			})
		}
	}
}

func troubled(t *testing.T, jsm bool, random *rand.Rand) {
	r := newRig(t, jsm, opsgenietest.Options{
		Delay:  time.Duration(random.IntN(4000)) * time.Millisecond,
		Quirks: opsgenietest.Quirks{SwapOrder: random.IntN(2) == 0, SyncNotFound: random.IntN(2) == 0, PlainQueue: random.IntN(2) == 0},
	})
	type state struct {
		data []byte
		text string // empty: closed
	}
	want := map[string]*state{}
	opened := 0
	for range 60 {
		key := fmt.Sprint(random.IntN(5))
		s := want[key]
		if s == nil {
			s = &state{}
			want[key] = s
		}
		text := fmt.Sprint("said ", string(rune('a'+random.IntN(20))))
		action := alarm.Update
		switch {
		case s.text == "":
			action = alarm.Add
			opened++
		case random.IntN(3) == 0:
			action, text = alarm.Close, ""
		}
		for range random.IntN(4) {
			r.server.Inject(opsgenietest.Fault{
				Kind:  opsgenietest.FaultKind(random.IntN(int(opsgenietest.Forget) + 1)),
				Times: 1, Status: []int{429, 500, 503}[random.IntN(3)],
			})
		}
		d := delivery(action, text, s.data)
		d.Key.Group, d.ID = key, random.Int64()
		for attempt := 0; ; attempt++ {
			require.Less(t, attempt, 100)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			err := r.client.Deliver(ctx, d)
			cancel()
			if err == nil {
				break
			}
			require.NotErrorIs(t, err, notify.ErrRejected)
			var slow *notify.ThrottledError
			if errors.As(err, &slow) {
				time.Sleep(slow.After)
			}
			time.Sleep(time.Second)
		}
		s.data, s.text = d.Data, text
		r.server.Heal()
	}
	time.Sleep(time.Minute) // what was queued is done
	open := map[string]string{}
	for _, a := range r.server.Open() {
		open[a.Alias] = a.Message
	}
	wanted := map[string]string{}
	for key, s := range want {
		if s.text != "" {
			wanted["test/ops/"+key] = s.text
		}
	}
	assert.Equal(t, wanted, open)
	assert.Len(t, r.server.Alerts(), opened, "none was opened twice")
}
