package rediscache_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/cachetest"
	"github.com/tocsin/tocsin/cache/rediscache"
	"github.com/tocsin/tocsin/cache/rediscache/redistest"
)

// connect returns a client that gives up soon.
func connect(t testing.TB, s *redistest.Server) *redis.Client {
	client := redis.NewClient(&redis.Options{
		Addr: s.Addr, MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: 5 * time.Second, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestStore(t *testing.T) {
	client := connect(t, redistest.Start(t))
	var n atomic.Int64
	cachetest.ExerciseStore(t, func(t *testing.T, times cache.MemoryOptions) cache.Store {
		s, err := rediscache.NewStore(client, rediscache.Options{Prefix: fmt.Sprintf("test%d:", n.Add(1)), Times: times})
		require.NoError(t, err)
		return s
	})
}

func TestQueue(t *testing.T) {
	client := connect(t, redistest.Start(t))
	var n atomic.Int64
	cachetest.ExerciseQueue(t, func(t *testing.T, times cache.MemoryOptions) cache.Queue {
		q, err := rediscache.NewQueue(client, rediscache.Options{Prefix: fmt.Sprintf("test%d:", n.Add(1)), Times: times})
		require.NoError(t, err)
		return q
	})
}

func TestRefresher(t *testing.T) {
	cachetest.ExerciseRefresher(t, func(t *testing.T) (cache.Store, cache.Queue) {
		client := connect(t, redistest.Start(t))
		s, err := rediscache.NewStore(client, rediscache.Options{})
		require.NoError(t, err)
		q, err := rediscache.NewQueue(client, rediscache.Options{})
		require.NoError(t, err)
		return s, q
	})
}
