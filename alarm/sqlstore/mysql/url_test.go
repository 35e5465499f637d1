package mysql

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	driver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/sqlstore"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]driver.Config{
		"mysql://u:p@h:1/d":                    {User: "u", Passwd: "p", Net: "tcp", Addr: "h:1", DBName: "d"},
		"mariadb://u@h/d":                      {User: "u", Net: "tcp", Addr: "h:3306", DBName: "d"},
		"mysql://u:p%40%2F%3A@[::1]:3/d":       {User: "u", Passwd: "p@/:", Net: "tcp", Addr: "[::1]:3", DBName: "d"},
		"mysql:///d":                           {Net: "tcp", Addr: "localhost:3306", DBName: "d"},
		"mysql://u@/d?socket=/run/mysqld.sock": {User: "u", Net: "unix", Addr: "/run/mysqld.sock", DBName: "d"},
		"mysql://u@h/d?tls=true":               {User: "u", Net: "tcp", Addr: "h:3306", DBName: "d", TLSConfig: "true"},
	} {
		got, err := parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, driver.Config{
			User: got.User, Passwd: got.Passwd, Net: got.Net, Addr: got.Addr, DBName: got.DBName, TLSConfig: got.TLSConfig,
		}, text)
	}
	for _, text := range []string{
		"", "secret", "mysql:d", "postgres://u:secret@h/d", "mysql://u:secret@h", "mysql://u:secret@h/", "mysql://u:secret@h:port/d",
		"mysql://u:secret@h/a/b", "mysql://u:secret@h/d#f", "mysql://u:secret@h/d?tls=secret", "mysql://u:secret@h/d?charset=secret",
		"mysql://u:secret@h/d?%zz",
	} {
		_, err := parse(text)
		require.Error(t, err, text)
		assert.NotContains(t, err.Error(), "secret", text)
	}
}

func TestTrouble(t *testing.T) {
	number := func(n uint16) error { return fmt.Errorf("x: %w", &driver.MySQLError{Number: n}) }
	for _, test := range []struct {
		err, kind error
	}{
		{number(1205), sqlstore.ErrLocked},
		{number(1290), sqlstore.ErrReadOnly},
		{number(1114), sqlstore.ErrFull},
		{number(1153), sqlstore.ErrFull},
		{number(1194), sqlstore.ErrCorrupt},
		{number(1045), sqlstore.ErrUnavailable},
		{number(1040), sqlstore.ErrUnavailable},
		{number(1053), sqlstore.ErrUnavailable},
		{driver.ErrInvalidConn, sqlstore.ErrUnavailable},
		{io.ErrUnexpectedEOF, sqlstore.ErrUnavailable},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, sqlstore.ErrUnavailable},
	} {
		got := trouble("mysql://h/d", test.err)
		require.ErrorIs(t, got, test.kind)
		require.ErrorIs(t, got, test.err)
		var trouble *sqlstore.Error
		require.ErrorAs(t, got, &trouble)
		assert.NotEmpty(t, trouble.Remedy)
	}
	assert.Equal(t, number(1064), trouble("x", number(1064)), "a mistake of ours is nobody's trouble")
	assert.NoError(t, trouble("x", nil))
}
