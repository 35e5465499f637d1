package apiv2

import "github.com/prometheus/client_golang/prometheus"

// metrics are Alertmanager's, by its names.
type metrics struct {
	inFlight prometheus.Gauge
	limited  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	get := prometheus.Labels{"method": "get"}
	m := &metrics{
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name:        "alertmanager_http_requests_in_flight",
			Help:        "Current number of HTTP requests being processed.",
			ConstLabels: get,
		}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name:        "alertmanager_http_concurrency_limit_exceeded_total",
			Help:        "Total number of times an HTTP request failed because the concurrency limit was reached.",
			ConstLabels: get,
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.inFlight, m.limited} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
