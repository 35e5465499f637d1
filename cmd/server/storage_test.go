package server

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlstoretest"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

// TestStandBy has two servers on one database.
func TestStandBy(t *testing.T) {
	for name, start := range map[string]func(testing.TB, sqlstoretest.Options) *sqlstoretest.Server{
		"postgres": sqlstoretest.Postgres, "mysql": sqlstoretest.MariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			url := start(t, sqlstoretest.Options{}).URL("")
			storage := config.Storage{DSN: config.Secret(url)}
			log := slog.New(slog.DiscardHandler)
			open := func(name string) *member {
				db, err := openDatabase(t.Context(), t.TempDir(), name, storage)
				require.NoError(t, err)
				return &member{db: db, shared: true}
			}
			first, second := open("http://one"), open("http://two")
			defer second.db.Close()
			generation, err := first.acquire(t.Context())
			require.NoError(t, err)
			require.NotZero(t, generation)
			leading, kept := keepLease(t.Context(), first.db, generation, log)
			require.True(t, kept.holds())

			enough := time.After(sqlstore.DefaultTTL + 3*time.Second)
			for waiting := true; waiting; {
				select {
				case <-enough:
					waiting = false
				case <-time.After(followEvery):
					taken, err := second.acquire(t.Context())
					require.NoError(t, err)
					require.Zero(t, taken, "the lease is renewed, so the other stands by")
				}
			}
			require.NoError(t, leading.Err())
			require.True(t, kept.holds())

			kept.stop()
			require.NoError(t, first.db.Release(t.Context(), generation))
			next, err := second.acquire(t.Context())
			require.NoError(t, err)
			assert.Greater(t, next, generation)

			leading, kept = keepLease(t.Context(), first.db, generation, log)
			defer kept.stop()
			<-leading.Done()
			require.ErrorIs(t, context.Cause(leading), alarm.ErrLeaseLost)
			require.False(t, kept.holds())
			require.NoError(t, first.db.Close())
			l, err := second.db.Leadership(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "http://two", l.Name)
		})
	}
}
