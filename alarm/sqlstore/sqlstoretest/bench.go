package sqlstoretest

import (
	"cmp"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// Alerts makes n alerts as Prometheus pushes them, numbered: 10 labels, 3 annotations, about 800 bytes of JSON.
func Alerts(from, n int) []alarm.Change {
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
			StartsAt:     start(), EndsAt: start().Add(5 * time.Minute), UpdatedAt: start(), FirstSeen: start(), Fired: 1,
			Reports: []alarm.Report{{Source: "push", StartsAt: start(), EndsAt: start().Add(5 * time.Minute), UpdatedAt: start(), Partial: true}},
		}.WithFingerprint()
		changes[i] = alarm.Change{Kind: alarm.Appeared, Alert: &a, Source: "push"}
	}
	return changes
}

// Plans cuts the changes into plans, each sorted by fingerprint.
func Plans(changes []alarm.Change, batch int) (plans []*alarm.Plan) {
	for part := range slices.Chunk(changes, batch) {
		part = slices.Clone(part)
		slices.SortFunc(part, func(a, b alarm.Change) int { return cmp.Compare(a.Alert.Fingerprint(), b.Alert.Fingerprint()) })
		plans = append(plans, &alarm.Plan{At: start(), Inputs: part})
	}
	return plans
}

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// A Fresh opens an empty database.
type Fresh func(b *testing.B) *sqlstore.DB

func (fresh Fresh) lead(b *testing.B) (*sqlstore.DB, int64) {
	b.Helper()
	db := fresh(b)
	generation, err := db.Acquire(b.Context())
	require.NoError(b, err)
	return db, generation
}

func (fresh Fresh) filled(b *testing.B, alerts int) (*sqlstore.DB, int64) {
	b.Helper()
	db, generation := fresh.lead(b)
	for _, p := range Plans(Alerts(0, alerts), 5_000) {
		require.NoError(b, db.Commit(b.Context(), generation, p))
	}
	return db, generation
}

// BenchmarkCommit writes new alerts into an empty database.
func BenchmarkCommit(b *testing.B, sizes []int, fresh Fresh) {
	for _, n := range sizes {
		changes := Alerts(0, n)
		for _, batch := range []int{64, 1_000, 5_000} {
			if batch > n {
				continue
			}
			plans := Plans(changes, batch)
			b.Run(fmt.Sprintf("alerts=%d/batch=%d", n, batch), func(b *testing.B) {
				var spent time.Duration
				for b.Loop() {
					b.StopTimer()
					db, generation := fresh.lead(b)
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
				b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "alerts/s")
			})
		}
	}
}

// BenchmarkOne commits one change at a time, among many alerts.
func BenchmarkOne(b *testing.B, fresh Fresh) {
	const n = 10_000
	db, generation := fresh.filled(b, n)
	defer db.Close()
	changes := Alerts(0, n)
	i := 0
	for b.Loop() {
		i++
		require.NoError(b, db.Commit(b.Context(), generation, &alarm.Plan{At: start(), Inputs: changes[i%n:][:1]}))
	}
}

// BenchmarkLoad reads the state at the start.
func BenchmarkLoad(b *testing.B, sizes []int, fresh Fresh) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("alerts=%d", n), func(b *testing.B) {
			db, _ := fresh.filled(b, n)
			defer db.Close()
			b.ReportAllocs()
			for b.Loop() {
				s, err := db.Load(b.Context())
				require.NoError(b, err)
				require.Len(b, s.Alerts, n)
			}
		})
	}
}

// BenchmarkFollow reads 100 changes among many alerts, and asks once more in vain.
func BenchmarkFollow(b *testing.B, fresh Fresh) {
	const n = 100_000
	db, generation := fresh.filled(b, n)
	defer db.Close()
	last, err := db.Leadership(b.Context())
	require.NoError(b, err)
	p := Plans(Alerts(n/2, 100), 100)[0]
	b.Run(fmt.Sprintf("alerts=%d/changed=100", n), func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			require.NoError(b, db.Commit(b.Context(), generation, p))
			b.StartTimer()
			delta, err := db.Follow(b.Context(), last)
			require.NoError(b, err)
			require.Len(b, delta.State.Alerts, 100)
			last = delta.Leadership
		}
	})
	b.Run(fmt.Sprintf("alerts=%d/changed=0", n), func(b *testing.B) {
		for b.Loop() {
			delta, err := db.Follow(b.Context(), last)
			require.NoError(b, err)
			require.Nil(b, delta.State)
		}
	})
}
