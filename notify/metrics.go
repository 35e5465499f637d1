package notify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
)

// A FailureReason is the word that a failed notification is counted by. The words are Alertmanager's.
type FailureReason string

// The reasons of a failure. Others count as FailureOther.
const (
	FailureOther            FailureReason = "other"
	FailureClientError      FailureReason = "clientError"
	FailureServerError      FailureReason = "serverError"
	FailureCanceled         FailureReason = "contextCanceled"
	FailureDeadlineExceeded FailureReason = "contextDeadlineExceeded"
	FailureAuth             FailureReason = "authError"
	FailureRateLimited      FailureReason = "rateLimited"
)

func failureReasons() []FailureReason {
	return []FailureReason{
		FailureOther, FailureClientError, FailureServerError, FailureCanceled,
		FailureDeadlineExceeded, FailureAuth, FailureRateLimited,
	}
}

// failureReason returns the reason that an error names or implies.
func failureReason(err error) FailureReason {
	var reason *ReasonError
	var slow *ThrottledError
	switch {
	case errors.As(err, &reason):
		if slices.Contains(failureReasons(), reason.Reason) {
			return reason.Reason
		}
		return FailureOther
	case errors.As(err, &slow):
		return FailureRateLimited
	case errors.Is(err, context.Canceled):
		return FailureCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return FailureDeadlineExceeded
	default:
		return FailureOther
	}
}

// The outcomes that tocsin_deliveries_total counts.
const (
	outcomeDelivered = "delivered"
	outcomeRejected  = "rejected"
	outcomeFailed    = "failed"
	outcomeUnsent    = "unsent"
)

// metrics are ours, and those that Alertmanager's monitoring mixin uses.
type metrics struct {
	receiverNames bool

	deliveries *prometheus.CounterVec
	latency    prometheus.Histogram

	notifications  *prometheus.CounterVec
	failed         *prometheus.CounterVec
	requests       *prometheus.CounterVec
	requestsFailed *prometheus.CounterVec
	requestLatency *prometheus.HistogramVec
}

func newMetrics(opts Options, depths func() []Depth) (*metrics, error) {
	labels := []string{"integration"}
	if opts.ReceiverNames {
		labels = append(labels, "receiver_name")
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		receiverNames: opts.ReceiverNames,
		deliveries: counter("tocsin_deliveries_total",
			"Intentions that ended, by what became of them.", "receiver", "outcome"),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tocsin_delivery_latency_seconds",
			Help:    "Time from the StartsAt of the oldest alert that a delivery told first until it was accepted.",
			Buckets: []float64{.1, .5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600},
		}),
		notifications: counter("alertmanager_notifications_total",
			"Notifications that were attempted.", labels...),
		failed: counter("alertmanager_notifications_failed_total",
			"Notifications that were given up.", append(slices.Clone(labels), "reason")...),
		requests: counter("alertmanager_notification_requests_total",
			"Attempts at notifications.", labels...),
		requestsFailed: counter("alertmanager_notification_requests_failed_total",
			"Attempts at notifications that failed.", labels...),
		requestLatency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "alertmanager_notification_latency_seconds",
			Help:                            "Time that an attempt at a notification took.",
			Buckets:                         []float64{1, 5, 10, 15, 20},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, labels),
	}
	if !m.receiverNames {
		for _, kind := range opts.Kinds {
			m.initialise(kind)
		}
	}
	if opts.Registerer == nil {
		return m, nil
	}
	var all []error
	for _, c := range []prometheus.Collector{
		m.deliveries, m.latency, m.notifications, m.failed, m.requests, m.requestsFailed, m.requestLatency,
		newDepthCollector(depths),
	} {
		all = append(all, opts.Registerer.Register(c))
	}
	return m, errors.Join(all...)
}

// initialise makes the metrics of one kind, or of one kind of one receiver, appear at 0.
func (m *metrics) initialise(values ...string) {
	m.notifications.WithLabelValues(values...)
	m.requests.WithLabelValues(values...)
	m.requestsFailed.WithLabelValues(values...)
	m.requestLatency.WithLabelValues(values...)
	for _, reason := range failureReasons() {
		m.failed.WithLabelValues(append(slices.Clone(values), string(reason))...)
	}
}

// replace drops the metrics of receivers that are gone and initialises those of the others.
func (m *metrics) replace(old, now Receivers) {
	for _, name := range old.names() {
		if _, kept := now[name]; kept {
			continue
		}
		m.deliveries.DeletePartialMatch(prometheus.Labels{"receiver": name})
		if m.receiverNames {
			gone := prometheus.Labels{"receiver_name": name}
			m.notifications.DeletePartialMatch(gone)
			m.requests.DeletePartialMatch(gone)
			m.requestsFailed.DeletePartialMatch(gone)
			m.requestLatency.DeletePartialMatch(gone)
			m.failed.DeletePartialMatch(gone)
		}
	}
	for _, name := range now.names() {
		for _, outcome := range []string{outcomeDelivered, outcomeRejected, outcomeFailed, outcomeUnsent} {
			m.deliveries.WithLabelValues(name, outcome)
		}
		for _, in := range now[name] {
			m.initialise(m.values(alarm.IntentionKey{Receiver: name, Integration: in.Name})...)
		}
	}
}

// values are the label values of an integration: its kind, and its receiver if wanted.
func (m *metrics) values(k alarm.IntentionKey) []string {
	kind, _, _ := strings.Cut(k.Integration, "[")
	if m.receiverNames {
		return []string{kind, k.Receiver}
	}
	return []string{kind}
}

// attempted counts one attempt. It is called before the attempt is counted in the job.
func (m *metrics) attempted(j *job, took time.Duration, err error) {
	values := m.values(j.Key)
	if j.attempts == 0 {
		m.notifications.WithLabelValues(values...).Inc()
	}
	m.requests.WithLabelValues(values...).Inc()
	m.requestLatency.WithLabelValues(values...).Observe(took.Seconds())
	if err != nil {
		m.requestsFailed.WithLabelValues(values...).Inc()
	}
}

// ended counts an outcome.
func (m *metrics) ended(j *job, o alarm.Outcome) {
	outcome := outcomeDelivered
	switch {
	case errors.Is(o.Err, ErrRejected):
		outcome = outcomeRejected
	case o.Err != nil:
		outcome = outcomeFailed
	case o.Unsent:
		outcome = outcomeUnsent
	}
	if errors.Is(o.Err, ErrNoReceiver) { // its metrics were dropped
		return
	}
	m.deliveries.WithLabelValues(j.Key.Receiver, outcome).Inc()
	if o.Err != nil {
		m.failed.WithLabelValues(append(m.values(j.Key), string(failureReason(o.Err)))...).Inc()
	}
	if !o.Oldest.IsZero() {
		m.latency.Observe(o.At.Sub(o.Oldest).Seconds())
	}
}
