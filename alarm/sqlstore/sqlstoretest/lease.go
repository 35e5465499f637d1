package sqlstoretest

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
)

func exerciseLease(t *testing.T, f *fixture) {
	ctx := t.Context()
	first, second := f.open(f.url, "one", 0, 0), f.open(f.url, "two", 0, 0)
	l, err := second.Leadership(ctx)
	require.NoError(t, err)
	assert.Equal(t, sqlstore.Leadership{}, l, "nobody leads yet")

	generation := acquire(t, first)
	began := time.Now()
	until, err := first.Renew(ctx, generation)
	require.NoError(t, err)
	assert.WithinDuration(t, began.Add(sqlstore.DefaultTTL), until, sqlstore.DefaultTTL/4)
	assert.Less(t, until.Sub(began), sqlstore.DefaultTTL, "less than the database grants")
	require.NoError(t, first.Commit(ctx, generation, numbered(1)))

	_, err = second.Acquire(ctx)
	var held *sqlstore.HeldError
	require.ErrorAs(t, err, &held)
	assert.Equal(t, "one", held.By)
	assert.NotZero(t, held.Until)
	require.ErrorIs(t, second.Commit(ctx, generation, numbered(9)), alarm.ErrLeaseLost, "the generation is right, the server is not")
	_, err = second.Renew(ctx, generation)
	require.ErrorIs(t, err, alarm.ErrLeaseLost)
	require.ErrorIs(t, second.Release(ctx, generation), alarm.ErrLeaseLost)

	l, err = second.Leadership(ctx)
	require.NoError(t, err)
	assert.Equal(t, "one", l.Name)
	assert.Equal(t, generation, l.Generation)
	assert.EqualValues(t, 1, l.Version)
	assert.False(t, l.Ours)
	assert.WithinDuration(t, l.Since.Add(sqlstore.DefaultTTL), l.Until, sqlstore.DefaultTTL/2)

	require.NoError(t, first.Release(ctx, generation))
	next := acquire(t, second)
	assert.Greater(t, next, generation)
	require.ErrorIs(t, first.Commit(ctx, generation, numbered(9)), alarm.ErrLeaseLost)
	require.NoError(t, second.Commit(ctx, next, numbered(2)))
	assert.Equal(t, 2, numberOf(t, first))
	l, err = second.Leadership(ctx)
	require.NoError(t, err)
	assert.True(t, l.Ours)
	assert.Equal(t, "two", l.Name)
}

// exerciseLeaseEnds has a leader that sleeps for longer than its lease, and wakes up.
func exerciseLeaseEnds(t *testing.T, f *fixture) {
	ctx := t.Context()
	const ttl = 1500 * time.Millisecond
	late, next := f.open(f.url, "late", ttl, 0), f.open(f.url, "next", ttl, 0)
	old := acquire(t, late)
	require.NoError(t, late.Commit(ctx, old, numbered(1)))
	until, err := late.Renew(ctx, old)
	require.NoError(t, err)
	began := time.Now()
	generation, took := takeOver(t, next, began)
	assert.Greater(t, took, ttl-100*time.Millisecond, "as long as it was promised")
	assert.Less(t, took, ttl+10*time.Second)
	assert.True(t, time.Now().After(until), "the sleeper knows by its own clock")

	require.NoError(t, next.Commit(ctx, generation, numbered(2)))
	require.ErrorIs(t, late.Commit(ctx, old, numbered(3)), alarm.ErrLeaseLost)
	_, err = late.Renew(ctx, old)
	require.ErrorIs(t, err, alarm.ErrLeaseLost)
	assert.Equal(t, 2, numberOf(t, late))

	// A lease that ended and that nobody took is still good for a commit, which extends it.
	time.Sleep(ttl + 100*time.Millisecond)
	require.NoError(t, next.Commit(ctx, generation, numbered(3)))
	_, err = late.Acquire(ctx)
	var held *sqlstore.HeldError
	require.ErrorAs(t, err, &held)
}

