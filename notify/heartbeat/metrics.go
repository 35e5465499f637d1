package heartbeat

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of one loop; its name is a constant label.
type metrics struct {
	pings *prometheus.CounterVec
	last  prometheus.Gauge
}

func newMetrics(opts Options) (*metrics, error) {
	labels := prometheus.Labels{"heartbeat": opts.Name}
	m := &metrics{
		pings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_heartbeat_pings_total", Help: "Ticks of a heartbeat, by what became of the ping.", ConstLabels: labels,
		}, []string{"outcome"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_heartbeat_last_sent_timestamp_seconds", Help: "When a ping was last taken.", ConstLabels: labels,
		}),
	}
	for _, outcome := range []string{"sent", "failed", "withheld"} {
		m.pings.WithLabelValues(outcome)
	}
	if opts.Registerer == nil {
		return m, nil
	}
	return m, errors.Join(opts.Registerer.Register(m.pings), opts.Registerer.Register(m.last))
}

func (m *metrics) withheld() { m.pings.WithLabelValues("withheld").Inc() }

func (m *metrics) sent(at time.Time, err error) {
	if err != nil {
		m.pings.WithLabelValues("failed").Inc()
		return
	}
	m.pings.WithLabelValues("sent").Inc()
	m.last.Set(float64(at.UnixMilli()) / 1000)
}
