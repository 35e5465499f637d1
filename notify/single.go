package notify

import (
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// Open returns the delivery that tells of one alert, for those who call a Receiver themselves,
// without an engine. The key is our name for it at the remote. Now is left zero.
func Open(key string, a *alarm.Alert) *alarm.Delivery {
	d := single(key, alarm.Add, alarm.NotifyFirst)
	alert := *a
	alert.State = alarm.Firing
	alert.EndsAt = time.Time{}
	d.GroupLabels = alert.Labels
	d.Alerts = []alarm.Alert{alert}
	d.Told.Firing = []uint64{alarm.Hash(alert.Labels)}
	return d
}

// Close returns the delivery that closes what Open opened under the same key. The note, for people,
// becomes the delivery's Reason.
func Close(key, note string) *alarm.Delivery {
	return single(key, alarm.Close, alarm.NotifyReason(note))
}

func single(key string, action alarm.Action, reason alarm.NotifyReason) *alarm.Delivery {
	return &alarm.Delivery{
		Intention: alarm.Intention{Key: alarm.IntentionKey{Group: key}, Action: action, Reason: reason},
		GroupKey:  key,
	}
}
