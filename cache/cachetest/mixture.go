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
	"github.com/tocsin/tocsin/discovery"
)

// How many versions are made while others read. Those that workers share take longer.
const (
	refreshes = 1000
	shared    = 200
)

// No reader sees two versions mixed, though a thousand are written meanwhile.
func mixture(t *testing.T, s cache.Store) {
	w := writer(t, s)
	mixed(t, s, refreshes, func(ctx context.Context, n int) error {
		at := epoch().Add(time.Duration(n) * time.Second)
		_, err := w.Write(ctx, at, Results(10+n%2, 2, at, fmt.Sprintf("v%d", n), discovery.Fail))
		return err
	})
}

// ExerciseRefresher tests that no reader sees two versions mixed, though three workers make hundreds of them
// meanwhile, one of which publishes. The function returns an empty store and its queue.
func ExerciseRefresher(t *testing.T, empty func(*testing.T) (cache.Store, cache.Queue)) {
	s, q := empty(t)
	source := &Source{}
	var workers []*cache.Refresher
	for range 3 {
		r, err := cache.NewRefresher(s, q, source, cache.Options{Batch: 2})
		require.NoError(t, err)
		workers = append(workers, r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, r := range workers[1:] {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := r.Work(ctx, time.Second); ctx.Err() == nil {
					assert.NoError(t, err)
				}
			}
		})
	}
	mixed(t, s, shared, func(ctx context.Context, n int) error {
		at := epoch().Add(time.Duration(n) * time.Second)
		results := Results(10+n%2, 2, at, fmt.Sprintf("v%d", n), discovery.Fail)
		var cycles []discovery.Cycle
		for i := range 10 {
			cycles = append(cycles, Cycle("agent", fmt.Sprint("cluster-", i), at, results))
		}
		source.Set(cycles...)
		_, err := workers[0].Cycle(ctx, at)
		return err
	})
}

// mixed writes so many versions, and has others read meanwhile: two with one Reader, one with a Reader of another process,
// and two with Readers that leave reading to Run.
func mixed(t *testing.T, s cache.Store, versions int, write func(ctx context.Context, n int) error) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.NoError(t, write(ctx, 0))
	one := cache.NewReader(s, cache.ReaderOptions{})
	all := []*cache.Reader{one, one}
	for range 3 {
		all = append(all, cache.NewReader(s, cache.ReaderOptions{Memory: 1}))
	}
	var wg sync.WaitGroup
	seen := make([]int, len(all))
	for i, reader := range all {
		if i >= 3 {
			wg.Go(func() { _ = reader.Run(ctx) })
		}
		wg.Go(func() { seen[i] = reads(ctx, t, reader) })
	}
	for n := 1; n <= versions && !t.Failed(); n++ {
		assert.NoError(t, write(ctx, n))
	}
	cancel()
	wg.Wait()
	for i, n := range seen {
		assert.Greater(t, n, 5, "reader %d saw hardly anything", i)
	}
}

// reads looks at each version when it comes, and again when the next one has come, and returns how many there were.
func reads(ctx context.Context, t *testing.T, r *cache.Reader) (seen int) {
	var before *cache.View
	for ctx.Err() == nil {
		v, err := r.View(ctx, epoch())
		switch {
		case ctx.Err() != nil:
			return seen
		case !assert.NoError(t, err):
			return seen
		case before == nil:
		case v.ID < before.ID:
			t.Errorf("%s came after %s", v.ID, before.ID)
			return seen
		case v.ID == before.ID:
			select {
			case <-time.After(time.Millisecond): // leave something to others
			case <-ctx.Done():
			}
			continue
		case !same(ctx, t, before):
			return seen
		}
		if seen++; !same(ctx, t, v) {
			return seen
		}
		before = v
	}
	return seen
}

// same checks that all of a view is of one version.
func same(ctx context.Context, t *testing.T, v *cache.View) bool {
	n := int(v.At.Sub(epoch()) / time.Second)
	word := fmt.Sprintf("v%d", n)
	environments := v.Environments()
	ok := assert.Len(t, environments, 10+n%2) && assert.Len(t, v.Failing(), 2*len(environments)) &&
		assert.Equal(t, len(environments), v.Summary.Environments) && assert.Equal(t, len(v.Failing()), v.Summary.Fail)
	for _, f := range v.Failing() {
		ok = ok && assert.Equal(t, word, f.Message)
	}
	for i := range environments {
		e := &environments[i]
		for _, s := range e.Services {
			ok = ok && assert.Equal(t, word, s.Version)
		}
	}
	e := &environments[n%10]
	d, err := v.Detail(ctx, e.Key)
	if ctx.Err() != nil {
		return false
	}
	if !assert.NoError(t, err) {
		return false
	}
	for i := range d.Services {
		s := &d.Services[i]
		ok = ok && assert.Equal(t, word, s.Message) && assert.Contains(t, string(s.Raw), `"`+word+`"`)
	}
	hits, err := v.Search(ctx, "env-", 20)
	if ctx.Err() != nil {
		return false
	}
	return ok && assert.NoError(t, err) && assert.Len(t, hits, 10+n%2)
}
