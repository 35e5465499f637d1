package cachetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
)

// ExerciseQueue tests an implementation of [cache.Queue]. The function returns an empty one with these times.
func ExerciseQueue(t *testing.T, empty func(*testing.T, cache.MemoryOptions) cache.Queue) {
	tests := []struct {
		name  string
		times cache.MemoryOptions
		test  func(*testing.T, cache.Queue)
	}{
		{"EachOnce", cache.MemoryOptions{}, eachOnce},
		{"Claimed", short(), claimed},
		{"Void", cache.MemoryOptions{}, void},
		{"Abandoned", short(), abandoned},
		{"Wait", cache.MemoryOptions{}, waits},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, empty(t, tt.times)) })
	}
}

func tasks(version string, n int) []cache.Task {
	var out []cache.Task
	for i := range n {
		out = append(out, cache.Task{Version: version, ID: fmt.Sprint("t", i), Data: []byte{byte(i), 0, 255}})
	}
	return out
}

// Three workers share the tasks; each is done once.
func eachOnce(t *testing.T, q cache.Queue) {
	ctx := t.Context()
	require.NoError(t, q.Begin(ctx, cache.Lease{}, "v1", tasks("v1", 50)))
	var mu sync.Mutex
	did := map[string]int{}
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for {
				claims, err := q.Take(ctx, fmt.Sprint("worker-", w), 4, 300*time.Millisecond)
				if !assert.NoError(t, err) || len(claims) == 0 {
					return
				}
				assert.LessOrEqual(t, len(claims), 4)
				for _, c := range claims {
					assert.Equal(t, "v1", c.Version)
					first, err := q.Finish(ctx, []cache.Done{{Claim: c, Result: []byte("done " + c.ID)}})
					assert.NoError(t, err)
					assert.Equal(t, 1, first)
					mu.Lock()
					did[c.ID]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	results, err := q.Results(ctx, "v1", 50)
	require.NoError(t, err)
	require.Len(t, results, 50)
	assert.Equal(t, "done t7", string(results["t7"]))
	for id, n := range did {
		assert.Equal(t, 1, n, id)
	}
	require.NoError(t, q.End(ctx, "v1"))
	results, err = q.Results(ctx, "v1", 50)
	require.NoError(t, err)
	assert.Nil(t, results)
}

// What a dead worker held goes to another; if the dead one was only slow, its result does not count.
func claimed(t *testing.T, q cache.Queue) {
	ctx := t.Context()
	require.NoError(t, q.Begin(ctx, cache.Lease{}, "v1", tasks("v1", 3)))
	dead, err := q.Take(ctx, "dead", 2, time.Second)
	require.NoError(t, err)
	require.Len(t, dead, 2)
	assert.Equal(t, []byte{0, 0, 255}, dead[0].Data)
	rest, err := q.Take(ctx, "living", 10, time.Second)
	require.NoError(t, err)
	require.Len(t, rest, 1)
	_, err = q.Finish(ctx, []cache.Done{{Claim: rest[0], Result: []byte("x")}})
	require.NoError(t, err)
	results, err := q.Results(ctx, "v1", 3)
	require.NoError(t, err)
	require.Nil(t, results, "two are not done")
	var again []cache.Claim
	for len(again) < 2 {
		more, err := q.Take(ctx, "living", 10, time.Second)
		require.NoError(t, err)
		require.NotEmpty(t, more)
		again = append(again, more...)
	}
	first, err := q.Finish(ctx, []cache.Done{{Claim: again[0], Result: []byte("living")}, {Claim: again[1], Result: []byte("living")}})
	require.NoError(t, err)
	assert.Equal(t, 2, first)
	first, err = q.Finish(ctx, []cache.Done{{Claim: dead[0], Result: []byte("dead")}, {Claim: dead[1], Result: []byte("dead")}})
	require.NoError(t, err)
	assert.Zero(t, first)
	results, err = q.Results(ctx, "v1", 3)
	require.NoError(t, err)
	assert.Equal(t, map[string][]byte{"t0": []byte("living"), "t1": []byte("living"), "t2": []byte("x")}, results)
}

// A new version makes the tasks of the one before void, those that are taken and those that are not.
func void(t *testing.T, q cache.Queue) {
	ctx := t.Context()
	require.NoError(t, q.Begin(ctx, cache.Lease{}, "v1", tasks("v1", 3)))
	old, err := q.Take(ctx, "a", 1, time.Second)
	require.NoError(t, err)
	require.Len(t, old, 1)
	require.NoError(t, q.Begin(ctx, cache.Lease{}, "v2", tasks("v2", 1)))
	first, err := q.Finish(ctx, []cache.Done{{Claim: old[0], Result: []byte("late")}})
	require.NoError(t, err)
	assert.Zero(t, first)
	claims, err := q.Take(ctx, "a", 10, time.Second)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	assert.Equal(t, "v2", claims[0].Version)
	require.NoError(t, q.End(ctx, "v1"))
	first, err = q.Finish(ctx, []cache.Done{{Claim: claims[0]}})
	require.NoError(t, err)
	assert.Equal(t, 1, first, "the end of another version is not ours")
	results, err := q.Results(ctx, "v2", 1)
	require.NoError(t, err)
	assert.Len(t, results, 1)
}

// The tasks of a version that nobody ends become void by themselves.
func abandoned(t *testing.T, q cache.Queue) {
	ctx := t.Context()
	require.NoError(t, q.Begin(ctx, cache.Lease{}, "v1", tasks("v1", 2)))
	claims, err := q.Take(ctx, "a", 1, time.Second)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	require.Eventually(t, func() bool {
		left, err := q.Take(context.WithoutCancel(ctx), "b", 1, time.Millisecond)
		return err == nil && len(left) == 0
	}, soon, tick)
	require.Eventually(t, func() bool {
		first, err := q.Finish(context.WithoutCancel(ctx), []cache.Done{{Claim: claims[0], Result: []byte("late")}})
		return err == nil && first == 0
	}, soon, tick)
}

func waits(t *testing.T, q cache.Queue) {
	ctx := t.Context()
	claims, err := q.Take(ctx, "a", 1, 10*time.Millisecond)
	require.NoError(t, err)
	require.Empty(t, claims)
	got := make(chan []cache.Claim, 1)
	go func() {
		claims, _ := q.Take(ctx, "a", 1, soon)
		got <- claims
	}()
	require.NoError(t, q.Begin(ctx, cache.Lease{}, "v1", tasks("v1", 1)))
	assert.Len(t, <-got, 1)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = q.Take(ended, "a", 1, soon)
	require.ErrorIs(t, err, context.Canceled)
}
