package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"
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
	if err := d.lock(); err != nil { // nobody else may be using the old tables
		return fmt.Errorf("migrate the schema from version %d to %d: %w", found, known, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the schema from version %d to %d: %w", found, known, err)
	}
	return d.unlock()
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
