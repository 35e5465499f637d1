package sqlstoretest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// ExerciseExport exports the history of an empty database, after it wrote some.
func ExerciseExport(t *testing.T, db *sqlstore.DB) {
	ctx := t.Context()
	generation := acquire(t, db)
	always := time.Date(9999, time.January, 1, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	n, err := db.Export(ctx, &out, time.Time{}, always)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Empty(t, out.String())

	const plans = 160 // more than a page, and than a block
	for i := range plans {
		require.NoError(t, db.Commit(ctx, generation, numbered(i+1)))
	}
	all, err := db.Records(ctx, 0, 0)
	require.NoError(t, err)
	require.Len(t, all, plans*recordsOf)
	for _, r := range [][2]time.Time{
		{{}, always}, {start().Add(140 * time.Second), always}, {start().Add(20 * time.Second), start().Add(21 * time.Second)}, {always, always},
	} {
		want := slices.DeleteFunc(slices.Clone(all), func(rec alarm.Record) bool { return rec.At.Before(r[0]) || rec.At.After(r[1]) })
		out.Reset()
		n, err := db.Export(ctx, &out, r[0], r[1])
		require.NoError(t, err)
		assert.Equal(t, len(want), n)
		assertLines(t, want, &out)
	}
	full := errors.New("disk full")
	_, err = db.Export(ctx, failing{full}, time.Time{}, always)
	require.ErrorIs(t, err, full)
}

func assertLines(t *testing.T, want []alarm.Record, out *bytes.Buffer) {
	t.Helper()
	lines := bufio.NewScanner(out)
	for i := range want {
		require.True(t, lines.Scan())
		var line struct {
			ID          int64
			At          time.Time
			Kind        string
			Fingerprint string
			Body        map[string]any
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		assert.Equal(t, want[i].ID, line.ID)
		assert.True(t, want[i].At.Equal(line.At))
		assert.Equal(t, want[i].Kind, line.Kind)
		if want[i].Fingerprint != 0 {
			assert.Equal(t, want[i].Fingerprint.String(), line.Fingerprint)
		}
		assert.NotEmpty(t, line.Body)
	}
	assert.False(t, lines.Scan())
}

// failing cannot be written to.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
