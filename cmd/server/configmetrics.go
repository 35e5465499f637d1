package server

import (
	"hash/fnv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/tocsin/tocsin/dedupe"
)

// configMetrics are those of Alertmanager's monitoring mixin that concern the configuration and the
// build.
type configMetrics struct {
	success      prometheus.Gauge
	at           prometheus.Gauge
	hash         prometheus.Gauge
	receivers    prometheus.Gauge
	integrations prometheus.Gauge
	inhibitRules prometheus.Gauge
	limit        prometheus.Counter
	swallow      *prometheus.CounterVec
}

func newConfigMetrics(reg prometheus.Registerer) *configMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		reg.MustRegister(g)
		return g
	}
	m := &configMetrics{
		success:      gauge("alertmanager_config_last_reload_successful", "Whether the last configuration reload attempt was successful."),
		at:           gauge("alertmanager_config_last_reload_success_timestamp_seconds", "Timestamp of the last successful configuration reload."),
		hash:         gauge("alertmanager_config_hash", "Hash of the configuration in force."),
		receivers:    gauge("alertmanager_receivers", "Number of receivers of the configuration."),
		integrations: gauge("alertmanager_integrations", "Number of integrations that routes use."),
		inhibitRules: gauge("alertmanager_inhibition_rules", "Number of inhibition rules of the configuration."),
		limit: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "alertmanager_alerts_limited_total", Help: "Alerts that were dropped because of the limit per alert name.",
		}),
	}
	m.swallow = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tocsin_swallowed_changes_total", Help: "Changes of state of which nobody was told, by what swallowed them.",
	}, []string{"by"})
	reg.MustRegister(m.swallow)
	// One server is a cluster of one, as far as dashboards are concerned.
	gauge("alertmanager_cluster_members", "Servers that share the work.").Set(1)
	gauge("alertmanager_cluster_enabled", "Whether servers gossip. They never do.").Set(0)
	reg.MustRegister(m.limit, newBuildInfo(), versioncollector.NewCollector("tocsin"))
	return m
}

// loaded notes that a configuration is in force.
func (m *configMetrics) loaded(a *assembly, now time.Time) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(a.config.Hash)) // it never fails
	m.success.Set(1)
	m.at.Set(float64(now.Unix()))
	m.hash.Set(float64(h.Sum64() >> 16)) // 48 bits, as many as a float64 holds exactly
	m.receivers.Set(float64(len(a.receivers)))
	integrations := 0
	for _, in := range a.receivers {
		integrations += len(in)
	}
	m.integrations.Set(float64(integrations))
	m.inhibitRules.Set(float64(len(a.config.Alertmanager.InhibitRules)))
}

// failed notes that the configuration on disk is bad.
func (m *configMetrics) failed() { m.success.Set(0) }

func (m *configMetrics) limited(string) { m.limit.Inc() }

func (m *configMetrics) swallowed(by dedupe.Swallower) { m.swallow.WithLabelValues(string(by)).Inc() }
