package cache_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/cachetest"
	"github.com/tocsin/tocsin/discovery"
)

// emptied is a store that another one takes the place of, and of which contents can be held up.
type emptied struct {
	cache.Store // that was there first

	mu    sync.Mutex    // guards what is below
	store cache.Store   // that is there now
	held  chan struct{} // nil: nothing is held up
}

func (e *emptied) becomes(s cache.Store, held chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.store, e.held = s, held
}

func (e *emptied) now() (cache.Store, chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.store, e.held
}

func (e *emptied) Current(ctx context.Context) (cache.Current, error) {
	s, _ := e.now()
	return s.Current(ctx)
}

func (e *emptied) Get(ctx context.Context, keys []string) ([][]byte, error) {
	s, held := e.now()
	if held != nil {
		<-held
	}
	return s.Get(ctx, keys)
}

// TestReaderOfAnEmptiedStore: until the first version of a store that was emptied is read, what is shown is said to be
// old, for its details are gone.
func TestReaderOfAnEmptiedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		filled := func() cache.Store {
			s := cache.NewMemory(cache.MemoryOptions{})
			w, err := cache.NewWriter(s, cache.Options{})
			require.NoError(t, err)
			_, err = w.Write(t.Context(), time.Now(), cachetest.Results(3, 2, time.Now(), "x", discovery.Fail))
			require.NoError(t, err)
			return s
		}
		first := filled()
		store := &emptied{Store: first, store: first}
		r := cache.NewReader(store, cache.ReaderOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = r.Run(ctx) })
		defer func() { cancel(); wg.Wait() }()
		synctest.Wait()
		before, err := r.View(ctx, time.Now())
		require.NoError(t, err)
		assert.Zero(t, before.Stale)

		store.becomes(cache.NewMemory(cache.MemoryOptions{}), nil)
		v, err := r.View(ctx, time.Now())
		require.NoError(t, err)
		assert.Equal(t, cache.ErrEmpty.Error(), v.Stale.Reason)

		held := make(chan struct{})
		time.Sleep(time.Second)
		store.becomes(filled(), held)
		time.Sleep(time.Second)
		v, err = r.View(ctx, time.Now())
		require.NoError(t, err)
		assert.Equal(t, before.ID, v.ID)
		assert.Equal(t, cache.ErrEmpty.Error(), v.Stale.Reason, "the version that is there was not read yet")

		close(held)
		time.Sleep(time.Second)
		v, err = r.View(ctx, time.Now())
		require.NoError(t, err)
		assert.NotEqual(t, before.ID, v.ID)
		assert.Zero(t, v.Stale)
	})
}
