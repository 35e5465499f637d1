package cache_test

import (
	"testing"

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
