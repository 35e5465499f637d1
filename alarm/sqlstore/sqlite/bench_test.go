package sqlite_test

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
)

var start = time.Date(2026, time.January, 2, 3, 4, 5, 678_901_234, time.UTC)

// benchAlerts are as Prometheus pushes them: 10 labels, 3 annotations, about 800 bytes of JSON.
func benchAlerts(from, n int) []alarm.Change {
	changes := make([]alarm.Change, n)
	for i := range changes {
		id := from + i
		a := alarm.Alert{
			Labels: model.LabelSet{
				"alertname": model.LabelValue(fmt.Sprintf("HighLatency%d", id%50)), "cluster": model.LabelValue(fmt.Sprintf("cluster-%02d", id%50)),
				"instance": model.LabelValue(fmt.Sprintf("10.0.%d.%d:9100", id/250%250, id%250)), "job": "node-exporter",
				"namespace": "production", "pod": model.LabelValue(fmt.Sprintf("frontend-%08d", id)), "service": "frontend",
				"severity": "critical", "team": "payments", "region": "eu-central-1",
			},
			Annotations: model.LabelSet{
				"summary":     model.LabelValue(fmt.Sprintf("High latency on frontend-%08d", id)),
				"description": "The 99th percentile of request latency is above the objective for 10 minutes.",
				"runbook_url": "https://runbooks.example.org/frontend/high-latency",
			},
			GeneratorURL: "http://prometheus.example.org/graph?g0.expr=histogram_quantile&g0.tab=1",
			StartsAt:     start, EndsAt: start.Add(5 * time.Minute), UpdatedAt: start, FirstSeen: start, Fired: 1,
			Reports: []alarm.Report{{Source: "push", StartsAt: start, EndsAt: start.Add(5 * time.Minute), UpdatedAt: start, Partial: true}},
		}.WithFingerprint()
		changes[i] = alarm.Change{Kind: alarm.Appeared, Alert: &a, Source: "push"}
	}
	return changes
}

// plansOf cuts the changes into plans, each sorted by fingerprint.
func plansOf(changes []alarm.Change, batch int) (plans []*alarm.Plan) {
	for part := range slices.Chunk(changes, batch) {
		part = slices.Clone(part)
		slices.SortFunc(part, func(a, b alarm.Change) int { return cmp.Compare(a.Alert.Fingerprint(), b.Alert.Fingerprint()) })
		plans = append(plans, &alarm.Plan{At: start, Inputs: part})
	}
	return plans
}

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func openBench(b *testing.B, path string) (*sqlstore.DB, int64) {
	b.Helper()
	db := open(b, path, sqlite.Options{})
	generation, err := db.Acquire(b.Context())
	require.NoError(b, err)
	return db, generation
}

// BenchmarkCommit writes new alerts into an empty database.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		changes := benchAlerts(0, n)
		for _, batch := range []int{64, 1_000, 5_000} {
			if batch > n {
				continue
			}
			plans := plansOf(changes, batch)
			b.Run(fmt.Sprintf("alerts=%d/batch=%d", n, batch), func(b *testing.B) {
				var spent time.Duration
				for b.Loop() {
					b.StopTimer()
					db, generation := openBench(b, filepath.Join(b.TempDir(), "tocsin.db"))
					b.StartTimer()
					began := cpu()
					for _, p := range plans {
						require.NoError(b, db.Commit(b.Context(), generation, p))
					}
					spent += cpu() - began
					b.StopTimer()
					require.NoError(b, db.Close())
					b.StartTimer()
				}
				b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*n)/1000, "cpu-µs/alert")
			})
		}
	}
}

// BenchmarkLoad reads the state at the start.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("alerts=%d", n), func(b *testing.B) {
			db, generation := openBench(b, filepath.Join(b.TempDir(), "tocsin.db"))
			defer db.Close()
			for _, p := range plansOf(benchAlerts(0, n), 5_000) {
				require.NoError(b, db.Commit(b.Context(), generation, p))
			}
			b.ReportAllocs()
			for b.Loop() {
				s, err := db.Load(b.Context())
				require.NoError(b, err)
				require.Len(b, s.Alerts, n)
			}
		})
	}
}

// BenchmarkHistory asks for one alert among many records.
func BenchmarkHistory(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			db, generation := openBench(b, filepath.Join(b.TempDir(), "tocsin.db"))
			defer db.Close()
			changes := benchAlerts(0, n)
			for _, p := range plansOf(changes, 1_000) {
				require.NoError(b, db.Commit(b.Context(), generation, p))
			}
			fp := changes[n/2].Alert.Fingerprint()
			for b.Loop() {
				records, err := db.History(b.Context(), fp, start, start, 0)
				require.NoError(b, err)
				require.Len(b, records, 1)
			}
		})
	}
}
