package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tocsin/tocsin/cache"
)

// With the default interval the times are the defaults of package cache; with a longer one the lease outlasts it.
func TestCacheTimes(t *testing.T) {
	assert.Equal(t, cache.MemoryOptions{}.OrDefaults(), cacheTimes(30*time.Second))
	for _, interval := range []time.Duration{time.Second, 30 * time.Second, 5 * time.Minute} {
		times := cacheTimes(interval)
		assert.Greater(t, times.Lease, interval)
		assert.Greater(t, times.VersionTTL, times.ClaimAfter+times.ClaimAfter/8, "what a dead worker held is done before the version is given up")
		assert.Greater(t, times.Spare, times.VersionTTL, "a detail lasts until its version is published")
	}
}
