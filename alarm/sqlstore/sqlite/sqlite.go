// Package sqlite keeps the state in one file: the embedded default.
//
// [Open] returns a [sqlstore.DB] over a database in WAL mode with synchronous=FULL, so that what
// was committed survives a kill -9 and a loss of power. One connection writes; some others read
// beside it. Whoever migrates the tables or holds the lease has locked the file PATH.lock, which
// ends with the process: after a kill -9 nobody waits. The lock file stays behind and means nothing
// by itself; it holds the process ID for messages.
//
// The database must be on a local disk: neither WAL nor the lock work over every network file
// system. This package needs a Unix system. Do not open the database file with anything else in
// the same process: closing it would release SQLite's own locks, as POSIX wants it.
//
// # Care
//
// [Backup] copies the database while it is used. Retention deletes in small batches, and the pages that
// it empties are used again, so the file stays as large as it ever was. After retention was shortened,
// stop the server and run sqlite3 tocsin.db VACUUM to give them back: it needs as much room again as
// the database will have.
//
// Errors are those of sqlstore. A DB may be used from any goroutine.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"github.com/tocsin/tocsin/alarm/sqlstore"
)

//go:embed migrations/*.sql
var files embed.FS

// busyTimeout is the default of Options.BusyTimeout.
const busyTimeout = 5 * time.Second

// Options configures a database. The zero value works.
type Options struct {
	// BusyTimeout is how long to wait for another process that writes to the database, such as a
	// backup. Defaults to 5 s.
	BusyTimeout time.Duration

	// ReadOnly opens a database that must exist, and leaves it as it is.
	ReadOnly bool

	// MaxBytes bounds the size of the database file; then commits fail with sqlstore.ErrFull.
	// Defaults to no bound but the disk.
	MaxBytes int64
}

// pageSize is SQLite's default.
const pageSize = 4096

// Open opens the database at path, which may begin with "sqlite:", and makes it and its directory
// if they are missing.
func Open(path string, opts Options) (*sqlstore.DB, error) {
	path = strings.TrimPrefix(path, "sqlite:")
	if path == "" {
		return nil, errors.New("sqlite: the path is empty")
	}
	if opts.BusyTimeout <= 0 {
		opts.BusyTimeout = busyTimeout
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	db, err := open(abs, opts)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return db, nil
}

func open(path string, opts Options) (*sqlstore.DB, error) {
	if !opts.ReadOnly {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, &sqlstore.Error{
				Kind: sqlstore.ErrUnavailable, Where: path, Err: err, Remedy: "name a directory that can be made and written",
			}
		}
	}
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", dsn(path, opts, true))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn(path, opts, false))
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	read.SetMaxIdleConns(2)
	return sqlstore.New(context.Background(), write, read, sqlstore.Dialect{
		Name:       goose.DialectSQLite3,
		Migrations: migrations,
		Tables:     "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
		Where:      path,
		ReadOnly:   opts.ReadOnly,
		Trouble:    func(err error) error { return trouble(path, err) },
		Lock:       &fileLock{path: path + ".lock"},
	})
}

// dsn says how to open a connection. The cache holds 2,000 pages only: at each commit SQLite walks
// through all of it when the file has grown. A checkpoint after 4,000 pages, not 1,000, writes a
// page that changes often less often.
func dsn(path string, opts Options, write bool) string {
	q := url.Values{}
	q.Set("_busy_timeout", fmt.Sprint(opts.BusyTimeout.Milliseconds()))
	q.Set("_error_rc", "true")
	q.Add("_pragma", "cache_size(-8000)")
	q.Add("_pragma", "temp_store(memory)")
	switch {
	case opts.ReadOnly:
		q.Set("mode", "ro")
	case write:
		q.Add("_pragma", "journal_mode(wal)")
		q.Add("_pragma", "synchronous(full)")
		q.Add("_pragma", "wal_autocheckpoint(4000)")
		q.Add("_pragma", "journal_size_limit(67108864)")
		q.Set("_txlock", "immediate")
		if opts.MaxBytes > 0 {
			q.Add("_pragma", fmt.Sprintf("max_page_count(%d)", max(1, opts.MaxBytes/pageSize)))
		}
	default:
		q.Set("_query_only", "true")
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}
