// Package cachetest is the conformance suite of package cache's stores and queues, and makes results for
// tests. Memory and Redis pass the same.
package cachetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
)

// short are times that the suite sees pass.
func short() cache.MemoryOptions {
	return cache.MemoryOptions{
		Spare: 600 * time.Millisecond, Lease: 600 * time.Millisecond, ClaimAfter: 300 * time.Millisecond, VersionTTL: 1500 * time.Millisecond,
	}
}

const (
	soon = 10 * time.Second
	tick = 20 * time.Millisecond
)

// ExerciseStore tests an implementation of [cache.Store]. The function returns an empty one with these times.
func ExerciseStore(t *testing.T, empty func(*testing.T, cache.MemoryOptions) cache.Store) {
	tests := []struct {
		name  string
		times cache.MemoryOptions
		test  func(*testing.T, cache.Store)
	}{
		{"Blobs", cache.MemoryOptions{}, blobs},
		{"Expiry", short(), expiry},
		{"Flip", cache.MemoryOptions{}, flip},
		{"Stale", cache.MemoryOptions{}, stale},
		{"Terms", cache.MemoryOptions{}, terms},
		{"Lease", cache.MemoryOptions{}, lease},
		{"LateLeader", short(), lateLeader},
		{"Tiers", cache.MemoryOptions{}, tiers},
		{"Mixture", cache.MemoryOptions{}, mixture},
		{"Threshold", cache.MemoryOptions{}, threshold},
		{"Evicted", short(), evicted},
		{"Search", cache.MemoryOptions{}, searches},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, empty(t, tt.times)) })
	}
}

func acquire(t *testing.T, s cache.Store, holder string) cache.Lease {
	t.Helper()
	l, err := s.Acquire(t.Context(), cache.Lease{Holder: holder})
	require.NoError(t, err)
	return l
}

func blobs(t *testing.T, s cache.Store) {
	ctx := t.Context()
	require.NoError(t, s.Put(ctx, []cache.Blob{{Key: "a", Data: []byte{0, 255, '\n'}}, {Key: "b", Data: []byte("two")}}))
	got, err := s.Get(ctx, []string{"b", "no", "a"})
	require.NoError(t, err)
	assert.Equal(t, [][]byte{[]byte("two"), nil, {0, 255, '\n'}}, got)
	missing, err := s.Missing(ctx, []string{"x", "a", "no", "b"})
	require.NoError(t, err)
	assert.Equal(t, []string{"x", "no"}, missing)
	missing, err = s.Missing(ctx, []string{"a", "b"})
	require.NoError(t, err)
	assert.Empty(t, missing)
	got, err = s.Get(ctx, nil)
	require.NoError(t, err)
	assert.Empty(t, got)
}

// gone waits until a key is not there.
func gone(t *testing.T, s cache.Store, key string) {
	t.Helper()
	require.Eventually(t, func() bool {
		missing, err := s.Missing(context.WithoutCancel(t.Context()), []string{key})
		return err == nil && len(missing) == 1
	}, soon, tick, "%s is still there", key)
}

// What is part of the current version stays, and all else goes.
func expiry(t *testing.T, s cache.Store) {
	ctx := t.Context()
	require.NoError(t, s.Put(ctx, []cache.Blob{{Key: "kept", Data: []byte("k")}, {Key: "spare", Data: []byte("s")}}))
	require.NoError(t, s.PutTerms(ctx, "terms", []string{"x"}))
	l := acquire(t, s, "me")
	require.NoError(t, s.Publish(ctx, l, cache.Flip{ID: "1", Keep: []string{"kept", "terms"}}))
	require.NoError(t, s.Put(ctx, []cache.Blob{{Key: "kept", Data: []byte("k")}}), "by a worker that was paused")
	gone(t, s, "spare")
	missing, err := s.Missing(ctx, []string{"kept", "terms"})
	require.NoError(t, err)
	require.Empty(t, missing)
	l, err = s.Acquire(ctx, l) // it may have run out, or not
	require.NoError(t, err)
	require.NoError(t, s.Publish(ctx, l, cache.Flip{Base: "1", ID: "2", Drop: []string{"kept"}}))
	missing, err = s.Missing(ctx, []string{"kept"})
	require.NoError(t, err)
	assert.Empty(t, missing, "a view of the version before still needs it for a while")
	gone(t, s, "kept")
	got, err := s.Range(ctx, "terms", "x", "", 1)
	require.NoError(t, err)
	assert.Equal(t, []string{"x"}, got)
}

func flip(t *testing.T, s cache.Store) {
	ctx := t.Context()
	_, err := s.Current(ctx)
	require.ErrorIs(t, err, cache.ErrEmpty)
	l := acquire(t, s, "me")
	require.NoError(t, s.Publish(ctx, l, cache.Flip{ID: "1", Head: []byte("one")}))
	require.ErrorIs(t, s.Publish(ctx, l, cache.Flip{ID: "2"}), cache.ErrConflict, "it is based on nothing")
	require.ErrorIs(t, s.Publish(ctx, l, cache.Flip{Base: "0", ID: "2"}), cache.ErrConflict)
	c, err := s.Current(ctx)
	require.NoError(t, err)
	assert.Equal(t, cache.Current{ID: "1", Head: []byte("one")}, c)
	require.NoError(t, s.Publish(ctx, l, cache.Flip{Base: "1", ID: "2", Head: []byte("two")}))
	c, err = s.Current(ctx)
	require.NoError(t, err)
	assert.Equal(t, cache.Current{ID: "2", Head: []byte("two")}, c)
}

