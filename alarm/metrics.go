package alarm

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// engineMetrics are few and bounded: no fingerprint, alert name or URL is a label. The names that
// begin with alertmanager_ are those that its monitoring mixin and dashboards use.
type engineMetrics struct {
	cycles         prometheus.Histogram
	commitFailures prometheus.Counter
	changes        *prometheus.CounterVec
	suppressed     *prometheus.CounterVec
}

func newEngineMetrics(reg prometheus.Registerer, e *Engine) *engineMetrics {
	m := &engineMetrics{
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
	for _, k := range []ChangeKind{Appeared, Changed, Ended} {
		m.changes.WithLabelValues(k.String())
	}
	for _, r := range []string{string(ReasonSilence), string(ReasonInhibition), muteTimeInterval} {
		m.suppressed.WithLabelValues(r)
	}
	if reg != nil {
		reg.MustRegister(m.cycles, m.commitFailures, m.changes, m.suppressed, collector{e})
	}
	return m
}

const muteTimeInterval = "mute_time_interval"

func (m *engineMetrics) observe(took time.Duration, p *Plan) {
	m.cycles.Observe(took.Seconds())
	for _, c := range p.Inputs {
		m.changes.WithLabelValues(c.Kind.String()).Inc()
	}
}

func (m *engineMetrics) countMuted(alerts int) {
	m.suppressed.WithLabelValues(muteTimeInterval).Add(float64(alerts))
}

// countWithheld counts the alerts that a flush leaves out, each by its first reason.
func (m *engineMetrics) countWithheld(g *group) {
	for _, en := range g.members {
		if en.verdict.Withheld() {
			m.suppressed.WithLabelValues(string(en.verdict.Suppressions[0].Reason)).Inc()
		}
	}
}

var (
	alertsDesc = prometheus.NewDesc("alertmanager_alerts",
		"Alerts that fire, by whether something withholds them.", []string{"state"}, nil)
	suppressedDesc = prometheus.NewDesc("tocsin_suppressed_alerts",
		"Alerts that fire and are withheld now, by the first reason.", []string{"reason"}, nil)
	groupsDesc = prometheus.NewDesc("alertmanager_dispatcher_aggregation_groups",
		"Groups that are alive.", nil, nil)
	intentionsDesc = prometheus.NewDesc("tocsin_outbox_intentions",
		"Intentions that were committed and have no outcome yet.", nil, nil)
	sourceDesc = prometheus.NewDesc("tocsin_source_last_success_timestamp_seconds",
		"When a source was last read.", []string{"source"}, nil)
	staleDesc = prometheus.NewDesc("tocsin_source_stale",
		"1 if a source failed or was not read, so that its alerts are held.", []string{"source"}, nil)
)

// collector counts what the engine holds when it is asked.
type collector struct{ e *Engine }

// Describe sends the descriptions of all metrics.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{alertsDesc, suppressedDesc, groupsDesc, intentionsDesc, sourceDesc, staleDesc} {
		ch <- d
	}
}

// Collect counts.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	active, suppressed, reasons, groups, open := c.count()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(alertsDesc, float64(active), "active")
	gauge(alertsDesc, float64(suppressed), "suppressed")
	gauge(alertsDesc, 0, "unprocessed")
	for reason, n := range reasons {
		gauge(suppressedDesc, float64(n), string(reason))
	}
	gauge(groupsDesc, float64(groups))
	gauge(intentionsDesc, float64(open))
	for _, s := range c.e.Sources() {
		if !s.LastSuccess.IsZero() {
			gauge(sourceDesc, float64(s.LastSuccess.UnixMilli())/1000, s.Name)
		}
		stale := 0.0
		if s.Stale {
			stale = 1
		}
		gauge(staleDesc, stale, s.Name)
	}
}

func (c collector) count() (active, suppressed int, reasons map[Reason]int, groups, open int) {
	reasons = map[Reason]int{ReasonSilence: 0, ReasonInhibition: 0}
	c.e.mu.RLock()
	defer c.e.mu.RUnlock()
	for _, en := range c.e.alerts {
		switch {
		case en.alert.State != Firing:
		case en.verdict.Withheld():
			suppressed++
			reasons[en.verdict.Suppressions[0].Reason]++
		default:
			active++
		}
	}
	for _, g := range c.e.groups {
		if !g.level {
			groups++
		}
	}
	return active, suppressed, reasons, groups, len(c.e.open)
}
