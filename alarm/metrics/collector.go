package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
)

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
type collector struct{ engine *alarm.Engine }

// Describe sends the descriptions of all metrics.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{alertsDesc, suppressedDesc, groupsDesc, intentionsDesc, sourceDesc, staleDesc} {
		ch <- d
	}
}

// Collect counts.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := c.engine.Stats()
	gauge(alertsDesc, float64(s.Active), "active")
	gauge(alertsDesc, float64(s.Suppressed), "suppressed")
	gauge(alertsDesc, 0, "unprocessed")
	for _, reason := range alarm.Reasons() {
		gauge(suppressedDesc, float64(s.ByReason[reason]), string(reason))
	}
	gauge(groupsDesc, float64(s.Groups))
	gauge(intentionsDesc, float64(s.Intentions))
	for _, src := range c.engine.Sources() {
		if !src.LastSuccess.IsZero() {
			gauge(sourceDesc, float64(src.LastSuccess.UnixMilli())/1000, src.Name)
		}
		stale := 0.0
		if src.Stale {
			stale = 1
		}
		gauge(staleDesc, stale, src.Name)
	}
}
