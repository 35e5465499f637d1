package cache

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	refreshes *prometheus.CounterVec
	duration  prometheus.Histogram
	built     prometheus.Counter
	at        prometheus.Gauge
	services  *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_cache_refreshes_total",
			Help: "Refreshes by outcome: published, partial, not_publisher, abandoned or failed.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tocsin_cache_refresh_duration_seconds",
			Help:    "How long refreshes took that were published.",
			Buckets: []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 90},
		}),
		built: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_cache_details_built_total",
			Help: "Details of environments that published refreshes built anew.",
		}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_cache_version_timestamp_seconds",
			Help: "When the version was made that this process published last.",
		}),
		services: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tocsin_cache_services",
			Help: "Services by state in the version that this process published last.",
		}, []string{"state"}),
	}
	for _, outcome := range [...]string{"published", "partial", "not_publisher", "abandoned", "failed"} {
		m.refreshes.WithLabelValues(outcome)
	}
	if r == nil {
		return m, nil
	}
	for _, c := range [...]prometheus.Collector{m.refreshes, m.duration, m.built, m.at, m.services} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// started returns what is called with the end of a refresh, and returns its error.
func (m *metrics) started() func(changed int, err error) error {
	start := time.Now()
	return func(changed int, err error) error {
		outcome := "failed"
		switch {
		case err == nil:
			outcome = "published"
			m.duration.Observe(time.Since(start).Seconds())
			m.built.Add(float64(changed))
		case errors.Is(err, ErrPartial):
			outcome = "partial"
		case errors.Is(err, ErrNotPublisher):
			outcome = "not_publisher"
		case errors.Is(err, ErrAbandoned):
			outcome = "abandoned"
		}
		m.refreshes.WithLabelValues(outcome).Inc()
		return err
	}
}

func (m *metrics) published(s *Summary, at time.Time) {
	m.at.Set(float64(at.UnixMilli()) / 1000)
	m.services.WithLabelValues("ok").Set(float64(s.OK))
	m.services.WithLabelValues("warn").Set(float64(s.Warn))
	m.services.WithLabelValues("unknown").Set(float64(s.Unknown))
	m.services.WithLabelValues("fail").Set(float64(s.Fail))
}
