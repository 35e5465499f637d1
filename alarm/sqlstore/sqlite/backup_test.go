package sqlite_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
)

// TestBackup copies a database again and again while numbered plans are committed to it.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tocsin.db")
	db := open(t, path, sqlite.Options{})
	generation, err := db.Acquire(t.Context())
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	committed := make(chan int, 1)
	go func() {
		n := 0
		for ctx.Err() == nil {
			n++
			if !assert.NoError(t, db.Commit(t.Context(), generation, numberedPlan(n))) {
				break
			}
		}
		committed <- n
	}()
	last := 0
	for i := range 5 {
		to := filepath.Join(dir, "copy", "c"+string(rune('0'+i)))
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, sqlite.Backup(t.Context(), "sqlite:"+path, to))
		copied := open(t, to, sqlite.Options{})
		s, err := copied.Load(t.Context())
		require.NoError(t, err)
		n := lastNumber(s)
		require.GreaterOrEqual(t, n, last)
		last = n
		assertWhole(t, copied, s, n)
		require.NoError(t, copied.Close())
	}
	cancel()
	assert.GreaterOrEqual(t, <-committed, last)
	require.NoError(t, db.Close())
}

func TestBackupRefuses(t *testing.T) {
	dir := t.TempDir()
	path, to := filled(t, 10), filepath.Join(dir, "copy.db")
	require.NoError(t, sqlite.Backup(t.Context(), path, to))
	before, err := os.ReadFile(to)
	require.NoError(t, err)
	err = sqlite.Backup(t.Context(), path, to)
	require.ErrorIs(t, err, fs.ErrExist, "it overwrites nothing")
	after, err := os.ReadFile(to)
	require.NoError(t, err)
	assert.Equal(t, before, after)

	other := filepath.Join(dir, "other.db")
	require.ErrorIs(t, sqlite.Backup(t.Context(), filepath.Join(dir, "missing.db"), other), sqlstore.ErrUnavailable)
	text := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(text, []byte("this is no database, but long enough to be asked whether it is one"), 0o600))
	require.ErrorIs(t, sqlite.Backup(t.Context(), text, other), sqlstore.ErrCorrupt)
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	require.ErrorContains(t, sqlite.Backup(t.Context(), empty, other), "no database of tocsin's")
	require.Error(t, sqlite.Backup(t.Context(), path, filepath.Join(dir, "no", "folder", "x.db")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, sqlite.Backup(ctx, path, other))
	assert.NoFileExists(t, other)
	assert.NoFileExists(t, other+".partial")
}
