package kube

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	targets  prometheus.Gauge
	failures *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		targets: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_kube_targets", Help: "Health endpoints that the Kubernetes API names.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_kube_watch_failures_total", Help: "Lists and watches that failed, by resource.",
		}, []string{"resource"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.targets, m.failures} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register kube metrics: %w", err)
		}
	}
	return m, nil
}
