package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// The names of meta.
const (
	metaGeneration = "generation"
	metaInstance   = "instance"
	metaImported   = "imported:" // and what
)

// InstanceID is made once for each database, and tells the incidents that this installation opened
// at a remote from those of others.
func (d *DB) InstanceID(ctx context.Context) (id string, err error) {
	id, found, err := d.meta(ctx, d.read, metaInstance)
	if err != nil || found {
		return id, d.trouble(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ctx, cancel := d.bound(ctx)
	defer cancel()
	err = d.transact(ctx, func(tx *sql.Tx) error {
		if err := d.takeTurn(ctx, tx); err != nil {
			return err
		}
		if id, found, err = d.meta(ctx, tx, metaInstance); err != nil || found {
			return err
		}
		id = uuid.NewString()
		return d.setMeta(ctx, tx, metaInstance, id)
	})
	if err != nil {
		return "", fmt.Errorf("make the instance's ID: %w", d.trouble(err))
	}
	return id, nil
}

// Imported says whether [DB.Import] has imported what before.
func (d *DB) Imported(ctx context.Context, what string) (bool, error) {
	_, found, err := d.meta(ctx, d.read, metaImported+what)
	return found, d.trouble(err)
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (d *DB) meta(ctx context.Context, q querier, name string) (value string, found bool, err error) {
	err = q.QueryRowContext(ctx, d.dialect.bind("SELECT value FROM meta WHERE name = ?"), name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read meta %s: %w", name, err)
	}
	return value, true, nil
}

func (d *DB) setMeta(ctx context.Context, tx *sql.Tx, name, value string) error {
	query := "INSERT INTO meta (name, value) VALUES " + d.dialect.parameters(1, 2) + d.dialect.upsert([]string{"name"}, []string{"value"})
	if _, err := tx.ExecContext(ctx, query, name, value); err != nil {
		return fmt.Errorf("write meta %s: %w", name, err)
	}
	return nil
}
