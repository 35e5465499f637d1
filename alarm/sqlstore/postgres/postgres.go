package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"runtime"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/tocsin/tocsin/alarm/sqlstore"
)

//go:embed migrations/*.sql
var files embed.FS

// Options configures a database. The zero value works.
type Options struct {
	// Name is what the lease says of this process to others, such as the address of its API.
	// Defaults to nothing.
	Name string

	// TTL is how long the lease is held without being renewed. Defaults to sqlstore.DefaultTTL.
	TTL time.Duration

	// Timeout bounds each method but Load, which may take ten times as long. Defaults to 15 s.
	Timeout time.Duration

	// ReadOnly opens a database that another process writes: nothing is migrated, and all that
	// would write fails.
	ReadOnly bool
}

// silence is how long PostgreSQL waits for us in the middle of a transaction, and lockWait how long
// we wait for a lock that another server holds.
const (
	silence  = 6 * time.Second
	lockWait = 7 * time.Second
)

// errURL does not wrap the parser's error, which may quote the password.
var errURL = errors.New("postgres: not a URL of the form postgres://user:password@host:5432/database?sslmode=verify-full")

// Open opens the database and brings its tables up to date. The returned error wraps an
// *sqlstore.Error if the server cannot be reached, and an *sqlstore.HeldError if the tables must be
// changed and another server still works on them.
func Open(ctx context.Context, url string, opts Options) (*sqlstore.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	read := pool(config, opts, nil)
	read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	read.SetMaxIdleConns(2)
	write := pool(config, opts, map[string]string{"idle_in_transaction_session_timeout": milliseconds(silence)})
	write.SetMaxOpenConns(1)
	where := "postgres://" + net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))) + "/" + config.Database
	db, err := sqlstore.New(ctx, write, read, sqlstore.Dialect{
		Name:       goose.DialectPostgres,
		Migrations: migrations,
		Tables:     "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ?",
		Where:      where,
		ReadOnly:   opts.ReadOnly,
		Numbered:   true,
		Trouble:    func(err error) error { return trouble(where, err) },
		Server: &sqlstore.Server{
			Now:          "(extract(epoch from clock_timestamp()) * 1000000)::bigint * 1000",
			Arrays:       true,
			LockSchema:   "SELECT 1 FROM pg_advisory_lock(" + schemaLock + ")",
			UnlockSchema: "SELECT pg_advisory_unlock(" + schemaLock + ")::int",
			Name:         opts.Name, TTL: opts.TTL, Timeout: opts.Timeout,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return db, nil
}

// schemaLock is any number that other programs hardly use for an advisory lock.
const schemaLock = "7237123446850545518"

// pool makes connections with further settings of the session.
func pool(config *pgx.ConnConfig, opts Options, settings map[string]string) *sql.DB {
	c := config.Copy()
	all := map[string]string{"application_name": "tocsin", "lock_timeout": milliseconds(lockWait)}
	if opts.ReadOnly {
		all["default_transaction_read_only"] = "on"
	}
	maps.Copy(all, c.RuntimeParams)
	maps.Copy(all, settings)
	c.RuntimeParams = all
	return stdlib.OpenDB(*c)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
