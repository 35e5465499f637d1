package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlstoretest"
)

var start = time.Date(2026, time.January, 2, 3, 4, 5, 678_901_234, time.UTC)

// sizes are how many alerts there are.
var sizes = []int{1_000, 10_000, 100_000}

func openBench(b *testing.B, path string) (*sqlstore.DB, int64) {
	b.Helper()
	db := open(b, path, sqlite.Options{})
	generation, err := db.Acquire(b.Context())
	require.NoError(b, err)
	return db, generation
}

func fresh(b *testing.B) *sqlstore.DB {
	return open(b, filepath.Join(b.TempDir(), "tocsin.db"), sqlite.Options{})
}

func BenchmarkCommit(b *testing.B) { sqlstoretest.BenchmarkCommit(b, sizes, fresh) }

func BenchmarkOne(b *testing.B) { sqlstoretest.BenchmarkOne(b, fresh) }

func BenchmarkLoad(b *testing.B) { sqlstoretest.BenchmarkLoad(b, sizes, fresh) }

// BenchmarkHistory asks for one alert among many records.
func BenchmarkHistory(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			db, generation := openBench(b, filepath.Join(b.TempDir(), "tocsin.db"))
			defer db.Close()
			changes := sqlstoretest.Alerts(0, n)
			for _, p := range sqlstoretest.Plans(changes, 1_000) {
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
