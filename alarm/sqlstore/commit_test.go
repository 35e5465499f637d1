package sqlstore

import (
	"context"
	"database/sql"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// counted is a bulk that notes how many rows each call has.
type counted []int

func (c *counted) exec(_ context.Context, _ *sql.Tx, n int, _ func([]any, int) []any) error {
	*c = append(*c, n)
	return nil
}

// Rows that are set and removed in turn are no reason for a statement each.
func TestPartsTakeTwoBulks(t *testing.T) {
	var set, gone counted
	d := &DB{bulks: bulks{parts: &set, partsGone: &gone}}
	p := &alarm.Plan{}
	for i := range 1000 {
		r := alarm.Row{Part: "p", Key: strconv.Itoa(i)}
		if i%2 == 0 {
			r.Value = []byte("v")
		}
		p.Rows = append(p.Rows, r)
	}
	require.NoError(t, d.applyParts(t.Context(), nil, p))
	assert.Equal(t, counted{500}, set)
	assert.Equal(t, counted{500}, gone)
}

func TestLastRows(t *testing.T) {
	row := func(key, value string) alarm.Row { return alarm.Row{Part: "p", Key: key, Value: []byte(value)} }
	removed := func(key string) alarm.Row { return alarm.Row{Part: "p", Key: key} }
	set, gone := lastRows([]alarm.Row{
		row("kept", "1"), removed("gone"), row("back", ""), removed("back"), row("late", "1"), row("kept", "2"), row("back", "2"), removed("late"),
	})
	assert.Equal(t, []alarm.Row{row("kept", "2"), row("back", "2")}, set)
	assert.Equal(t, []alarm.Row{removed("gone"), removed("late")}, gone)
}
