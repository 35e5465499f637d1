package amreceiver

import (
	"context"
	"errors"
	"fmt"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// Deliver sends what Alertmanager would send. A delivery without alerts has nothing that an
// integration could say, and is accepted unsent.
func (r *Receiver) Deliver(ctx context.Context, d *alarm.Delivery) error {
	if len(d.Alerts) == 0 {
		return nil
	}
	alerts := amAlerts(d)
	store, before, err := openStore(d)
	if err != nil { // better a second message than none
		r.logger.Warn("stored data of the integration is not readable, starting anew",
			"receiver", r.name, "integration", r.integration.String(), "group", d.GroupKey, "err", err)
	}

	ctx = context.WithValue(ctx, delivered{}, d)
	ctx = amnotify.WithNow(ctx, d.Now)
	ctx = amnotify.WithGroupKey(ctx, d.GroupKey)
	ctx = amnotify.WithGroupLabels(ctx, d.GroupLabels)
	ctx = amnotify.WithRouteLabels(ctx, r.routeLabels(d, alerts))
	ctx = amnotify.WithReceiverName(ctx, r.name)
	ctx = amnotify.WithRepeatInterval(ctx, d.Repeat)
	ctx = amnotify.WithRouteID(ctx, d.RouteID)
	ctx = amnotify.WithFlushID(ctx, uint64(d.ID))
	ctx = amnotify.WithFiringAlerts(ctx, d.Told.Firing)
	ctx = amnotify.WithResolvedAlerts(ctx, d.Told.Resolved)
	ctx = amnotify.WithNotificationReason(ctx, reason(d.Reason))
	ctx = amnotify.WithNflogStore(ctx, store)

	retry, err := r.integration.Notify(ctx, alerts...)
	if err != nil {
		return classify(retry, err)
	}
	data, err := closeStore(store, before)
	if err != nil { // the message is out: an error would send it again
		r.logger.Error("data of the integration is not kept",
			"receiver", r.name, "integration", r.integration.String(), "group", d.GroupKey, "err", err)
	}
	d.Data = data
	return nil
}

// amAlerts returns the alerts as Alertmanager's integrations see them: an alert has ended if and only
// if it has an EndsAt.
func amAlerts(d *alarm.Delivery) []*amalert.Alert {
	alerts := make([]*amalert.Alert, len(d.Alerts))
	for i := range d.Alerts {
		a := &d.Alerts[i]
		ends := time.Time{}
		if a.ResolvedAt(d.Now) {
			ends = a.EndsAt
			if ends.IsZero() || ends.After(d.Now) {
				ends = d.Now
			}
		}
		alerts[i] = &amalert.Alert{
			Alert: model.Alert{
				Labels:       a.Labels,
				Annotations:  a.Annotations,
				StartsAt:     a.StartsAt,
				EndsAt:       ends,
				GeneratorURL: a.GeneratorURL,
			},
			UpdatedAt: a.UpdatedAt,
			Timeout:   a.Timeout,
		}
	}
	return alerts
}

// routeLabels renders the labels of the route. One that cannot be rendered is left out. A template that
// counts alerts sees those of the delivery; in Alertmanager it sees the muted ones of the group as well.
func (r *Receiver) routeLabels(d *alarm.Delivery, alerts []*amalert.Alert) model.LabelSet {
	rendered := model.LabelSet{}
	if len(d.RouteLabels) == 0 {
		return rendered
	}
	data := r.tmpl.Data(r.name, d.GroupLabels, d.RouteLabels, amnotify.ReasonUnknown.String(), alerts...)
	render := r.tmpl.RouteLabelRenderer(data)
	for name := range d.RouteLabels {
		value, err := render(string(name))
		if err != nil {
			r.logger.Error("route label not rendered",
				"receiver", r.name, "group", d.GroupKey, "label", string(name), "err", err)
			continue
		}
		rendered[name] = model.LabelValue(value)
	}
	return rendered
}

// reason returns Alertmanager's form of a reason. What it has no word for is unknown to it.
func reason(r alarm.NotifyReason) amnotify.NotifyReason {
	for _, known := range []amnotify.NotifyReason{
		amnotify.ReasonFirstNotification, amnotify.ReasonNewAlertsInGroup, amnotify.ReasonNewResolvedAlerts,
		amnotify.ReasonAllAlertsResolved, amnotify.ReasonRepeatIntervalElapsed,
	} {
		if known.String() == string(r) {
			return known
		}
	}
	return amnotify.ReasonUnknown
}

// classify gives an error of an integration its class and its reason.
func classify(retry bool, err error) error {
	var named *amnotify.ErrorWithReason
	has := errors.As(err, &named)
	if !retry {
		err = fmt.Errorf("%w: %w", notify.ErrRejected, err)
	}
	if has {
		err = &notify.ReasonError{Reason: notify.FailureReason(named.Reason.String()), Err: err}
	}
	return err
}
