package opsgenie_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/opsgenie"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

// desk is an engine that delivers by itself.
type desk struct {
	client *opsgenie.Client
	mu     sync.Mutex // guards what follows
	open   []notify.Belief
	steps  []string
}

func single(action alarm.Action, group string, data []byte) *alarm.Delivery {
	d := delivery(action, "x", data)
	d.Key.Group = group
	return d
}

func (d *desk) tell(ctx context.Context, t *testing.T, group string) {
	t.Helper()
	del := single(alarm.Add, group, nil)
	require.NoError(t, d.client.Deliver(ctx, del))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = append(d.open, notify.Belief{Key: del.Key, Alias: d.client.Alias(del.Key), Open: true, ToldAt: time.Now(), Data: del.Data, Priority: "P1"})
}

func (d *desk) Beliefs(context.Context) ([]notify.Belief, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.open), true, nil
}

func (d *desk) Apply(ctx context.Context, steps []notify.Step) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range steps {
		d.steps = append(d.steps, s.Action.String()+" "+s.Alias+": "+s.Reason)
		for i := range d.open {
			b := &d.open[i]
			switch {
			case b.Alias != s.Alias:
			case s.Action == notify.StepReopen:
				del := single(alarm.Add, b.Key.Group, b.Data)
				del.Notes = []string{"Opened again: " + s.Reason + "."}
				if err := d.client.Deliver(ctx, del); err != nil {
					return err
				}
				b.ToldAt, b.Data = time.Now(), del.Data
			case s.Action == notify.StepRemind:
				del := single(alarm.Update, b.Key.Group, b.Data)
				del.Reason = notify.StillFiring
				if err := d.client.Deliver(ctx, del); err != nil {
					return err
				}
				b.Data = del.Data
			case s.Action == notify.StepAcknowledge:
				b.Acknowledged, b.AcknowledgedBy = s.Incident.Acknowledged, s.Incident.AcknowledgedBy
			}
		}
	}
	return nil
}

func reconciled(t *testing.T, server opsgenietest.Options, run func(t *testing.T, r *rig, d *desk, rec *notify.Reconciler)) {
	t.Helper()
	everywhere(t, server, func(t *testing.T, r *rig) {
		d := &desk{client: r.client}
		rec, err := notify.NewReconciler(r.client, d, notify.ReconcilerOptions{Policy: notify.Policy{Remind: 4 * time.Hour}})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- rec.Run(ctx) }()
		run(t, r, d, rec)
		cancel()
		require.NoError(t, <-done)
	})
}

// The real client, the real reconciler and the fake service: whatever people do there is put right.
func TestReconciler(t *testing.T) {
	for name, server := range map[string]opsgenietest.Options{
		"plain":             {},
		"slow and lagging":  {Delay: 3 * time.Second, IndexLag: 45 * time.Second},
		"aliases rewritten": {Quirks: opsgenietest.Quirks{RewriteAlias: "team: "}},
		"nobody says who":   {Quirks: opsgenietest.Quirks{NoCloseReport: true}},
		"loose search":      {Quirks: opsgenietest.Quirks{LooseSearch: true}},
	} {
		t.Run(name, func(t *testing.T) {
			reconciled(t, server, func(t *testing.T, r *rig, d *desk, rec *notify.Reconciler) {
				prefix := server.Quirks.RewriteAlias
				for i := range 5 {
					d.tell(t.Context(), t, fmt.Sprint(i))
				}
				put(r.server, 1, func(_ int, a *opsgenietest.Alert) { a.Alias = prefix + "test/gone/1" })
				put(r.server, 1, func(_ int, a *opsgenietest.Alert) { a.Alias, a.Tags = "foreign", []string{"tocsin"} })
				time.Sleep(2 * time.Minute)
				require.True(t, r.server.Close(prefix+"test/ops/1", "ann"))
				require.True(t, r.server.Acknowledge(prefix+"test/ops/2", "bob"))
				time.Sleep(15 * time.Minute)
				synctest.Wait()

				var open []string
				for _, a := range r.server.Open() {
					open = append(open, a.Alias)
				}
				assert.ElementsMatch(t, []string{"foreign", prefix + "test/ops/0", prefix + "test/ops/1", prefix + "test/ops/2", prefix + "test/ops/3", prefix + "test/ops/4"}, open)
				assert.Len(t, r.server.Alerts(), 8, "one was opened again, none twice")
				assert.Len(t, d.steps, 2)
				assert.Contains(t, d.steps, "acknowledge test/ops/2: acknowledged by bob")
				assert.Equal(t, 0, rec.Status().Drift)
				time.Sleep(4 * time.Hour)
				synctest.Wait()
				a, _ := r.server.Find(prefix + "test/ops/0")
				assert.Equal(t, []string{"Still firing after 1m."}, a.Notes, "it goes on")
			})
		})
	}
}

// A query that the service does not understand as we do makes every incident look closed. Reading each
// by its alias shows that none is.
func TestReconcilerBlindSearch(t *testing.T) {
	reconciled(t, opsgenietest.Options{Quirks: opsgenietest.Quirks{BlindSearch: true}}, func(t *testing.T, r *rig, d *desk, _ *notify.Reconciler) {
		d.tell(t.Context(), t, "1")
		time.Sleep(time.Hour)
		assert.Len(t, r.server.Alerts(), 1)
		assert.Equal(t, 1, r.server.Alerts()[0].Creates)
		assert.Empty(t, d.steps)
	})
}

// A thousand open incidents and nothing to do: ten pages each five minutes.
func TestRequestsOfAQuietHour(t *testing.T) {
	reconciled(t, opsgenietest.Options{}, func(t *testing.T, r *rig, d *desk, _ *notify.Reconciler) {
		for i := range 1000 {
			d.tell(t.Context(), t, fmt.Sprint(i))
		}
		time.Sleep(7 * time.Minute)
		r.server.Forget()
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Len(t, r.server.Requests(), 120)
	})
}
