package rediscache_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/cachetest"
	"github.com/tocsin/tocsin/cache/rediscache"
	"github.com/tocsin/tocsin/cache/rediscache/redistest"
	"github.com/tocsin/tocsin/discovery"
)

// Redis goes away, and comes back empty: readers answer from what they know and say so, and after one
// refresh all is there again, with since when each service fails.
func TestOutage(t *testing.T) {
	server := redistest.Start(t)
	client := connect(t, server)
	source := &cachetest.Source{}
	refresher, err := rediscache.NewRefresher(client, source, rediscache.Options{})
	require.NoError(t, err)
	reader, err := rediscache.NewReader(client, rediscache.Options{Reader: cache.ReaderOptions{Retry: time.Millisecond}})
	require.NoError(t, err)
	ctx, first := t.Context(), time.Now().UTC()
	at := func(now time.Time, word string) {
		results := cachetest.Results(30, 2, now, word, discovery.OK)
		results[5] = cachetest.Health("env-0002", "service-01", now, "broken", discovery.Fail)
		var cycles []discovery.Cycle
		for _, cluster := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"} {
			cycles = append(cycles, cachetest.Cycle("agent", "cluster-"+cluster, now, results))
		}
		source.Set(cycles...)
	}
	at(first, "one")
	_, err = reader.View(ctx, first)
	require.ErrorIs(t, err, cache.ErrEmpty)
	_, err = refresher.Cycle(ctx, first)
	require.NoError(t, err)
	v, err := reader.View(ctx, first)
	require.NoError(t, err)
	known, unread := v.Environments()[3].Key, v.Environments()[4].Key
	_, err = v.Detail(ctx, known)
	require.NoError(t, err)
	id := v.ID

	server.Kill()
	now := first.Add(30 * time.Second)
	v, err = reader.View(ctx, now)
	require.NoError(t, err)
	assert.Equal(t, id, v.ID)
	assert.Equal(t, first, v.Stale.Since)
	assert.Contains(t, v.Stale.Reason, "redis: ")
	assert.Contains(t, v.Stale.Reason, "connection refused")
	d, err := v.Detail(ctx, known)
	require.NoError(t, err)
	assert.Len(t, d.Services, 2)
	_, err = v.Detail(ctx, unread)
	require.ErrorContains(t, err, "read the detail of "+unread.String()+": redis: ")
	hits, err := v.Search(ctx, "0011", 5)
	require.NoError(t, err)
	assert.Equal(t, []cache.Hit{{Kind: cache.EnvironmentKind, Name: "ENV-0011", Cluster: "cluster-1", Namespace: "env-0011"}}, hits)
	_, err = refresher.Cycle(ctx, now)
	require.ErrorContains(t, err, "redis: ")
	require.NotErrorIs(t, err, cache.ErrNotPublisher)
	stranger, err := rediscache.NewReader(client, rediscache.Options{})
	require.NoError(t, err)
	_, err = stranger.View(ctx, now)
	require.ErrorContains(t, err, "connection refused")

	server.Restart()
	later := func() time.Time { return time.Now().Add(time.Minute) } // it is left alone no more
	v, err = reader.View(ctx, later())
	require.NoError(t, err)
	assert.Equal(t, id, v.ID)
	assert.Contains(t, v.Stale.Reason, "empty")
	at(now, "one")
	_, err = refresher.Cycle(ctx, now)
	require.NoError(t, err)
	v, err = stranger.View(ctx, later())
	require.NoError(t, err)
	assert.Equal(t, 60, v.Summary.Services)
	require.Len(t, v.Failing(), 1)
	assert.Equal(t, first, v.Failing()[0].FirstSeen)
	assert.Equal(t, 2, v.Failing()[0].FailCount)
	for _, e := range v.Environments() {
		_, err := v.Detail(ctx, e.Key)
		require.NoError(t, err)
	}
	hits, err = v.Search(ctx, "0011", 5)
	require.NoError(t, err)
	assert.Len(t, hits, 1)
}

// A Redis that hangs is not waited for longer than its client waits.
func TestHangingRedis(t *testing.T) {
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1, ReadTimeout: 200 * time.Millisecond})
	defer client.Close()
	writer, err := rediscache.NewWriter(client, rediscache.Options{})
	require.NoError(t, err)
	reader, err := rediscache.NewReader(client, rediscache.Options{})
	require.NoError(t, err)
	now := time.Now().UTC()
	_, err = writer.Write(t.Context(), now, cachetest.Results(5, 1, now, "one", discovery.OK))
	require.NoError(t, err)
	_, err = reader.View(t.Context(), now)
	require.NoError(t, err)
	server.Pause()
	defer server.Continue()
	began := time.Now()
	for i := range 20 { // one call waits, the others know
		v, err := reader.View(t.Context(), now.Add(time.Duration(i)))
		require.NoError(t, err)
		assert.Contains(t, v.Stale.Reason, "redis: ")
	}
	assert.Less(t, time.Since(began), 3*time.Second)
	_, err = writer.Write(t.Context(), now, nil)
	require.ErrorContains(t, err, "redis: ")
}

// Where something is known, a Redis that hangs makes few wait, and those for no longer than a reader's patience:
// with the default client, and for details and searches too.
func TestHangingRedisIsNotWaitedFor(t *testing.T) {
	server := redistest.Start(t)
	client, err := rediscache.Connect("redis://" + server.Addr)
	require.NoError(t, err)
	defer client.Close()
	writer, err := rediscache.NewWriter(client, rediscache.Options{})
	require.NoError(t, err)
	reader, err := rediscache.NewReader(client, rediscache.Options{Reader: cache.ReaderOptions{Patience: 100 * time.Millisecond, Retry: time.Millisecond}})
	require.NoError(t, err)
	now := time.Now().UTC()
	_, err = writer.Write(t.Context(), now, cachetest.Results(5, 1, now, "one", discovery.OK))
	require.NoError(t, err)
	_, err = reader.View(t.Context(), now)
	require.NoError(t, err)
	server.Pause()
	defer server.Continue()
	began := time.Now()
	var all errgroup.Group
	for range 8 {
		all.Go(func() error {
			for range 4 {
				v, err := reader.View(t.Context(), time.Now())
				if err != nil {
					return err
				}
				assert.Contains(t, v.Stale.Reason, "redis: ")
				_, err = v.Detail(t.Context(), v.Environments()[0].Key)
				assert.ErrorContains(t, err, "redis: ")
				hits, err := v.Search(t.Context(), "0001", 5)
				assert.NoError(t, err)
				assert.Len(t, hits, 1)
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
	assert.Less(t, time.Since(began), 12*time.Second, "the client alone would wait so long for one answer")
}
