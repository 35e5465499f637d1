package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

const (
	// deliveryFailing is the name of the alert that a receiver is not told. It is no reason for itself.
	deliveryFailing = "TocsinDeliveryFailing"

	// waitsTooLong is how long a notification may wait before somebody is to hear of it.
	waitsTooLong = 5 * time.Minute

	// outageLeast is how long the store must have failed for somebody to hear of it: a connection that broke,
	// and was made anew, is nothing to be woken for.
	outageLeast = 5 * time.Second

	// outageTold is for how long it is told that the store could not be written: while it could not, nothing
	// could be told.
	outageTold = 15 * time.Minute
)

// failing says which receivers are not told what they should be: something was given up, or waits too long.
func (o own) failing(ctx context.Context) ([]alarm.Alert, error) {
	letters, err := o.letters(ctx)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	given, last := map[string]int{}, map[string]string{}
	for _, l := range letters {
		if l.Labels[model.AlertNameLabel] != deliveryFailing {
			given[l.Key.Receiver]++
			last[l.Key.Receiver] = l.Err
		}
	}
	words := map[string]string{}
	for receiver, n := range given {
		words[receiver] = fmt.Sprintf("%d notifications were given up, one of them for: %s. GET api/v1/dead-letters lists them.", n, last[receiver])
	}
	for _, d := range o.depths() {
		if d.Waited >= waitsTooLong {
			text := fmt.Sprintf("%d notifications wait, the first for %s.", d.Open, d.Age.Truncate(time.Minute))
			words[d.Receiver] = text + " " + words[d.Receiver]
		}
	}
	var all []alarm.Alert
	for _, receiver := range slices.Sorted(maps.Keys(words)) {
		all = append(all, alarm.Alert{
			State:  alarm.Firing,
			Labels: model.LabelSet{"alertname": deliveryFailing, "receiver": model.LabelValue(receiver), "severity": "critical"},
			Annotations: model.LabelSet{
				"summary":     model.LabelValue(fmt.Sprintf("Receiver %s is not told what fires.", receiver)),
				"description": model.LabelValue(words[receiver]),
			},
		})
	}
	return all, nil
}

// storeFailed says, once it can be said, that the store could not be written.
func (o own) storeFailed(now time.Time) []alarm.Alert {
	from, to := o.outage()
	until, lasted := "until "+to.UTC().Format(time.RFC3339), to.Sub(from)
	if to.IsZero() {
		until, lasted = "it still cannot be written", now.Sub(from)
	}
	if from.IsZero() || lasted < outageLeast || !to.IsZero() && now.Sub(to) >= outageTold {
		return nil
	}
	return []alarm.Alert{{
		State:  alarm.Firing,
		Labels: model.LabelSet{"alertname": "TocsinStoreFailing", "severity": "critical"},
		Annotations: model.LabelSet{
			"summary": "The store could not be written: alerts were refused, and nobody was told.",
			"description": model.LabelValue(fmt.Sprintf("It could not be written from %s, %s. What was pushed meanwhile was answered 503: senders repeat it.",
				from.UTC().Format(time.RFC3339), until)),
		},
	}}
}
