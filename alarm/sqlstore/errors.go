package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The kinds of trouble that a database can be in. Every method of [DB] may return an error that
// matches one of them.
var (
	// ErrLocked means that somebody else keeps the database busy. Trying again may help.
	ErrLocked = errors.New("locked by another process")

	// ErrReadOnly means that the database cannot be written.
	ErrReadOnly = errors.New("read-only")

	// ErrFull means that there is no room left.
	ErrFull = errors.New("full")

	// ErrCorrupt means that what is stored is not what was written.
	ErrCorrupt = errors.New("corrupt")

	// ErrUnavailable means that the database cannot be reached, opened or read.
	ErrUnavailable = errors.New("unavailable")
)

// An Error is trouble with the database: what kind, where, and what to do. It matches its Kind and
// the driver's error.
type Error struct {
	Kind   error  // one of the sentinels of this package
	Where  string // the database, such as its path
	Remedy string // for people, such as "free some space"
	Err    error  // what the driver said
}

// Error returns everything in one sentence.
func (e *Error) Error() string {
	return fmt.Sprintf("database %s is %s (%v): %s", e.Where, e.Kind, e.Err, e.Remedy)
}

// Unwrap returns the kind and the driver's error.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// A SchemaError means that the tables are not those of this version: a newer version made them, or,
// for a database that is only read, an older one.
type SchemaError struct {
	Where string
	Found int64 // the version of the tables
	Known int64 // the newest version that this program knows
}

// Error says which versions differ, and what to do.
func (e *SchemaError) Error() string {
	remedy := "run the newer version again, or restore a copy of the database from before the upgrade"
	if e.Found < e.Known {
		remedy = "start the server once, so that it brings the tables up to date"
	}
	return fmt.Sprintf("database %s has schema version %d, this program knows version %d: %s", e.Where, e.Found, e.Known, remedy)
}

// A HeldError means that somebody else holds the lease.
type HeldError struct {
	Where string // the lock file, or the database
	By    string // who holds it, such as "process 1234"; empty if that is not known
	Err   error  // what the operating system said, if anything

	// Until is when the lease ends unless it is renewed, by the database's clock. Zero: when its
	// holder lets go or dies.
	Until time.Time
}

// Error says who holds the lease, and what to do.
func (e *HeldError) Error() string {
	var b strings.Builder
	b.WriteString("another server")
	if e.By != "" {
		fmt.Fprintf(&b, " (%s)", e.By)
	}
	if !e.Until.IsZero() {
		fmt.Fprintf(&b, " leads on %s until %s or longer: wait until it stops", e.Where, e.Until.Format(time.RFC3339))
		return b.String()
	}
	fmt.Fprintf(&b, " holds %s: stop it first, or give this one storage of its own", e.Where)
	return b.String()
}

// Unwrap returns what the operating system said.
func (e *HeldError) Unwrap() error { return e.Err }

// corrupt is the error for a row that does not make sense.
func (d *DB) corrupt(what string, err error) error {
	return &Error{
		Kind: ErrCorrupt, Where: d.dialect.Where, Err: fmt.Errorf("%s: %w", what, err),
		Remedy: "restore it from a backup, or move it away to begin with an empty one",
	}
}

// unlessDone is corrupt for a row that cannot be scanned, which also happens when ctx ends.
func (d *DB) unlessDone(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return d.corrupt(what, err)
}

// trouble maps an error of the driver, and leaves all others as they are.
func (d *DB) trouble(err error) error {
	if err == nil || d.dialect.Trouble == nil {
		return err
	}
	return d.dialect.Trouble(err)
}
