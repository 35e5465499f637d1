package sqlite_test

import (
	"bytes"
	"database/sql"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlstoretest"
)

// raw opens the file as any other program would.
func raw(t *testing.T, path string) *sql.DB {
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// filled makes a database with some alerts in it, and closes it.
func filled(t *testing.T, alerts int) (path string) {
	path = filepath.Join(t.TempDir(), "tocsin.db")
	db := open(t, path, sqlite.Options{})
	generation, err := db.Acquire(t.Context())
	require.NoError(t, err)
	for _, p := range sqlstoretest.Plans(sqlstoretest.Alerts(0, alerts), 500) {
		require.NoError(t, db.Commit(t.Context(), generation, p))
	}
	require.NoError(t, db.Close())
	return path
}

// assertTrouble says that the error is of this kind, and says where and what to do.
func assertTrouble(t *testing.T, err, kind error, path string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	var trouble *sqlstore.Error
	require.ErrorAs(t, err, &trouble)
	assert.Equal(t, path, trouble.Where)
	assert.Contains(t, err.Error(), path)
	assert.Contains(t, err.Error(), trouble.Remedy)
	assert.NotEmpty(t, trouble.Remedy)
}

func TestLocked(t *testing.T) {
	path := filled(t, 10)
	db := open(t, path, sqlite.Options{BusyTimeout: time.Millisecond})
	defer db.Close()
	generation, err := db.Acquire(t.Context())
	require.NoError(t, err)

	other, err := raw(t, path).Conn(t.Context())
	require.NoError(t, err)
	defer other.Close()
	_, err = other.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	p := sqlstoretest.Plans(sqlstoretest.Alerts(10, 10), 10)[0]
	assertTrouble(t, db.Commit(t.Context(), generation, p), sqlstore.ErrLocked, path)
	s, err := db.Load(t.Context())
	require.NoError(t, err, "readers do not mind")
	assert.Len(t, s.Alerts, 10)

	_, err = other.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, db.Commit(t.Context(), generation, p))
	s, err = db.Load(t.Context())
	require.NoError(t, err)
	assert.Len(t, s.Alerts, 20)
}

func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	db := open(t, path, sqlite.Options{MaxBytes: 1 << 20})
	defer db.Close()
	generation, err := db.Acquire(t.Context())
	require.NoError(t, err)
	small, large := sqlstoretest.Plans(sqlstoretest.Alerts(0, 100), 100)[0], sqlstoretest.Plans(sqlstoretest.Alerts(100, 1000), 1000)[0]
	require.NoError(t, db.Commit(t.Context(), generation, small))
	for range 3 {
		assertTrouble(t, db.Commit(t.Context(), generation, large), sqlstore.ErrFull, path)
	}
	s, err := db.Load(t.Context())
	require.NoError(t, err)
	assert.Len(t, s.Alerts, 100, "nothing of the failed commits is there")

	next := sqlstoretest.Plans(sqlstoretest.Alerts(5000, 50), 50)[0]
	require.NoError(t, db.Commit(t.Context(), generation, next), "there is room for a small one")
	s, err = db.Load(t.Context())
	require.NoError(t, err)
	assert.Len(t, s.Alerts, 150)
	records, err := db.Records(t.Context(), 0, 0)
	require.NoError(t, err)
	assert.Len(t, records, 150)
}

func TestNewerSchema(t *testing.T) {
	path := filled(t, 10)
	_, err := raw(t, path).Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
	require.NoError(t, err)
	for _, readOnly := range []bool{false, true} {
		_, err = sqlite.Open(path, sqlite.Options{ReadOnly: readOnly})
		var schema *sqlstore.SchemaError
		require.ErrorAs(t, err, &schema)
		assert.Equal(t, &sqlstore.SchemaError{Where: path, Found: 99, Known: 1}, schema)
		assert.Equal(t, "open: database "+path+" has schema version 99, this program knows version 1: "+
			"run the newer version again, or restore a copy of the database from before the upgrade", err.Error())
	}
}

// TestUpgradedMeanwhile has a newer version lead between Open and Acquire.
func TestUpgradedMeanwhile(t *testing.T) {
	path := filled(t, 1)
	db := open(t, path, sqlite.Options{})
	defer db.Close()
	_, err := raw(t, path).Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, 1)")
	require.NoError(t, err)
	var schema *sqlstore.SchemaError
	_, err = db.Acquire(t.Context())
	require.ErrorAs(t, err, &schema)
	assert.EqualValues(t, 2, schema.Found)
}

func TestGarbage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	garbage := bytes.Repeat([]byte("this is not a database\n"), 1000)
	require.NoError(t, os.WriteFile(path, garbage, 0o600))
	_, err := sqlite.Open(path, sqlite.Options{})
	assertTrouble(t, err, sqlstore.ErrCorrupt, path)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, garbage, after, "it is left as it was")
}

