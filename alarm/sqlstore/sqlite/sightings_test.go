package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
)

func TestWhatFiredLately(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "tocsin.db"), sqlite.Options{})
	defer db.Close()
	generation, err := db.Acquire(t.Context())
	require.NoError(t, err)
	at := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	commit := func(h int, kind alarm.ChangeKind, name string, state alarm.State) {
		a := &alarm.Alert{Labels: model.LabelSet{"alertname": model.LabelValue(name)}, State: state, StartsAt: at(h)}
		require.NoError(t, db.Commit(t.Context(), generation, &alarm.Plan{At: at(h), Inputs: []alarm.Change{{Kind: kind, Alert: a, Source: "push"}}}))
	}
	commit(1, alarm.Appeared, "Early", alarm.Firing)
	commit(2, alarm.Appeared, "A", alarm.Firing)
	commit(3, alarm.Ended, "A", alarm.Resolved)
	commit(4, alarm.Appeared, "A", alarm.Firing)
	commit(5, alarm.Appeared, "B", alarm.Pending)
	commit(6, alarm.Changed, "B", alarm.Firing)
	commit(7, alarm.Appeared, "Never", alarm.Pending)
	commit(8, alarm.Ended, "Early", alarm.Resolved)

	fired := func(from int, limit int) (names []string, back time.Time) {
		back, err := db.Fired(t.Context(), at(from), at(23), limit, func(fp model.Fingerprint, ls model.LabelSet) {
			assert.Equal(t, ls.Fingerprint(), fp)
			names = append(names, string(ls["alertname"]))
		})
		require.NoError(t, err)
		return names, back.UTC()
	}
	names, back := fired(2, 100)
	assert.Equal(t, []string{"B", "A"}, names, "each once, the newest first")
	assert.Equal(t, at(2), back)
	names, back = fired(2, 3)
	assert.Equal(t, []string{"B"}, names)
	assert.Equal(t, at(5), back, "it says how far it came")
}
