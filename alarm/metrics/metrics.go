package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
)

var _ alarm.Observer = (*Metrics)(nil)

// Metrics are few and bounded: no fingerprint, alert name or URL is a label. The names that begin with
// alertmanager_ are those that its monitoring mixin and dashboards use.
type Metrics struct {
	registerer     prometheus.Registerer
	cycles         prometheus.Histogram
	commitFailures prometheus.Counter
	changes        *prometheus.CounterVec
	suppressed     *prometheus.CounterVec
}

// New registers the metrics of what an engine does, and panics if they are registered already.
func New(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		registerer: reg,
		cycles: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tocsin_cycle_duration_seconds",
			Help:    "How long one engine cycle took, its commit included.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5, 30},
		}),
		commitFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_commit_failures_total",
			Help: "Plans that could not be committed; what they held was refused.",
		}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_alert_changes_total",
			Help: "Changes of alerts that were recorded, by kind.",
		}, []string{"kind"}),
		suppressed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "alertmanager_notifications_suppressed_total",
			Help: "Alerts that a flush left out because something withheld them, by reason.",
		}, []string{"reason"}),
	}
	for _, k := range []alarm.ChangeKind{alarm.Appeared, alarm.Changed, alarm.Ended} {
		m.changes.WithLabelValues(k.String())
	}
	for _, r := range alarm.Reasons() {
		m.suppressed.WithLabelValues(string(r))
	}
	m.suppressed.WithLabelValues(alarm.MutedByInterval)
	reg.MustRegister(m.cycles, m.commitFailures, m.changes, m.suppressed)
	return m
}

// Watch registers the metrics of what an engine holds: it is asked at each scrape.
func (m *Metrics) Watch(e *alarm.Engine) { m.registerer.MustRegister(collector{e}) }

// Cycle counts a cycle.
func (m *Metrics) Cycle(took time.Duration, p *alarm.Plan) {
	m.cycles.Observe(took.Seconds())
	for _, c := range p.Inputs {
		m.changes.WithLabelValues(c.Kind.String()).Inc()
	}
}

// CommitFailed counts a plan that was not committed.
func (m *Metrics) CommitFailed() { m.commitFailures.Inc() }

// Withheld counts alerts that a flush left out.
func (m *Metrics) Withheld(reason string, alerts int) {
	m.suppressed.WithLabelValues(reason).Add(float64(alerts))
}
