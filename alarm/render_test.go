package alarm_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/route"
)

// TestRenderWaitsForTheStore asks what is to be told while that is being stored: nobody knows until it is, and
// if it never is, it is not told.
func TestRenderWaitsForTheStore(t *testing.T) {
	for name, tt := range map[string]struct {
		commit error
		now    int // how many alerts are to be told when the commit has ended; 0: nobody knows
		later  int
	}{
		"stored":     {nil, 2, 2},
		"not stored": {errors.New("disk full"), 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, offers := alarmtest.NewStore(), make(chan []alarm.Intention, 10)
				ops := alarm.ReceiverSpec{Name: "ops", Integrations: []alarm.IntegrationSpec{{Name: "webhook[0]", SendResolved: true}}}
				e, err := alarm.NewEngine(alarm.EngineOptions{
					Store: store, Build: build(route.Route{Receiver: "ops"}, nil, ops), Offer: func(in []alarm.Intention) { offers <- in },
				})
				require.NoError(t, err)
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- e.Run(ctx) }()
				fire := func(name model.LabelValue) error {
					s := alarm.Snapshot{Source: "push", At: time.Now(), Partial: true}
					s.Firing(model.LabelSet{"alertname": name})
					return e.Submit(ctx, alarm.Input{Snapshots: []alarm.Snapshot{s}})
				}
				require.NoError(t, fire("A"))
				in := (<-offers)[0]

				release := make(chan struct{})
				store.Inject(func(op alarmtest.Op) error {
					if op != alarmtest.OpCommit {
						return nil
					}
					<-release
					return tt.commit
				})
				submitted, rendered := make(chan error, 1), make(chan error, 1)
				go func() { submitted <- fire("B") }()
				synctest.Wait()
				var d *alarm.Delivery
				go func() {
					var err error
					d, err = e.Render(time.Now(), in)
					rendered <- err
				}()
				synctest.Wait()
				assert.Empty(t, rendered, "it is not stored yet")
				close(release)
				if err := <-rendered; tt.now == 0 {
					require.ErrorIs(t, err, alarm.ErrNotStored)
					assert.Nil(t, d)
				} else {
					require.NoError(t, err)
					assert.Len(t, d.Alerts, tt.now)
				}
				require.ErrorIs(t, <-submitted, tt.commit)

				store.Inject(nil)
				time.Sleep(5 * time.Second)
				d, err = e.Render(time.Now(), in)
				require.NoError(t, err)
				assert.Len(t, d.Alerts, tt.later)
				store.Fail(alarm.ErrLeaseLost)
				_ = fire("C")
				<-ended
				_, err = e.Render(time.Now(), in)
				require.ErrorIs(t, err, alarm.ErrStopped, "it was not stored, and never will be")
				stop()
			})
		})
	}
}
