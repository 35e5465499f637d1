package source

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
)

// metrics counts what was received. The first two are Alertmanager's, as its dashboards use them.
type metrics struct {
	firing, resolved, invalid prometheus.Counter
	known, fresh, fallback    prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	version := prometheus.Labels{"version": "v2"}
	received := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name:        "alertmanager_alerts_received_total",
		Help:        "The total number of received alerts.",
		ConstLabels: version,
	}, []string{"status"})
	invalid := prometheus.NewCounter(prometheus.CounterOpts{
		Name:        "alertmanager_alerts_invalid_total",
		Help:        "The total number of received alerts that were invalid.",
		ConstLabels: version,
	})
	decoded := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_push_alerts_decoded_total",
		Help: "Pushed alerts by how they were decoded: known from the cache, new, or by the slow fallback.",
	}, []string{"path"})
	if r != nil {
		for _, c := range []prometheus.Collector{received, invalid, decoded} {
			if err := r.Register(c); err != nil {
				return nil, err
			}
		}
	}
	return &metrics{
		firing:   received.WithLabelValues("firing"),
		resolved: received.WithLabelValues("resolved"),
		invalid:  invalid,
		known:    decoded.WithLabelValues("known"),
		fresh:    decoded.WithLabelValues("new"),
		fallback: decoded.WithLabelValues("fallback"),
	}, nil
}

func (m *metrics) received(a *alarm.Alert, now time.Time) {
	if a.EndsAt.After(now) {
		m.firing.Inc()
	} else {
		m.resolved.Inc()
	}
}

func (m *metrics) decoded(b batch) {
	n := len(b.alerts)
	if b.slow {
		m.fallback.Add(float64(n))
		return
	}
	m.known.Add(float64(b.known))
	m.fresh.Add(float64(n - b.known))
}

// pullMetrics are those of one source that is asked. Its servers have no names here: URLs make no
// good labels, and the log has them.
type pullMetrics struct {
	answered, failed prometheus.Counter
	failing          prometheus.Gauge
	unknown, invalid prometheus.Gauge
	duration         prometheus.Gauge
}

func newPullMetrics(name string, r prometheus.Registerer) (*pullMetrics, error) {
	var err error
	gauge := func(metric, help string) prometheus.Gauge {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: metric, Help: help}, []string{"source"})
		return register(r, v, &err).WithLabelValues(name)
	}
	requests := register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_source_requests_total",
		Help: "Questions to the servers of a source, by whether the answer was good.",
	}, []string{"source", "outcome"}), &err)
	return &pullMetrics{
		answered: requests.WithLabelValues(name, "ok"),
		failed:   requests.WithLabelValues(name, "error"),
		failing:  gauge("tocsin_source_servers_failing", "Servers of a source whose last answer was not good."),
		unknown:  gauge("tocsin_source_rules_unknown", "Rules that no server of a source has evaluated well of late, so that their alerts are held."),
		invalid:  gauge("tocsin_source_alerts_invalid", "Alerts in the last answers of a source that are of no use: without a name, or beyond a limit."),
		duration: gauge("tocsin_source_duration_seconds", "How long the last question to all servers of a source took."),
	}, err
}

// register registers a collector, or returns the one that another source has registered.
func register[C prometheus.Collector](r prometheus.Registerer, c C, failed *error) C {
	if r == nil {
		return c
	}
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if same, ok := already.ExistingCollector.(C); ok {
			return same
		}
	}
	if err != nil && *failed == nil {
		*failed = err
	}
	return c
}

func (m *pullMetrics) asked(servers, failed int, took time.Duration) {
	m.answered.Add(float64(servers - failed))
	m.failed.Add(float64(failed))
	m.failing.Set(float64(failed))
	m.duration.Set(took.Seconds())
}
