package sqlite_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
)

// asNobody runs f without the rights of root, if the test has them. They are those of a thread,
// which ends with the goroutine.
func asNobody(t *testing.T, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // never unlocked
			if err := unix.Setfsuid(65534); err != nil {
				t.Error(err)
			}
		}
		f()
	}()
	<-done
}

func TestNoPermission(t *testing.T) {
	path := filled(t, 10)
	dir := filepath.Dir(path)
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // the test's own, up to here for its owner only
	for _, test := range []struct {
		name      string
		dir, file os.FileMode
		kind      error
	}{
		{"nothing may be written", 0o555, 0o444, sqlstore.ErrReadOnly},
		{"the file may not be written", 0o777, 0o444, sqlstore.ErrReadOnly},
		{"the file may not be read", 0o777, 0o000, sqlstore.ErrUnavailable},
		{"the directory may not be written", 0o555, 0o666, sqlstore.ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, os.Chmod(dir, test.dir))
			require.NoError(t, os.Chmod(path, test.file))
			require.NoError(t, os.RemoveAll(path+".lock"))
			var err error
			asNobody(t, func() { err = openAndCommit(t, path) })
			assertKind(t, err, test.kind, path)
		})
	}
	require.NoError(t, os.Chmod(dir, 0o755))
}

func assertKind(t *testing.T, err, kind error, path string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	var trouble *sqlstore.Error
	require.ErrorAs(t, err, &trouble)
	assert.Contains(t, []string{path, path + ".lock"}, trouble.Where)
}

func openAndCommit(t *testing.T, path string) error {
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	generation, err := db.Acquire(t.Context())
	if err != nil {
		return err
	}
	return db.Commit(t.Context(), generation, &alarm.Plan{Events: []alarm.Event{{Kind: "reload"}}})
}
