package sqlstore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestBatchStatements(t *testing.T) {
	tuples := &Dialect{Server: &Server{}, Upsert: func(_, columns []string) string { return " ON DUPLICATE KEY UPDATE " + columns[0] }}
	arrays := &Dialect{Server: &Server{Arrays: true}, Numbered: true}
	rows := [][]any{{int64(1), []byte("a")}, {int64(2), nil}}
	table := func(d *Dialect, v verb) *batch {
		return &batch{dialect: d, verb: v, table: "t", columns: []string{"id", "body"}, keys: 1}
	}
	assert.Equal(t, "INSERT INTO t (id,body) VALUES (?,?),(?,?) ON DUPLICATE KEY UPDATE body", table(tuples, upsert).tuples(2))
	assert.Equal(t, "INSERT INTO t (id,body) VALUES (?,?)", table(tuples, insert).tuples(1))
	assert.Equal(t, "DELETE FROM t WHERE id IN (?,?,?)", table(tuples, remove).tuples(3))

	query, args := table(arrays, upsert).arrays(rows)
	assert.Equal(t, "INSERT INTO t (id,body) SELECT * FROM unnest($1::bigint[],$2::bytea[]) "+
		"ON CONFLICT (id) DO UPDATE SET body=excluded.body", query)
	assert.Equal(t, []any{[]int64{1, 2}, [][]byte{[]byte("a"), nil}}, args)
	gone := &batch{dialect: arrays, verb: remove, table: "t", columns: []string{"key_hash"}, keys: 1}
	query, args = gone.arrays([][]any{{[]byte("k")}})
	assert.Equal(t, "DELETE FROM t WHERE key_hash = ANY($1::bytea[])", query)
	assert.Equal(t, []any{[][]byte{[]byte("k")}}, args)

	one := int64(1)
	assert.Equal(t, []*int64{&one, nil}, numberArray([][]any{{int64(1)}, {nil}}, 0), "NULL is not 0")
}

func TestLastOfEach(t *testing.T) {
	b := &batch{verb: upsert, keys: 1}
	for _, key := range [][2]any{{int64(1), int64(2)}, {[]byte("a"), []byte("b")}} {
		first, other, second := []any{key[0], "old"}, []any{key[1], "other"}, []any{key[0], "new"}
		assert.Equal(t, [][]any{other, second}, b.lastOfEach([][]any{first, other, second}))
		assert.Equal(t, [][]any{first, other}, b.lastOfEach([][]any{first, other}))
	}
}

func TestKeyHash(t *testing.T) {
	seen := map[string][]string{}
	for _, key := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {"a\x00bc"}} {
		hash := string(keyHash(key))
		assert.NotContains(t, seen, hash, "%q and %q", key, seen[hash])
		seen[hash] = key
	}
}

func TestHeldError(t *testing.T) {
	held := &HeldError{Where: "postgres://h:5432/d", By: "http://one:9093", Until: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	assert.EqualError(t, held, "another server (http://one:9093) leads on postgres://h:5432/d until 2026-01-02T03:04:05Z or longer: wait until it stops")
}
