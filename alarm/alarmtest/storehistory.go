package alarmtest

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// exerciseHistory compares what is recorded with the twin of record.go.
func exerciseHistory(t *testing.T, f *fixture) {
	var want []alarm.Record
	for _, p := range []*alarm.Plan{fullPlan(), changedPlan(), removalOf(changedPlan())} {
		f.commit(p)
		want = append(want, records(p)...)
	}
	f.reopen()
	got := f.records()
	assertRecords(t, want, got)
	for i := 1; i < len(got); i++ {
		require.Greater(t, got[i].ID, got[i-1].ID)
	}
	kinds := map[string]int{}
	for _, r := range got {
		kinds[r.Kind]++
	}
	assert.Equal(t, map[string]int{
		"appeared": 1, "changed": 2, "ended": 1, "verdict": 6, "add": 2, "update": 2, "close": 2, "delivered": 1, "failed": 1,
		"unsent": 1, "silence": 4, "silence-removed": 2, "reload": 1, "source": 1, "told": 2, "told-resolved": 2,
	}, kinds)

	rest, err := f.db.Records(t.Context(), got[4].ID, 3)
	require.NoError(t, err)
	assert.Equal(t, got[5:8], rest)
}

// exerciseHistoryRange asks for one alert among many, over times that include a clock set back.
func exerciseHistoryRange(t *testing.T, f *fixture) {
	ctx := t.Context()
	alerts := make([]*alarm.Alert, 300)
	for i := range alerts {
		alerts[i] = alertOf(alarm.Alert{Labels: model.LabelSet{"n": model.LabelValue(rune('0' + i))}})
	}
	slices.SortFunc(alerts, func(a, b *alarm.Alert) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) })
	var times []time.Time
	for n := range 40 {
		p := &alarm.Plan{}
		for _, a := range alerts {
			p.Inputs = append(p.Inputs, alarm.Change{Kind: alarm.Changed, Alert: a, Source: "s"})
		}
		if n == 20 {
			f.now = f.now.Add(-10 * time.Second)
		}
		f.commit(p)
		times = append(times, f.now)
	}
	all := f.records()
	require.Len(t, all, 40*300)
	for _, a := range []*alarm.Alert{alerts[0], alerts[150], alerts[299]} {
		for _, r := range []struct {
			from, to time.Time
			limit    int
		}{
			{time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 0},
			{times[0], times[0], 0},
			{times[0].Add(1), times[39].Add(-1), 0},
			{times[15], times[25], 0},
			{times[15], times[25], 3},
			{times[39].Add(1), times[39].Add(time.Hour), 0},
			{times[5], times[4], 0},
		} {
			var want []alarm.Record
			for _, rec := range all {
				if rec.Fingerprint == a.Fingerprint() && !rec.At.Before(r.from) && !rec.At.After(r.to) {
					want = append(want, rec)
				}
			}
			if r.limit > 0 && len(want) > r.limit {
				want = want[len(want)-r.limit:]
			}
			got, err := f.db.History(ctx, a.Fingerprint(), r.from, r.to, r.limit)
			require.NoError(t, err)
			assert.Equal(t, want, got, "from %v to %v, limit %d", r.from, r.to, r.limit)
		}
	}
	none, err := f.db.History(ctx, 42, time.Time{}, times[39], 0)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func exercisePrune(t *testing.T, f *fixture) {
	ctx := t.Context()
	for range 50 {
		f.commit(&alarm.Plan{Events: make([]alarm.Event, 99)})
	}
	f.commit(fullPlan())
	state := f.load()
	all := f.records()
	before := epoch.Add(30 * time.Second)
	for _, limit := range []int{1, 10, 500} {
		n, err := f.db.Prune(ctx, before, limit)
		require.NoError(t, err)
		assert.Equal(t, limit, n)
		all = all[limit:]
		assert.Equal(t, all, f.records())
	}
	n, err := f.db.Prune(ctx, before, 1_000_000)
	require.NoError(t, err)
	assert.Equal(t, 29*99-511, n)
	assert.Equal(t, all[n:], f.records())
	n, err = f.db.Prune(ctx, before, 100)
	require.NoError(t, err)
	assert.Zero(t, n)
	assertStored(t, state, f.load())
}

func exercisePruneEverything(t *testing.T, f *fixture) {
	ctx := t.Context()
	var last int64
	for range 2 {
		for range 45 {
			f.commit(&alarm.Plan{Events: make([]alarm.Event, 99)})
		}
		f.reopen()
		all := f.records()
		require.Len(t, all, 45*99)
		require.Greater(t, all[0].ID, last, "an ID is never used again")
		last = all[len(all)-1].ID
		n, err := f.db.Prune(ctx, f.now.Add(1), 1_000_000)
		require.NoError(t, err)
		require.Equal(t, 45*99, n)
		require.Empty(t, f.records())
	}
}

func exerciseOrder(t *testing.T, f *fixture) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f.commit(randomPlan(rng, 1000))
	}
	got := f.load()
	assert.True(t, slices.IsSortedFunc(got.Alerts, func(a, b *alarm.Alert) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) }))
	assert.True(t, slices.IsSortedFunc(got.Verdicts, func(a, b alarm.Verdict) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) }))
	assert.True(t, slices.IsSortedFunc(got.Silences, func(a, b *alarm.Silence) int { return cmp.Compare(a.ID, b.ID) }))
	assert.True(t, slices.IsSortedFunc(got.Groups, func(a, b alarm.GroupState) int { return cmp.Compare(a.Group.ID(), b.Group.ID()) }))
	assert.True(t, slices.IsSortedFunc(got.Told, func(a, b alarm.Told) int { return compareKeys(a.Key, b.Key) }))
	assert.True(t, slices.IsSortedFunc(got.Intentions, func(a, b alarm.Intention) int { return cmp.Compare(a.ID, b.ID) }))
	assert.True(t, slices.IsSortedFunc(got.Rows, func(a, b alarm.Row) int {
		return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Key, b.Key))
	}))
	require.Greater(t, len(got.Alerts), 20)
}

// exerciseRandom commits random plans, some of which are refused, reopens the database now and
// then, and compares it with a Store that was given the same.
func exerciseRandom(t *testing.T, f *fixture) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	twin := NewStore()
	for range 100 {
		p := randomPlan(rng, 40)
		if rng.IntN(10) == 0 {
			f.reopen()
		}
		if rng.IntN(8) == 0 {
			require.ErrorIs(t, f.db.Commit(t.Context(), f.generation-1, p), alarm.ErrLeaseLost)
			continue
		}
		f.commit(p)
		require.NoError(t, twin.Commit(t.Context(), 0, p))
		if rng.IntN(5) == 0 {
			want, err := twin.Load(t.Context())
			require.NoError(t, err)
			assertStored(t, want, f.load())
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	f.reopen()
	want, err := twin.Load(t.Context())
	require.NoError(t, err)
	assertStored(t, want, f.load())
	wantRecords, err := twin.Records(t.Context(), 0, 0)
	require.NoError(t, err)
	assertRecords(t, wantRecords, f.records())
}

// assertRecords compares records but for their IDs, and bodies by what they mean.
func assertRecords(t *testing.T, want, got []alarm.Record) {
	t.Helper()
	if !assert.Len(t, got, len(want)) {
		return
	}
	for i := range want {
		w, g := want[i], got[i]
		assert.JSONEq(t, string(w.Body), string(g.Body), "record %d", i)
		assert.True(t, json.Valid(g.Body))
		w.ID, w.Body, g.ID, g.Body = 0, nil, 0, nil
		assert.Equal(t, w, g, "record %d", i)
	}
}
