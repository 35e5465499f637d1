package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// sizes are how many rows one statement writes. More do not make it faster.
var sizes = [...]int{64, 16, 4, 1}

// A bulk writes or deletes many rows of one table at once.
type bulk interface {
	// exec does so for n rows; row appends the parameters of the i-th.
	exec(ctx context.Context, tx *sql.Tx, n int, row func(args []any, i int) []any) error
}

// prepared is a bulk for a database in this process: its statement is prepared in several sizes.
type prepared struct {
	query func(rows int) string
	stmts [len(sizes)]*sql.Stmt
	args  []any
}

// newUpsert writes rows, and replaces those that have the same key.
func newUpsert(d *Dialect, table string, key, columns []string) *prepared {
	all := append(append([]string(nil), key...), columns...)
	head := "INSERT INTO " + table + " (" + strings.Join(all, ",") + ") VALUES "
	tail := d.upsert(key, columns)
	return &prepared{query: func(rows int) string { return head + d.parameters(rows, len(all)) + tail }}
}

// newInsert writes rows that are new.
func newInsert(d *Dialect, table string, columns []string) *prepared {
	head := "INSERT INTO " + table + " (" + strings.Join(columns, ",") + ") VALUES "
	return &prepared{query: func(rows int) string { return head + d.parameters(rows, len(columns)) }}
}

// newDelete deletes rows by a key of one or several columns.
func newDelete(d *Dialect, table string, key ...string) *prepared {
	one := "(" + strings.Join(key, "=? AND ") + "=?)"
	return &prepared{query: func(rows int) string {
		if len(key) == 1 {
			return "DELETE FROM " + table + " WHERE " + key[0] + " IN " + d.parameters(1, rows)
		}
		return d.bind("DELETE FROM " + table + " WHERE " + strings.TrimSuffix(strings.Repeat(one+" OR ", rows), " OR "))
	}}
}

// prepare must be called before exec, outside of a transaction.
func (b *prepared) prepare(ctx context.Context, db *sql.DB) (err error) {
	for i, rows := range sizes {
		if b.stmts[i], err = db.PrepareContext(ctx, b.query(rows)); err != nil { //nolint:sqlclosecheck // kept until the database is closed, which closes it
			return fmt.Errorf("%s: %w", b.query(1), err)
		}
	}
	return nil
}

// exec implements bulk.
func (b *prepared) exec(ctx context.Context, tx *sql.Tx, n int, row func(args []any, i int) []any) error {
	done := 0
	for size, rows := range sizes {
		if n-done < rows {
			continue
		}
		stmt := tx.StmtContext(ctx, b.stmts[size]) //nolint:sqlclosecheck // closed with tx
		for ; n-done >= rows; done += rows {
			b.args = b.args[:0]
			for i := range rows {
				b.args = row(b.args, done+i)
			}
			if _, err := stmt.ExecContext(ctx, b.args...); err != nil {
				return err
			}
		}
	}
	clear(b.args)
	return nil
}
