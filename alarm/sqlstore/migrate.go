package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/tocsin/tocsin/alarm/failpoint"
)

// migrate brings the tables up to date. It never goes back, and refuses tables that a newer version
// made.
func (d *DB) migrate(ctx context.Context) error {
	provider, err := goose.NewProvider(d.dialect.Name, d.write, d.dialect.Migrations,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	sources := provider.ListSources()
	d.known = sources[len(sources)-1].Version
	err = d.checkSchema(ctx)
	var old *SchemaError
	if !errors.As(err, &old) || old.Found > d.known || d.dialect.ReadOnly {
		return err
	}
	found, known := old.Found, d.known
	up := func() error {
		_, err := provider.Up(ctx)
		return err
	}
	if d.dialect.Server != nil {
		err = d.migrateServer(ctx, up)
	} else {
		err = d.migrateFile(up)
	}
	if err != nil {
		return fmt.Errorf("migrate the schema from version %d to %d: %w", found, known, err)
	}
	return nil
}

// migrateFile has the dialect's lock, for nobody else may be using the old tables.
func (d *DB) migrateFile(up func() error) error {
	if err := d.lock(); err != nil {
		return err
	}
	failpoint.Here("migrate-locked")
	if err := up(); err != nil {
		return err
	}
	failpoint.Here("migrate-done")
	return d.unlock()
}

// migrateServer waits for others who are migrating, and refuses to while an older version leads.
func (d *DB) migrateServer(ctx context.Context, up func() error) (err error) {
	conn, err := d.read.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // which would end the lock too
	if err := one(ctx, conn, d.dialect.Server.LockSchema); err != nil {
		return fmt.Errorf("wait for another server to migrate them: %w", err)
	}
	defer func() { err = errors.Join(err, one(ctx, conn, d.dialect.Server.UnlockSchema)) }()
	err = d.checkSchema(ctx)
	var old *SchemaError
	if !errors.As(err, &old) || old.Found > d.known {
		return err // another server was faster
	}
	if old.Found > 0 {
		l, err := d.leadership(ctx, conn)
		if err != nil {
			return err
		}
		if !l.Until.IsZero() {
			return &HeldError{Where: d.dialect.Where, By: l.Name, Until: l.Until}
		}
	}
	return up()
}

// one runs a query that is to return 1.
func one(ctx context.Context, conn *sql.Conn, query string) error {
	var n sql.NullInt64
	if err := conn.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return err
	}
	if n.Int64 != 1 {
		return fmt.Errorf("%s: not within the time", query)
	}
	return nil
}

// checkSchema returns a *SchemaError unless the tables are those that this program knows.
func (d *DB) checkSchema(ctx context.Context) error {
	found, err := d.schemaVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if found != d.known {
		return &SchemaError{Where: d.dialect.Where, Found: found, Known: d.known}
	}
	return nil
}

// schemaVersion is 0 if there are no tables yet. goose would take a table that cannot be read for
// one that is not there.
func (d *DB) schemaVersion(ctx context.Context) (int64, error) {
	var tables int
	if err := d.read.QueryRowContext(ctx, d.dialect.bind(d.dialect.Tables), goose.DefaultTablename).Scan(&tables); err != nil {
		return 0, err
	}
	if tables == 0 {
		return 0, nil
	}
	var version sql.NullInt64
	row := d.read.QueryRowContext(ctx, "SELECT max(version_id) FROM "+goose.DefaultTablename+" WHERE is_applied")
	if err := row.Scan(&version); err != nil {
		return 0, err
	}
	if !version.Valid {
		return 0, d.corrupt("table "+goose.DefaultTablename, errors.New("no version"))
	}
	return version.Int64, nil
}