// TestTornPage overwrites halves of pages: it is noticed, or it was nothing that is read.
func TestTornPage(t *testing.T) {
	path := filled(t, 1000)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	pages := len(whole) / 4096
	require.Greater(t, pages, 100)
	noticed := 0
	for n := range 40 {
		torn := bytes.Clone(whole)
		page := torn[(1+n*(pages-1)/40)*4096:][:4096]
		if n%2 == 0 {
			clear(page[:2048])
		} else {
			for i := range page[2048:] {
				page[2048+i] = byte(rand.Uint32())
			}
		}
		require.NoError(t, os.WriteFile(path, torn, 0o600))
		s, err := openAndLoad(t, path)
		if err != nil {
			assertTrouble(t, err, sqlstore.ErrCorrupt, path)
			noticed++
			continue
		}
		assert.Len(t, s.Alerts, 1000, "no alert is lost in silence: page %d", n)
	}
	assert.Positive(t, noticed)
}

func openAndLoad(t *testing.T, path string) (*alarm.Stored, error) {
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return db.Load(t.Context())
}

// TestForeignRow changes rows behind our back.
func TestForeignRow(t *testing.T) {
	for _, change := range []string{
		"UPDATE alerts SET body = '{\"labels\":' WHERE id = 3",
		"UPDATE alerts SET body = replace(CAST(body AS TEXT), 'payments', 'payment') WHERE id = 3",
		"UPDATE alerts SET body = NULL WHERE id = 3",
		"INSERT INTO silences VALUES ('x', '{\"matchers\":[{\"name\":\"a\",\"type\":\"=~\",\"value\":\"(\"}]}')",
		"INSERT INTO intentions VALUES (1, '{\"action\":\"dance\"}')",
		"INSERT INTO \"groups\" VALUES ('x', '{}')",
	} {
		path := filled(t, 5)
		_, err := raw(t, path).Exec(change)
		require.NoError(t, err)
		_, err = openAndLoad(t, path)
		assertTrouble(t, err, sqlstore.ErrCorrupt, path)
		assert.Contains(t, err.Error(), "row", change)
	}
}

// TestRowIsNamed spoils one alert among many, which are decoded by several goroutines.
func TestRowIsNamed(t *testing.T) {
	for _, change := range []string{`CAST('{' AS BLOB)`, `(SELECT body FROM alerts WHERE id = 1)`} {
		path := filled(t, 2000)
		_, err := raw(t, path).Exec("UPDATE alerts SET body = " + change + " WHERE id = 1234")
		require.NoError(t, err)
		_, err = openAndLoad(t, path)
		assertTrouble(t, err, sqlstore.ErrCorrupt, path)
		assert.Contains(t, err.Error(), "table alerts, row 1234: ")
	}
}

func TestReadOnly(t *testing.T) {
	path := filled(t, 10)
	db := open(t, path, sqlite.Options{ReadOnly: true})
	defer db.Close()
	s, err := db.Load(t.Context())
	require.NoError(t, err)
	assert.Len(t, s.Alerts, 10)
	records, err := db.Records(t.Context(), 0, 0)
	require.NoError(t, err)
	assert.Len(t, records, 10)

	assertTrouble(t, db.Commit(t.Context(), 1, &alarm.Plan{}), sqlstore.ErrReadOnly, path)
	_, err = db.Acquire(t.Context())
	assertTrouble(t, err, sqlstore.ErrReadOnly, path)
	_, err = db.Prune(t.Context(), start, 1)
	assertTrouble(t, err, sqlstore.ErrReadOnly, path)
	_, err = db.InstanceID(t.Context())
	assertTrouble(t, err, sqlstore.ErrReadOnly, path)

	missing := filepath.Join(t.TempDir(), "missing.db")
	_, err = sqlite.Open(missing, sqlite.Options{ReadOnly: true})
	assertTrouble(t, err, sqlstore.ErrUnavailable, missing)
	assert.NoFileExists(t, missing)
}

func TestUnavailable(t *testing.T) {
	dir := t.TempDir()
	_, err := sqlite.Open(dir, sqlite.Options{})
	assertTrouble(t, err, sqlstore.ErrUnavailable, dir)

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	below := filepath.Join(file, "tocsin.db")
	_, err = sqlite.Open(below, sqlite.Options{})
	assertTrouble(t, err, sqlstore.ErrUnavailable, below)

	_, err = sqlite.Open("sqlite:", sqlite.Options{})
	require.EqualError(t, err, "sqlite: the path is empty")
}

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"plain.db", "a b.db", "q?mode=ro&x.db", "per%20cent%.db", "hash#1.db", "ünï.db", "new/dir/x.db"} {
		for range 2 {
			db := open(t, "sqlite:"+filepath.Join(dir, name), sqlite.Options{})
			_, err := db.Acquire(t.Context())
			require.NoError(t, err)
			require.NoError(t, db.Close())
			assert.FileExists(t, filepath.Join(dir, name))
			assert.FileExists(t, filepath.Join(dir, name+".lock"))
		}
	}
}
