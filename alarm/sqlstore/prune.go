package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Prune deletes records that are older than before, oldest first, at most limit of them, and says
// how many it deleted. It is one short transaction: call it again while it returns limit, with
// pauses, so that commits get their turn.
func (d *DB) Prune(ctx context.Context, before time.Time, limit int) (deleted int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ctx, cancel := d.bound(ctx)
	defer cancel()
	err = d.transact(ctx, func(tx *sql.Tx) error {
		if err := d.takeTurn(ctx, tx); err != nil {
			return err
		}
		deleted = 0
		for deleted < limit {
			n, err := d.pruneBlock(ctx, tx, nanos(before), limit-deleted)
			if err != nil {
				return err
			}
			if n == 0 {
				return nil
			}
			deleted += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("prune history: %w", d.trouble(err))
	}
	return deleted, nil
}

// pruneBlock deletes from the first block that has something to delete.
func (d *DB) pruneBlock(ctx context.Context, tx *sql.Tx, before int64, limit int) (int, error) {
	blocks, err := ints(ctx, tx, d.dialect.bind("SELECT id FROM history_blocks WHERE first_at < ? ORDER BY id LIMIT 1"), before)
	if err != nil || len(blocks) == 0 {
		return 0, err
	}
	b := blocks[0]
	ids, err := ints(ctx, tx, d.dialect.bind("SELECT id FROM history WHERE block = ? AND at < ? ORDER BY id LIMIT ?"), b, before, limit)
	if err != nil {
		return 0, err
	}
	err = d.bulks.historyGone.exec(ctx, tx, len(ids), func(args []any, i int) []any { return append(args, ids[i]) })
	if err != nil {
		return 0, err
	}
	return len(ids), d.shrinkBlock(ctx, tx, b)
}

// shrinkBlock writes down what is left of a block. One without records is deleted, but for the last:
// that one knows the next ID, and begins anew.
func (d *DB) shrinkBlock(ctx context.Context, tx *sql.Tx, id int64) error {
	var first sql.NullInt64
	row := tx.QueryRowContext(ctx, d.dialect.bind("SELECT min(at) FROM history WHERE block = ?"), id)
	if err := row.Scan(&first); err != nil {
		return err
	}
	if first.Valid {
		_, err := tx.ExecContext(ctx, d.dialect.bind("UPDATE history_blocks SET first_at = ? WHERE id = ?"), first.Int64, id)
		return err
	}
	last, err := d.lastBlock(ctx, tx)
	if err != nil {
		return err
	}
	if last.id == id {
		return d.setBlock(ctx, tx, emptyBlock(id, last.nextID))
	}
	_, err = tx.ExecContext(ctx, d.dialect.bind("DELETE FROM history_blocks WHERE id = ?"), id)
	return err
}

// ints reads the only column of a query.
func ints(ctx context.Context, tx *sql.Tx, query string, args ...any) (out []int64, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, rows.Err()
}
