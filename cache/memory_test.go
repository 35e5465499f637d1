package cache_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/cachetest"
)

func TestMemory(t *testing.T) {
	cachetest.ExerciseStore(t, func(_ *testing.T, times cache.MemoryOptions) cache.Store { return cache.NewMemory(times) })
}

func TestMemoryQueue(t *testing.T) {
	cachetest.ExerciseQueue(t, func(_ *testing.T, times cache.MemoryOptions) cache.Queue { return cache.NewMemoryQueue(times) })
}

func TestMemoryRefresher(t *testing.T) {
	cachetest.ExerciseRefresher(t, func(*testing.T) (cache.Store, cache.Queue) {
		return cache.NewMemory(cache.MemoryOptions{}), cache.NewMemoryQueue(cache.MemoryOptions{})
	})
}

// Who was paused does not take away the tasks of its successor.
func TestMemoryQueueIsFenced(t *testing.T) {
	q := cache.NewMemoryQueue(cache.MemoryOptions{})
	task := cache.Task{Version: "new", ID: "a"}
	require.NoError(t, q.Begin(t.Context(), cache.Lease{Holder: "b", Generation: 2}, "new", []cache.Task{task}))
	require.ErrorIs(t, q.Begin(t.Context(), cache.Lease{Holder: "a", Generation: 1}, "old", nil), cache.ErrNotPublisher)
	claims, err := q.Take(t.Context(), "worker", 1, 0)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	require.NoError(t, q.Begin(t.Context(), cache.Lease{Holder: "b", Generation: 2}, "next", nil))
}
