package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlstoretest"
)

func TestMain(m *testing.M) {
	child()
	goleak.VerifyTestMain(m)
}

func TestStore(t *testing.T) {
	alarmtest.ExerciseStore(t, func(t *testing.T) func(*testing.T) alarmtest.Database {
		path := filepath.Join(t.TempDir(), "tocsin.db")
		return func(t *testing.T) alarmtest.Database { return open(t, path, sqlite.Options{}) }
	})
}

func TestExport(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "tocsin.db"), sqlite.Options{})
	defer db.Close()
	sqlstoretest.ExerciseExport(t, db)
}

// open leaves closing to the caller.
func open(t testing.TB, path string, opts sqlite.Options) *sqlstore.DB {
	t.Helper()
	db, err := sqlite.Open(path, opts)
	require.NoError(t, err)
	return db
}
