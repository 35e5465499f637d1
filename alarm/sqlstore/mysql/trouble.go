package mysql

import (
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"net"

	driver "github.com/go-sql-driver/mysql"

	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// trouble maps an error of the driver by its number, and returns all others as they are.
func trouble(where string, err error) error {
	var known *sqlstore.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	t := &sqlstore.Error{Where: where, Err: err}
	var e *driver.MySQLError
	if errors.As(err, &e) {
		t.Remedy, t.Kind = kind(e.Number)
	} else if lost(err) {
		t.Kind, t.Remedy = sqlstore.ErrUnavailable, "see whether the server runs and can be reached from here"
	}
	if t.Kind == nil {
		return err
	}
	return t
}

// kind sorts the server's error numbers (MySQL's manual, "Server Error Message Reference"; those up
// to 200 are of the storage engine).
func kind(number uint16) (remedy string, kind error) {
	switch number {
	case 1205, 1213:
		return "end the other session that holds locks on the tables, such as a client with an open transaction", sqlstore.ErrLocked
	case 1290, 1792, 1836, 1036:
		return "connect to the primary, not to a replica, and see the server's read_only", sqlstore.ErrReadOnly
	case 3, 1021, 1041, 1114, 1026:
		return "free some space on the server's disk, or keep less history", sqlstore.ErrFull
	case 1153:
		return "raise the server's max_allowed_packet", sqlstore.ErrFull
	case 126, 127, 1034, 1035, 1194, 1195:
		return "see the server's log, and restore the database from a backup if its files are damaged", sqlstore.ErrCorrupt
	case 1044, 1045, 1142, 1698:
		return "see whether user and password are right, and grant the user all privileges on the database", sqlstore.ErrUnavailable
	case 1049:
		return "create the database, or name another one", sqlstore.ErrUnavailable
	case 1040, 1203, 1226:
		return "see the server's limits of connections", sqlstore.ErrUnavailable
	case 1053, 1077, 1079, 1129, 1130, 1317, 1927, 4031:
		return "see whether the server is being stopped, and what its log says", sqlstore.ErrUnavailable
	}
	return "", nil
}

// lost says that the connection broke, or never came to be.
func lost(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, driver.ErrInvalidConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, net.ErrClosed)
}
