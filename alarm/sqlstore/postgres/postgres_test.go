package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/postgres"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlstoretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	server := sqlstoretest.Postgres(t, sqlstoretest.Options{})
	n := 0
	alarmtest.ExerciseStore(t, func(t *testing.T) func(*testing.T) alarmtest.Database {
		n++
		url := newDatabase(t, server, fmt.Sprintf("store%d", n))
		return func(t *testing.T) alarmtest.Database { return open(t, url, postgres.Options{}) }
	})
}

func TestServer(t *testing.T) {
	sqlstoretest.ExerciseServer(t, sqlstoretest.Dialect{
		Start: sqlstoretest.Postgres,
		Open: func(ctx context.Context, url, name string, ttl, timeout time.Duration) (*sqlstore.DB, error) {
			return postgres.Open(ctx, url, postgres.Options{Name: name, TTL: ttl, Timeout: timeout})
		},
		Exec: raw,
	})
}

// TestFollow has one copy of the state that is kept up to date.
func TestFollow(t *testing.T) {
	server := sqlstoretest.Postgres(t, sqlstoretest.Options{})
	n := 0
	alarmtest.ExerciseStore(t, func(t *testing.T) func(*testing.T) alarmtest.Database {
		n++
		url := newDatabase(t, server, fmt.Sprintf("follow%d", n))
		var copied sqlstoretest.Copy
		return func(t *testing.T) alarmtest.Database { return copied.Of(open(t, url, postgres.Options{})) }
	})
}

// newDatabase makes an empty database and returns its URL.
func newDatabase(t testing.TB, s *sqlstoretest.Server, name string) string {
	t.Helper()
	raw(t, s.URL(""), "CREATE DATABASE "+name)
	return s.URL(name)
}

// raw runs a statement as any other program would.
func raw(t testing.TB, url, query string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), query)
	require.NoError(t, err)
}

// open leaves closing to the caller.
func open(t testing.TB, url string, opts postgres.Options) *sqlstore.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, opts)
	require.NoError(t, err)
	return db
}