// takeOver tries to lead until it does, as a server does that stands by.
func takeOver(t *testing.T, db *sqlstore.DB, began time.Time) (generation int64, took time.Duration) {
	t.Helper()
	for time.Since(began) < time.Minute {
		generation, err := db.Acquire(t.Context())
		if err == nil {
			return generation, time.Since(began)
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.Fail(t, "nobody could take over")
	return 0, 0
}

// exercisePaused stops a leader in the middle of a commit, when it holds the lock on the lease. The
// durations are those of a real server.
func exercisePaused(t *testing.T, f *fixture) {
	ctx := t.Context()
	proxy := NewProxy(t, f.server.Address)
	late := f.open(f.server.URLAt(proxy.Address, f.database), "late", 0, time.Minute)
	next := f.open(f.url, "next", 0, 0)
	old := acquire(t, late)
	require.NoError(t, late.Commit(ctx, old, numbered(1)))

	committed := make(chan error, 1)
	began := time.Now()
	proxy.freezeAfter(4)
	go func() { committed <- late.Commit(ctx, old, numbered(2)) }()
	generation, took := takeOver(t, next, began)
	t.Logf("took over after %v", took)
	assert.Less(t, took, 14*time.Second, "so that 15 s are enough to load as well")
	require.NoError(t, next.Commit(ctx, generation, numbered(3)))

	proxy.Thaw()
	require.Error(t, <-committed, "whoever was paused")
	require.ErrorIs(t, late.Commit(ctx, old, numbered(4)), alarm.ErrLeaseLost)
	assert.Equal(t, 3, numberOf(t, next))
}

// exerciseClocks has clocks that differ by an hour: those of the servers, which do not matter, and
// that of the database, which is set.
func exerciseClocks(t *testing.T, f *fixture) {
	ctx := t.Context()
	first, second := f.open(f.url, "one", 0, 0), f.open(f.url, "two", 0, 0)
	generation := acquire(t, first)
	for n, skew := range []time.Duration{time.Hour, -time.Hour} {
		p := numbered(n + 1)
		p.At = time.Now().Add(skew)
		require.NoError(t, first.Commit(ctx, generation, p))
		_, err := second.Acquire(ctx)
		var held *sqlstore.HeldError
		require.ErrorAs(t, err, &held)
		_, err = first.Renew(ctx, generation)
		require.NoError(t, err)
	}
	const hour = "3600000000000"
	f.dialect.Exec(t, f.url, "UPDATE lease SET expires_at = expires_at + "+hour) // the clock went back
	next := acquire(t, second)
	require.ErrorIs(t, first.Commit(ctx, generation, numbered(9)), alarm.ErrLeaseLost)
	f.dialect.Exec(t, f.url, "UPDATE lease SET expires_at = expires_at - "+hour) // and forth
	_, err := second.Renew(ctx, next)
	require.NoError(t, err, "a lease that nobody took can be renewed")
	var held *sqlstore.HeldError
	_, err = first.Acquire(ctx)
	require.ErrorAs(t, err, &held)
}

// exerciseTwoAtOnce has many who open an empty database, and want to lead, at once.
func exerciseTwoAtOnce(t *testing.T, f *fixture) {
	ctx := t.Context()
	const many = 6
	var wg sync.WaitGroup
	var mu sync.Mutex // guards the two below
	ids := map[string]int{}
	leaders := map[int64]int{}
	for range many {
		wg.Go(func() {
			db, err := f.dialect.Open(ctx, f.url, "", 0, 0)
			if !assert.NoError(t, err) {
				return
			}
			t.Cleanup(func() { assert.NoError(t, db.Close()) })
			id, err := db.InstanceID(ctx)
			assert.NoError(t, err)
			generation, err := db.Acquire(ctx)
			mu.Lock()
			defer mu.Unlock()
			ids[id]++
			if err == nil {
				leaders[generation]++
			}
		})
	}
	wg.Wait()
	assert.Len(t, ids, 1, "one instance")
	assert.Equal(t, map[int64]int{1: 1}, leaders, "one leader")
}
