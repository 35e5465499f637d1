package notify

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reconcileMetrics are those of one Reconciler; its name is a constant label.
type reconcileMetrics struct {
	steps    *prometheus.CounterVec
	failures prometheus.Counter
	drift    prometheus.Gauge
	guarded  prometheus.Gauge
	last     prometheus.Gauge
}

func newReconcileMetrics(opts ReconcilerOptions) (*reconcileMetrics, error) {
	labels := prometheus.Labels{"remote": opts.Name}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels})
	}
	m := &reconcileMetrics{
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_reconcile_steps_total", Help: "What reconciliations did.", ConstLabels: labels,
		}, []string{"action"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_reconcile_failures_total", Help: "Reconciliations that were not complete.", ConstLabels: labels,
		}),
		drift:   gauge("tocsin_reconcile_drift_incidents", "Differences between us and the remote that the last reconciliation found."),
		guarded: gauge("tocsin_reconcile_guarded", "1 while the guard keeps a reconciliation from closing too much."),
		last:    gauge("tocsin_reconcile_last_success_timestamp_seconds", "When the last complete reconciliation began."),
	}
	for a := StepClose; a <= StepRemind; a++ {
		m.steps.WithLabelValues(a.String())
	}
	if opts.Registerer == nil {
		return m, nil
	}
	var all []error
	for _, c := range []prometheus.Collector{m.steps, m.failures, m.drift, m.guarded, m.last} {
		all = append(all, opts.Registerer.Register(c))
	}
	return m, errors.Join(all...)
}

func (m *reconcileMetrics) stepped(a StepAction) { m.steps.WithLabelValues(a.String()).Inc() }

func (m *reconcileMetrics) failed() { m.failures.Inc() }

func (m *reconcileMetrics) completed(at time.Time, drift int, guarded bool) {
	m.drift.Set(float64(drift))
	m.last.Set(float64(at.UnixMilli()) / 1000)
	m.guarded.Set(0)
	if guarded {
		m.guarded.Set(1)
	}
}
