package vlogs

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	rows     *prometheus.CounterVec
	batches  *prometheus.CounterVec
	receipts *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, held func() (int, int64)) (*metrics, error) {
	m := &metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_vlogs_rows_total",
			Help: "Rows by what became of them on our side: written into a batch, or too_long for one.",
		}, []string{"outcome"}),
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_vlogs_batches_total",
			Help: "Batches by what became of them: sent, retried (each time), rejected or dropped.",
		}, []string{"outcome"}),
		receipts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_vlogs_receipts_total",
			Help: "Rows that were written and read back: found, missing, or failed to be written or asked for.",
		}, []string{"outcome"}),
	}
	for _, o := range [...]string{"sent", "retried", "rejected", "dropped"} {
		m.batches.WithLabelValues(o)
	}
	for _, o := range [...]string{"written", "too_long"} {
		m.rows.WithLabelValues(o)
	}
	for _, o := range [...]string{"found", "missing", "failed"} {
		m.receipts.WithLabelValues(o)
	}
	if r == nil {
		return m, nil
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tocsin_vlogs_spool_bytes",
		Help: "What waits to be sent, compressed.",
	}, func() float64 { _, n := held(); return float64(n) })
	for _, c := range [...]prometheus.Collector{m.rows, m.batches, m.receipts, waiting} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
