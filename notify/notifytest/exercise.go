package notifytest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// Delivery returns a delivery of one alert that fires, or that ended if the action is Close. Group
// is its key, and the value of the alert's label "group". It is planned at an instant and may be
// retried for five minutes.
func Delivery(at time.Time, receiver, integration, group string, action alarm.Action) *alarm.Delivery {
	alert := alarm.Alert{
		Labels:       model.LabelSet{"alertname": "Sample", "group": model.LabelValue(group), "severity": "warning"},
		Annotations:  model.LabelSet{"summary": "a sample"},
		GeneratorURL: "http://rules.example/sample",
		StartsAt:     at.Add(-time.Minute),
		UpdatedAt:    at,
	}
	sets := alarm.ToldSets{Firing: []uint64{alarm.Hash(alert.Labels)}}
	reason := map[alarm.Action]alarm.NotifyReason{
		alarm.Add: alarm.NotifyFirst, alarm.Update: alarm.NotifyRepeat, alarm.Close: alarm.NotifyAllResolved,
	}[action]
	if action == alarm.Close {
		alert.State, alert.EndsAt = alarm.Resolved, at.Add(-time.Second)
		sets = alarm.ToldSets{Resolved: sets.Firing}
	}
	var oldest time.Time
	if action == alarm.Add {
		oldest = alert.StartsAt
	}
	return &alarm.Delivery{
		Oldest: oldest,
		Intention: alarm.Intention{
			Key:      alarm.IntentionKey{Receiver: receiver, Integration: integration, Group: group},
			Action:   action,
			Reason:   reason,
			At:       at,
			Deadline: at.Add(5 * time.Minute),
		},
		Now:         at,
		GroupKey:    `{}:{group="` + group + `"}`,
		GroupLabels: model.LabelSet{"group": model.LabelValue(group)},
		RouteID:     "{}",
		Repeat:      4 * time.Hour,
		Alerts:      []alarm.Alert{alert},
		Told:        sets,
	}
}

// ExerciseReceiver runs the contract of notify.Receiver against a receiver whose remote works: it
// accepts an incident from its beginning to its end, the same delivery twice, and several at once;
// it modifies nothing but Data; and it returns when its context ends.
func ExerciseReceiver(t *testing.T, r notify.Receiver) {
	deliver := func(t *testing.T, d *alarm.Delivery) error {
		t.Helper()
		before := frozen(t, d)
		err := r.Deliver(t.Context(), d)
		assert.Equal(t, before, frozen(t, d), "the delivery, Data apart, must not be modified")
		return err
	}
	sample := func(group string, a alarm.Action) *alarm.Delivery {
		return Delivery(time.Now().UTC(), "exercise", "sample[0]", group, a)
	}

	t.Run("add, update, close", func(t *testing.T) {
		var data []byte
		for _, action := range []alarm.Action{alarm.Add, alarm.Update, alarm.Close} {
			d := sample("life", action)
			d.Data = data
			require.NoError(t, deliver(t, d), action.String())
			data = d.Data
		}
	})

	t.Run("twice", func(t *testing.T) {
		for _, action := range []alarm.Action{alarm.Add, alarm.Add, alarm.Close, alarm.Close} {
			require.NoError(t, deliver(t, sample("twice", action)), action.String())
		}
	})

	t.Run("at once", func(t *testing.T) {
		var wg sync.WaitGroup
		for _, group := range []string{"a", "b", "c", "d"} {
			wg.Go(func() {
				assert.NoError(t, r.Deliver(t.Context(), sample(group, alarm.Add)))
				assert.NoError(t, r.Deliver(t.Context(), sample(group, alarm.Close)))
			})
		}
		wg.Wait()
	})

	t.Run("context ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = r.Deliver(ctx, sample("late", alarm.Add))
		}()
		<-done // a receiver that does not return here runs into the test's own timeout
	})
}

// frozen returns a picture of everything that a receiver must not modify.
func frozen(t *testing.T, d *alarm.Delivery) string {
	t.Helper()
	copied := *d
	copied.Data = nil
	b, err := json.Marshal(copied)
	require.NoError(t, err)
	return string(b)
}
