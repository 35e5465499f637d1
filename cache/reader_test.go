package cache_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/cachetest"
	"github.com/tocsin/tocsin/discovery"
)

// late is a store whose answer to the first question which version is current comes late, and that may be away.
type late struct {
	cache.Store
	asked, goOn chan struct{}
	first       atomic.Bool // it was asked

	mu   sync.Mutex // guards away
	away error
}

func (l *late) Current(ctx context.Context) (cache.Current, error) {
	l.mu.Lock()
	away := l.away
	l.mu.Unlock()
	if away != nil {
		return cache.Current{}, away
	}
	c, err := l.Store.Current(ctx)
	if l.first.CompareAndSwap(false, true) {
		close(l.asked)
		<-l.goOn
	}
	return c, err
}

// An answer that is overtaken by a newer version does not take a reader back to the older one.
func TestReaderNeverGoesBack(t *testing.T) {
	s := &late{Store: cache.NewMemory(cache.MemoryOptions{}), asked: make(chan struct{}), goOn: make(chan struct{})}
	w, err := cache.NewWriter(s.Store, cache.Options{})
	require.NoError(t, err)
	_, err = w.Write(t.Context(), t0, cachetest.Results(10, 2, t0, "one", discovery.OK))
	require.NoError(t, err)
	r := cache.NewReader(s, cache.ReaderOptions{})
	overtaken := make(chan *cache.View, 1)
	go func() {
		v, err := r.View(context.WithoutCancel(t.Context()), t0)
		assert.NoError(t, err)
		overtaken <- v
	}()
	<-s.asked
	second, err := w.Write(t.Context(), t0.Add(time.Second), cachetest.Results(10, 2, t0, "two", discovery.OK))
	require.NoError(t, err)
	v, err := r.View(t.Context(), t0)
	require.NoError(t, err)
	assert.Equal(t, second, v.ID)
	close(s.goOn)
	assert.Equal(t, second, (<-overtaken).ID)
	s.mu.Lock()
	s.away = errors.New("away")
	s.mu.Unlock()
	v, err = r.View(t.Context(), t0)
	require.NoError(t, err)
	assert.Equal(t, second, v.ID, "what was read last")
}
