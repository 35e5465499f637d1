package probe

import (
	"fmt"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/discovery"
)

type metrics struct {
	duration prometheus.Histogram
	targets  *prometheus.GaugeVec
	failures *prometheus.CounterVec
	blind    prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_probe_cycle_duration_seconds", Help: "How long it took to ask all health endpoints once.",
			Buckets: []float64{1, 5, 10, 20, 30, 60},
		}),
		targets: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "tocsin_probe_targets", Help: "Health endpoints by the state that they were in at the last cycle.",
		}, []string{"state"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_probe_failures_total", Help: "Probes without a health document, by why that was.",
		}, []string{"why"}),
		blind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_probe_blind", Help: "Whether the prober's own network was gone at the last cycle.",
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.duration, m.targets, m.failures, m.blind} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register probe metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) cycle(c *discovery.Cycle, took time.Duration) {
	m.duration.Observe(took.Seconds())
	m.blind.Set(0)
	if c.Blind {
		m.blind.Set(1)
	}
	states := map[discovery.State]int{}
	for i := range c.Results {
		states[c.Results[i].State]++
		if why := c.Results[i].Why; why != "" {
			m.failures.WithLabelValues(string(why)).Inc()
		}
	}
	for _, s := range [...]discovery.State{discovery.OK, discovery.Unknown, discovery.Warn, discovery.Fail} {
		m.targets.WithLabelValues(s.String()).Set(float64(states[s]))
	}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
