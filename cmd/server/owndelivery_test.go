package server

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

func TestOwnSaysWhoIsNotTold(t *testing.T) {
	letter := func(receiver, alertname string) alarm.DeadLetter {
		return alarm.DeadLetter{
			Key: alarm.IntentionKey{Receiver: receiver}, Err: "403", Labels: model.LabelSet{"alertname": model.LabelValue(alertname)},
		}
	}
	for name, tc := range map[string]struct {
		letters []alarm.DeadLetter
		depths  []notify.Depth
		want    []string
	}{
		"nothing":                    {nil, []notify.Depth{{Receiver: "ops", Open: 3, Age: time.Hour, Waited: time.Minute}}, nil},
		"two letters of one":         {[]alarm.DeadLetter{letter("ops", "A"), letter("ops", "B")}, nil, []string{"ops"}},
		"it is no reason for itself": {[]alarm.DeadLetter{letter("ops", "TocsinDeliveryFailing")}, nil, nil},
		"one waits, another refused": {[]alarm.DeadLetter{letter("ops", "A")}, []notify.Depth{{Receiver: "mail", Open: 1, Waited: time.Hour}}, []string{"mail", "ops"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := own{
				letters: func(context.Context) ([]alarm.DeadLetter, error) { return tc.letters, nil },
				depths:  func() []notify.Depth { return tc.depths },
			}
			all, err := o.failing(t.Context())
			require.NoError(t, err)
			var got []string
			for _, a := range all {
				got = append(got, string(a.Labels["receiver"]))
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestOwnSaysThatTheStoreFailed(t *testing.T) {
	var from, to time.Time
	o, began := own{outage: func() (time.Time, time.Time) { return from, to }}, time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return began.Add(d) }
	assert.Empty(t, o.storeFailed(began))
	from = at(time.Minute)
	assert.Empty(t, o.storeFailed(from.Add(time.Second)), "a broken connection")
	told := o.storeFailed(at(2 * time.Minute))
	require.Len(t, told, 1)
	assert.Contains(t, told[0].Annotations["description"], "from 2026-01-01T12:01:00Z, it still cannot be written")
	to = at(3 * time.Minute)
	told = o.storeFailed(at(4 * time.Minute))
	require.Len(t, told, 1)
	assert.Contains(t, told[0].Annotations["description"], "from 2026-01-01T12:01:00Z, until 2026-01-01T12:03:00Z")
	assert.Empty(t, o.storeFailed(at(time.Hour)), "it is over")
	to = from.Add(time.Second)
	assert.Empty(t, o.storeFailed(at(2*time.Minute)), "it was short")
}
