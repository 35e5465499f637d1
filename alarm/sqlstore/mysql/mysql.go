package mysql

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"runtime"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"
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

// silence is how long the server waits for us, in the middle of a transaction or elsewhere; idle
// connections are closed before. lockWait is how long we wait for a lock that another server holds.
const (
	silence  = 6 * time.Second
	idle     = 4 * time.Second
	lockWait = 7 * time.Second
)

// Open opens the database and brings its tables up to date. The returned error wraps an
// *sqlstore.Error if the server cannot be reached, and an *sqlstore.HeldError if the tables must be
// changed and another server still works on them.
func Open(ctx context.Context, url string, opts Options) (*sqlstore.DB, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return nil, err
	}
	read, err := pool(config, opts, nil)
	if err != nil {
		return nil, fmt.Errorf("mysql: %w", err)
	}
	read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	read.SetMaxIdleConns(2)
	write, err := pool(config, opts, map[string]string{"wait_timeout": seconds(silence)})
	if err != nil {
		return nil, fmt.Errorf("mysql: %w", err)
	}
	write.SetMaxOpenConns(1)
	write.SetConnMaxIdleTime(idle)
	where := "mysql://" + config.Addr + "/" + config.DBName
	db, err := sqlstore.New(ctx, write, read, sqlstore.Dialect{
		Name:       goose.DialectMySQL,
		Migrations: migrations,
		Tables:     "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
		Where:      where,
		ReadOnly:   opts.ReadOnly,
		Upsert:     onDuplicateKey,
		Trouble:    func(err error) error { return trouble(where, err) },
		Server: &sqlstore.Server{
			Now:          "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) * 1000",
			LockSchema:   "SELECT GET_LOCK(" + schemaLock + ", 10)",
			UnlockSchema: "SELECT RELEASE_LOCK(" + schemaLock + ")",
			Name:         opts.Name, TTL: opts.TTL, Timeout: opts.Timeout,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return db, nil
}

// schemaLock is the server's, so it names the database, in at most 64 characters.
const schemaLock = "SHA1(CONCAT('tocsin ', DATABASE()))"

// onDuplicateKey is written so that MariaDB knows it too.
func onDuplicateKey(_, columns []string) string {
	sets := make([]string, len(columns))
	for i, c := range columns {
		sets[i] = c + "=VALUES(" + c + ")"
	}
	return " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ",")
}

// pool makes connections with further settings of the session.
func pool(config *driver.Config, opts Options, settings map[string]string) (*sql.DB, error) {
	c := config.Clone()
	c.Params = map[string]string{
		"sql_mode":                 "'ANSI_QUOTES,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
		"time_zone":                "'+00:00'",
		"innodb_lock_wait_timeout": seconds(lockWait),
	}
	for name, value := range settings {
		c.Params[name] = value
	}
	c.ClientFoundRows = true   // an update counts the rows that it finds
	c.InterpolateParams = true // a statement is one round trip
	c.Timeout = 5 * time.Second
	timeout := opts.Timeout
	if timeout <= 0 {
		timeout = 15 * time.Second
	}
	c.ReadTimeout, c.WriteTimeout = timeout, timeout
	c.Logger = &driver.NopLogger{} // what it logs, it returns as well
	connector, err := driver.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
