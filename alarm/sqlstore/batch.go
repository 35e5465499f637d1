package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// A batch is a bulk for a server: as many rows as possible go with one round trip.
type batch struct {
	dialect *Dialect
	verb    verb
	table   string
	columns []string // the key comes first
	keys    int      // how many columns the key has
	version *int64   // what the last column holds, if not nil
}

// A verb is what a batch does.
type verb int

const (
	insert verb = iota
	upsert
	remove
)

// batchRows and batchBytes bound one statement. Larger ones are not faster, and MariaDB takes 16 MB
// at most by default, in which a byte may take up two.
const (
	batchRows  = 4096
	batchBytes = 4 << 20
)

// exec implements bulk.
func (b *batch) exec(ctx context.Context, tx *sql.Tx, n int, row func(args []any, i int) []any) error {
	var rows [][]any
	size := 0
	for i := range n {
		args := row(make([]any, 0, len(b.columns)), i)
		if b.version != nil {
			args = append(args, *b.version)
		}
		for k, arg := range args {
			switch arg := arg.(type) {
			case string:
				args[k] = []byte(arg)
				size += len(arg)
			case []byte:
				size += len(arg)
			}
		}
		rows = append(rows, args)
		if len(rows) == batchRows || size >= batchBytes || i == n-1 {
			if err := b.write(ctx, tx, rows); err != nil {
				return err
			}
			rows, size = rows[:0], 0
		}
	}
	return nil
}

func (b *batch) write(ctx context.Context, tx *sql.Tx, rows [][]any) error {
	if b.verb == upsert {
		rows = b.lastOfEach(rows)
	}
	var query string
	var args []any
	if b.dialect.Server.Arrays {
		query, args = b.arrays(rows)
	} else {
		query = b.tuples(len(rows))
		for _, row := range rows {
			args = append(args, row...)
		}
	}
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

// lastOfEach drops rows that a later one replaces: PostgreSQL writes a row once in a statement.
func (b *batch) lastOfEach(rows [][]any) [][]any {
	last := make(map[any]int, len(rows))
	for i, row := range rows {
		last[keyOf(row[:b.keys])] = i
	}
	if len(last) == len(rows) {
		return rows
	}
	kept := make([][]any, 0, len(last))
	for i, row := range rows {
		if last[keyOf(row[:b.keys])] == i {
			kept = append(kept, row)
		}
	}
	return kept
}

func keyOf(key []any) any {
	if len(key) == 1 {
		if hash, ok := key[0].([]byte); ok {
			return string(hash)
		}
		return key[0]
	}
	return fmt.Sprint(key)
}

// tuples is the statement for so many rows.
func (b *batch) tuples(rows int) string {
	if b.verb == remove {
		return "DELETE FROM " + b.table + " WHERE " + b.columns[0] + " IN " + b.dialect.parameters(1, rows)
	}
	return b.head() + "VALUES " + b.dialect.parameters(rows, len(b.columns)) + b.tail()
}

// arrays is the statement for any number of rows, and an array for each column.
func (b *batch) arrays(rows [][]any) (query string, args []any) {
	list := make([]string, len(b.columns))
	for i, column := range b.columns {
		kind := "::bytea[]"
		if isNumber(column) {
			kind = "::bigint[]"
			args = append(args, numberArray(rows, i))
		} else {
			args = append(args, byteArray(rows, i))
		}
		list[i] = b.dialect.parameter(i+1) + kind
	}
	if b.verb == remove {
		return "DELETE FROM " + b.table + " WHERE " + b.columns[0] + " = ANY(" + list[0] + ")", args
	}
	return b.head() + "SELECT * FROM unnest(" + strings.Join(list, ",") + ")" + b.tail(), args
}

func (b *batch) head() string {
	return "INSERT INTO " + b.table + " (" + strings.Join(b.columns, ",") + ") "
}

func (b *batch) tail() string {
	if b.verb == insert {
		return ""
	}
	return b.dialect.upsert(b.columns[:b.keys], b.columns[b.keys:])
}

// isNumber says which columns hold whole numbers; all others hold bytes.
func isNumber(column string) bool {
	switch column {
	case "id", "fingerprint", "block", "at", "first_id", "next_id", "first_at", "last_at", "version", "n":
		return true
	}
	return false
}

func numberArray(rows [][]any, column int) any {
	values := make([]int64, len(rows))
	pointers := make([]*int64, len(rows)) // nil where there is no value
	missing := false
	for i, row := range rows {
		n, ok := row[column].(int64)
		if !ok {
			missing = true
			continue
		}
		values[i], pointers[i] = n, &values[i]
	}
	if missing {
		return pointers
	}
	return values
}

func byteArray(rows [][]any, column int) [][]byte {
	values := make([][]byte, len(rows))
	for i, row := range rows {
		values[i], _ = row[column].([]byte)
	}
	return values
}

// prepareServer makes the statements of a commit. Nothing is prepared: the drivers do that, or
// need not.
func (d *DB) prepareServer() error {
	table := func(name, key string, columns ...string) bulk {
		columns = append(append([]string{key}, columns...), "version")
		return &batch{dialect: &d.dialect, verb: upsert, table: name, columns: columns, keys: 1, version: &d.lease.writing}
	}
	gone := func(name, key string) bulk {
		return &batch{dialect: &d.dialect, verb: remove, table: name, columns: []string{key}, keys: 1}
	}
	add := func(name string, columns ...string) bulk {
		return &batch{dialect: &d.dialect, verb: insert, table: name, columns: columns}
	}
	blocks := &batch{
		dialect: &d.dialect, verb: upsert, table: "history_blocks", keys: 1,
		columns: []string{"id", "first_id", "next_id", "first_at", "last_at"},
	}
	d.bulks = bulks{
		alerts: table("alerts", "id", "fingerprint", "body"), alertsGone: gone("alerts", "id"),
		verdicts: table("verdicts", "fingerprint", "body"), verdictsGone: gone("verdicts", "fingerprint"),
		silences: table("silences", "key_hash", "body"), silencesGone: gone("silences", "key_hash"),
		groups: table(`"groups"`, "key_hash", "body"), groupsGone: gone(`"groups"`, "key_hash"),
		told:     table("told", "key_hash", "receiver", "integration", "group_key", "body"),
		toldGone: gone("told", "key_hash"), intentions: table("intentions", "id", "body"), intentionsGone: gone("intentions", "id"),
		parts: table("parts", "key_hash", "part", `"key"`, "value"), partsGone: gone("parts", "key_hash"),
		history: add("history", historyColumns[:]...), historyGone: gone("history", "id"),
		blocks: blocks, removed: add("removed", "version", "n", "noun", "body"),
	}
	return nil
}
