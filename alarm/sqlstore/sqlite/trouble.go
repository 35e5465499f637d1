package sqlite

import (
	"errors"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// trouble maps an error of the driver by its code, and returns all others as they are.
func trouble(path string, err error) error {
	var e *driver.Error
	var known *sqlstore.Error
	if !errors.As(err, &e) || errors.As(err, &known) {
		return err
	}
	t := &sqlstore.Error{Where: path, Err: err}
	switch e.Code() & 0xff {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL:
		t.Kind, t.Remedy = sqlstore.ErrLocked, "end the other program that works on the file, such as a sqlite3 shell with an open transaction"
	case lib.SQLITE_READONLY:
		t.Kind, t.Remedy = sqlstore.ErrReadOnly, "make the file, its -wal and -shm files and their directory writable for this user"
	case lib.SQLITE_FULL:
		t.Kind, t.Remedy = sqlstore.ErrFull, "free some space on the disk, or keep less history"
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		t.Kind, t.Remedy = sqlstore.ErrCorrupt, "restore it from a backup, or move it away to begin with an empty one"
	case lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_AUTH:
		t.Kind, t.Remedy = sqlstore.ErrUnavailable, "see whether the directory exists, and the file and the directory are readable and writable for this user"
	case lib.SQLITE_IOERR, lib.SQLITE_NOLFS:
		t.Kind, t.Remedy = sqlstore.ErrUnavailable, "see what the system log says of the disk"
	default:
		return err
	}
	return t
}
