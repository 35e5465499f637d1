package postgres

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// trouble maps an error of the driver by its code, and returns all others as they are.
func trouble(where string, err error) error {
	var known *sqlstore.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	t := &sqlstore.Error{Where: where, Err: err}
	var e *pgconn.PgError
	if errors.As(err, &e) {
		t.Remedy, t.Kind = kind(e.Code)
	} else if lost(err) {
		t.Kind, t.Remedy = sqlstore.ErrUnavailable, "see whether the server runs and can be reached from here"
	}
	if t.Kind == nil {
		return err
	}
	return t
}

// kind sorts SQLSTATEs (PostgreSQL's manual, appendix A).
func kind(code string) (remedy string, kind error) {
	switch code {
	case "55P03", "40P01", "40001":
		return "end the other session that holds locks on the tables, such as psql with an open transaction", sqlstore.ErrLocked
	case "25006":
		return "connect to the primary, not to a standby (target_session_attrs=read-write), and see default_transaction_read_only", sqlstore.ErrReadOnly
	case "53100":
		return "free some space on the server's disk, or keep less history", sqlstore.ErrFull
	case "28000", "28P01":
		return "see whether user and password are right and pg_hba.conf lets this host in", sqlstore.ErrUnavailable
	case "3D000":
		return "create the database, or name another one", sqlstore.ErrUnavailable
	case "42501":
		return "make the user the owner of the database, or grant it all on the schema", sqlstore.ErrUnavailable
	}
	switch code[:min(2, len(code))] {
	case "53":
		return "see the server's limits of connections and memory", sqlstore.ErrUnavailable
	case "08", "57", "25":
		return "see whether the server is being stopped, and what its log says", sqlstore.ErrUnavailable
	case "58":
		return "see what the server's log says of its disk", sqlstore.ErrUnavailable
	case "XX":
		return "see the server's log, and restore the database from a backup if its files are damaged", sqlstore.ErrCorrupt
	}
	return "", nil
}

// lost says that the connection broke, or never came to be.
func lost(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || pgconn.SafeToRetry(err)
}
