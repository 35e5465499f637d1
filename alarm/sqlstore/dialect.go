package sqlstore

import (
	"io/fs"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// A Dialect is all that differs between databases.
type Dialect struct {
	// Name is goose's name for the dialect. Migrations holds its .sql files.
	Name       goose.Dialect
	Migrations fs.FS

	// Tables counts the tables of the name that is its one parameter.
	Tables string

	// Where names the database in messages, such as its path. It must hold no password.
	Where string

	// ReadOnly says that the database is opened to be read only: nothing is migrated.
	ReadOnly bool

	// Numbered says that parameters are $1, $2 and so on. Otherwise they are question marks.
	Numbered bool

	// Upsert is what follows the VALUES of an INSERT, so that a row that has the same key is
	// replaced. Nil is SQLite's and PostgreSQL's ON CONFLICT.
	Upsert func(key, columns []string) string

	// Trouble maps an error of the driver to an *Error, or returns it as it is. Nil maps none.
	Trouble func(error) error

	// Lock, if not nil, guards the database against other processes.
	Lock Lock

	// Server, if not nil, says that the database is a server that several processes share.
	Server *Server
}

// A Lock is held by one process at a time, and released by the system if the process dies.
type Lock interface {
	// Take takes the lock, or returns a *HeldError at once. It does nothing if it is held already.
	Take() error

	// Release gives the lock back.
	Release() error
}

// parameters returns rows tuples of width parameters each.
func (d *Dialect) parameters(rows, width int) string {
	var b strings.Builder
	for i := range rows * width {
		switch {
		case i%width > 0:
			b.WriteByte(',')
		case i > 0:
			b.WriteString("),(")
		default:
			b.WriteByte('(')
		}
		b.WriteString(d.parameter(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}

func (d *Dialect) parameter(n int) string {
	if !d.Numbered {
		return "?"
	}
	return "$" + strconv.Itoa(n)
}

// bind returns the query with its question marks replaced by the dialect's parameters. Queries have
// no question marks elsewhere.
func (d *Dialect) bind(query string) string {
	if !d.Numbered {
		return query
	}
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r != '?' {
			b.WriteRune(r)
			continue
		}
		n++
		b.WriteString(d.parameter(n))
	}
	return b.String()
}

func (d *Dialect) upsert(key, columns []string) string {
	if d.Upsert != nil {
		return d.Upsert(key, columns)
	}
	sets := make([]string, len(columns))
	for i, c := range columns {
		sets[i] = c + "=excluded." + c
	}
	return " ON CONFLICT (" + strings.Join(key, ",") + ") DO UPDATE SET " + strings.Join(sets, ",")
}