func stale(t *testing.T, s cache.Store) {
	ctx := t.Context()
	l := acquire(t, s, "me")
	first := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	require.ErrorIs(t, s.MarkStale(ctx, l, cache.Stale{Since: first}), cache.ErrEmpty)
	require.NoError(t, s.Publish(ctx, l, cache.Flip{ID: "1"}))
	require.NoError(t, s.MarkStale(ctx, l, cache.Stale{Since: first, Reason: "a"}))
	require.NoError(t, s.MarkStale(ctx, l, cache.Stale{Since: first.Add(time.Hour), Reason: "b"}))
	c, err := s.Current(ctx)
	require.NoError(t, err)
	assert.Equal(t, cache.Stale{Since: first, Reason: "b"}, c.Stale, "since the first, for the last reason")
	require.NoError(t, s.Publish(ctx, l, cache.Flip{Base: "1", ID: "2"}))
	c, err = s.Current(ctx)
	require.NoError(t, err)
	assert.Zero(t, c.Stale)
	require.ErrorIs(t, s.MarkStale(ctx, cache.Lease{Holder: "other", Generation: 1}, cache.Stale{Since: first}), cache.ErrNotPublisher)
}

func terms(t *testing.T, s cache.Store) {
	ctx := t.Context()
	var all []string
	for i := range 2500 {
		all = append(all, fmt.Sprintf("n%04d\x00x", 2499-i))
	}
	require.NoError(t, s.PutTerms(ctx, "t", append(all, "m", "o", "préx")))
	got, err := s.Range(ctx, "t", "n01", "", 3)
	require.NoError(t, err)
	assert.Equal(t, []string{"n0100\x00x", "n0101\x00x", "n0102\x00x"}, got)
	got, err = s.Range(ctx, "t", "n01", got[2], 2)
	require.NoError(t, err)
	assert.Equal(t, []string{"n0103\x00x", "n0104\x00x"}, got)
	got, err = s.Range(ctx, "t", "n019", "n0198\x00x", 5)
	require.NoError(t, err)
	assert.Equal(t, []string{"n0199\x00x"}, got)
	got, err = s.Range(ctx, "t", "n", "", 5000)
	require.NoError(t, err)
	assert.Len(t, got, 2500)
	got, err = s.Range(ctx, "t", "pré", "", 5)
	require.NoError(t, err)
	assert.Len(t, got, 1)
	got, err = s.Range(ctx, "none", "n", "", 5)
	require.NoError(t, err)
	assert.Empty(t, got)
}

func lease(t *testing.T, s cache.Store) {
	ctx := t.Context()
	a := acquire(t, s, "a")
	_, err := s.Acquire(ctx, cache.Lease{Holder: "b"})
	require.ErrorIs(t, err, cache.ErrNotPublisher)
	_, err = s.Acquire(ctx, cache.Lease{Holder: "a"})
	require.ErrorIs(t, err, cache.ErrNotPublisher, "the same name is not the same process")
	again, err := s.Acquire(ctx, a)
	require.NoError(t, err)
	assert.Equal(t, a, again)
	require.ErrorIs(t, s.Release(ctx, cache.Lease{Holder: "b", Generation: a.Generation}), cache.ErrNotPublisher)
	require.NoError(t, s.Release(ctx, a))
	b := acquire(t, s, "b")
	assert.Greater(t, b.Generation, a.Generation)
	require.ErrorIs(t, s.Release(ctx, a), cache.ErrNotPublisher)
}

// Who was paused past its lease is refused, whether another has it meanwhile or nobody.
func lateLeader(t *testing.T, s cache.Store) {
	ctx := t.Context()
	a := acquire(t, s, "a")
	require.NoError(t, s.Publish(ctx, a, cache.Flip{ID: "1"}))
	require.Eventually(t, func() bool {
		return errors.Is(s.MarkStale(context.WithoutCancel(ctx), a, cache.Stale{}), cache.ErrNotPublisher)
	}, soon, tick)
	require.ErrorIs(t, s.Publish(ctx, a, cache.Flip{Base: "1", ID: "2"}), cache.ErrNotPublisher)
	b := acquire(t, s, "b")
	require.ErrorIs(t, s.Publish(ctx, a, cache.Flip{Base: "1", ID: "2"}), cache.ErrNotPublisher)
	require.NoError(t, s.Publish(ctx, b, cache.Flip{Base: "1", ID: "2"}))
	_, err := s.Acquire(ctx, a)
	require.ErrorIs(t, err, cache.ErrNotPublisher)
}
