package postgres

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/sqlstore"
)

func TestTrouble(t *testing.T) {
	code := func(c string) error { return fmt.Errorf("x: %w", &pgconn.PgError{Code: c}) }
	for _, test := range []struct {
		err, kind error
	}{
		{code("55P03"), sqlstore.ErrLocked},
		{code("40P01"), sqlstore.ErrLocked},
		{code("25006"), sqlstore.ErrReadOnly},
		{code("53100"), sqlstore.ErrFull},
		{code("53300"), sqlstore.ErrUnavailable},
		{code("28P01"), sqlstore.ErrUnavailable},
		{code("57P01"), sqlstore.ErrUnavailable},
		{code("25P03"), sqlstore.ErrUnavailable},
		{code("58030"), sqlstore.ErrUnavailable},
		{code("XX001"), sqlstore.ErrCorrupt},
		{pgconn.ErrConnClosed, sqlstore.ErrUnavailable},
		{io.ErrUnexpectedEOF, sqlstore.ErrUnavailable},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, sqlstore.ErrUnavailable},
	} {
		got := trouble("postgres://h/d", test.err)
		require.ErrorIs(t, got, test.kind)
		require.ErrorIs(t, got, test.err)
		var trouble *sqlstore.Error
		require.ErrorAs(t, got, &trouble)
		assert.NotEmpty(t, trouble.Remedy)
	}
	assert.Equal(t, code("42601"), trouble("x", code("42601")), "a mistake of ours is nobody's trouble")
	assert.NoError(t, trouble("x", nil))
}
