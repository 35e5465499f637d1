package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// A Server is what differs for a database that several processes share. Its tables are those of
// SQLite and two more, lease and removed; each table of the state has a column version besides.
// Text is handed over as bytes, for a server's text cannot hold any byte; and where the key is text,
// the rows are found by its SHA-256 in the column key_hash, for an index cannot hold long text.
type Server struct {
	// Now is an SQL expression: the server's clock, in nanoseconds since 1970, whenever the
	// statement is run.
	Now string

	// Arrays says that the rows of a statement are handed over as one array for each column.
	// Otherwise they are many tuples.
	Arrays bool

	// LockSchema waits until no other session migrates the tables, and makes others wait for this
	// one, until it runs UnlockSchema or ends. Both return 1.
	LockSchema, UnlockSchema string

	// Name is what the lease says of this process to others, such as the address of its API.
	Name string

	// TTL is how long a lease is held without being renewed. Defaults to DefaultTTL.
	TTL time.Duration

	// Timeout bounds each method but Load, which may take ten times as long. Defaults to 15 s.
	Timeout time.Duration
}

// DefaultTTL is how long a lease is held without being renewed. With an attempt to take over each half
// second, another server has the lease 8.5 s after a leader's last renewal or commit at the latest, and
// leads once it has loaded the state.
const DefaultTTL = 8 * time.Second

func (s *Server) setDefaults() {
	if s.TTL <= 0 {
		s.TTL = DefaultTTL
	}
	if s.Timeout <= 0 {
		s.Timeout = 15 * time.Second
	}
}

// bound gives a server's methods an end: a connection over which nothing comes any more does not
// end by itself.
func (d *DB) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.dialect.Server == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d.dialect.Server.Timeout)
}

// boundLoad is bound for what reads everything.
func (d *DB) boundLoad(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.dialect.Server == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, 10*d.dialect.Server.Timeout)
}

// keyArgs appends what finds a row whose key is text.
func (d *DB) keyArgs(args []any, key ...string) []any {
	if d.dialect.Server != nil {
		return append(args, keyHash(key))
	}
	for _, text := range key {
		args = append(args, text)
	}
	return args
}

// textArgs appends a key that is told apart and read back.
func (d *DB) textArgs(args []any, key ...string) []any {
	if d.dialect.Server != nil {
		args = append(args, keyHash(key))
	}
	for _, text := range key {
		args = append(args, text)
	}
	return args
}

// keyHash tells ("a", "bc") from ("ab", "c").
func keyHash(key []string) []byte {
	h := sha256.New()
	for _, text := range key {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		h.Write([]byte(text))
	}
	return h.Sum(nil)
}
