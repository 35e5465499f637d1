package server

import (
	"bytes"
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

// TestOpenReadOnly looks into a database that another server works on, as export does.
func TestOpenReadOnly(t *testing.T) {
	for name, start := range map[string]func(testing.TB, sqlstoretest.Options) *sqlstoretest.Server{
		"sqlite": nil, "postgres": sqlstoretest.Postgres, "mysql": sqlstoretest.MariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			dir, storage := t.TempDir(), config.Storage{}
			if start != nil {
				storage.DSN = config.Secret(start(t, sqlstoretest.Options{}).URL(""))
			}
			_, err := openReadOnly(t.Context(), dir, "reader", storage)
			require.Error(t, err, "there is nothing to read, and nothing is made")

			leader, err := openDatabase(t.Context(), dir, "leader", storage)
			require.NoError(t, err)
			defer leader.Close()
			generation, err := leader.Acquire(t.Context())
			require.NoError(t, err)
			plans := sqlstoretest.Plans(sqlstoretest.Alerts(0, 20), 10)
			require.NoError(t, leader.Commit(t.Context(), generation, plans[0]))

			reader, err := openReadOnly(t.Context(), dir, "reader", storage)
			require.NoError(t, err)
			defer reader.Close()
			s, err := reader.Load(t.Context())
			require.NoError(t, err)
			assert.Len(t, s.Alerts, 10)
			require.ErrorIs(t, reader.Commit(t.Context(), generation, plans[1]), sqlstore.ErrReadOnly)
			_, err = reader.Acquire(t.Context())
			require.ErrorIs(t, err, sqlstore.ErrReadOnly)
			_, err = reader.Prune(t.Context(), time.Now(), 1)
			require.ErrorIs(t, err, sqlstore.ErrReadOnly)

			require.NoError(t, leader.Commit(t.Context(), generation, plans[1]), "it leads as before")
			var out bytes.Buffer
			n, err := reader.Export(t.Context(), &out, time.Unix(0, 0), time.Now().AddDate(100, 0, 0))
			require.NoError(t, err)
			assert.Equal(t, 20, n)
		})
	}
}
