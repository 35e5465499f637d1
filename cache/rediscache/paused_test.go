package rediscache_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/cachetest"
	"github.com/tocsin/tocsin/cache/rediscache"
	"github.com/tocsin/tocsin/cache/rediscache/redistest"
	"github.com/tocsin/tocsin/discovery"
)

// A pause holds a process at the last moment: it has looked, it may publish, and MULTI/EXEC is what it sends next.
type pause struct {
	reached chan struct{} // closed when it is there
	goOn    chan struct{} // closed to let it go on
	once    sync.Once
}

func newPause() *pause { return &pause{reached: make(chan struct{}), goOn: make(chan struct{})} }

func (p *pause) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (p *pause) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (p *pause) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		if commands[0].Name() == "multi" {
			p.once.Do(func() {
				close(p.reached)
				<-p.goOn
			})
		}
		return next(ctx, commands)
	}
}

// A publisher that was paused between its last look and its MULTI/EXEC is refused, whatever happened meanwhile.
func TestPausedPublisher(t *testing.T) {
	server := redistest.Start(t)
	for name, meanwhile := range map[string]func(t *testing.T, s cache.Store, l cache.Lease){
		"nobody took over": func(*testing.T, cache.Store, cache.Lease) {},
		"another has the lease": func(t *testing.T, s cache.Store, _ cache.Lease) {
			_, err := s.Acquire(t.Context(), cache.Lease{Holder: "b"})
			require.NoError(t, err)
		},
		"another had the lease": func(t *testing.T, s cache.Store, _ cache.Lease) {
			b, err := s.Acquire(t.Context(), cache.Lease{Holder: "b"})
			require.NoError(t, err)
			require.NoError(t, s.Release(t.Context(), b))
		},
		"another has published": func(t *testing.T, s cache.Store, _ cache.Lease) {
			b, err := s.Acquire(t.Context(), cache.Lease{Holder: "b"})
			require.NoError(t, err)
			require.NoError(t, s.Publish(t.Context(), b, cache.Flip{Base: "1", ID: "b"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			opts := rediscache.Options{Prefix: name + ":", Times: cache.MemoryOptions{Lease: 300 * time.Millisecond}}
			hooked, p := connect(t, server), newPause()
			a, err := rediscache.NewStore(hooked, opts)
			require.NoError(t, err)
			s, err := rediscache.NewStore(connect(t, server), opts)
			require.NoError(t, err)
			first, err := s.Acquire(t.Context(), cache.Lease{Holder: "first"})
			require.NoError(t, err)
			require.NoError(t, s.Publish(t.Context(), first, cache.Flip{ID: "1"}))
			require.NoError(t, s.Release(t.Context(), first))

			l, err := a.Acquire(t.Context(), cache.Lease{Holder: "a"})
			require.NoError(t, err)
			hooked.AddHook(p)
			outcome := make(chan error, 1)
			go func() { outcome <- a.Publish(t.Context(), l, cache.Flip{Base: "1", ID: "a"}) }()
			<-p.reached
			require.Eventually(t, func() bool { // its lease runs out
				return errors.Is(s.Publish(context.WithoutCancel(t.Context()), l, cache.Flip{Base: "none"}), cache.ErrNotPublisher)
			}, 20*time.Second, 10*time.Millisecond)
			meanwhile(t, s, l)
			before, err := s.Current(t.Context())
			require.NoError(t, err)
			close(p.goOn)
			err = <-outcome
			assert.True(t, errors.Is(err, cache.ErrConflict) || errors.Is(err, cache.ErrNotPublisher), "%v", err)
			after, err := s.Current(t.Context())
			require.NoError(t, err)
			assert.Equal(t, before, after)
			assert.NotEqual(t, "a", after.ID)
		})
	}
}

// A publisher that was paused before it put its tasks on the queue does not take those of its successor away.
func TestPausedPublisherHasTasks(t *testing.T) {
	server := redistest.Start(t)
	source := &cachetest.Source{}
	now := time.Now().UTC()
	source.Set(cachetest.Cycle("agent", "cluster-0", now, []discovery.Health{
		cachetest.Health("env-10", "a", now, "one", discovery.OK), cachetest.Health("env-20", "a", now, "one", discovery.OK),
	}))
	refresher := func(client *redis.Client, from cache.Source) *cache.Refresher {
		r, err := rediscache.NewRefresher(client, from, rediscache.Options{
			Times: cache.MemoryOptions{Lease: 500 * time.Millisecond}, Cache: cache.Options{Interval: 300 * time.Millisecond, Abandon: 5 * time.Second},
		})
		require.NoError(t, err)
		return r
	}
	hooked, p := connect(t, server), newPause()
	hooked.AddHook(p)
	first, refused := refresher(hooked, source), make(chan error, 1)
	go func() {
		_, err := first.Cycle(context.WithoutCancel(t.Context()), now)
		refused <- err
	}()
	<-p.reached
	second := refresher(connect(t, server), &steps{Source: source, before: func(int) {
		close(p.goOn) // it has tasks that are not done
		assert.ErrorIs(t, <-refused, cache.ErrNotPublisher)
	}})
	require.Eventually(t, func() bool {
		_, err := second.Cycle(context.WithoutCancel(t.Context()), now)
		if !errors.Is(err, cache.ErrNotPublisher) {
			require.NoError(t, err)
		}
		return err == nil
	}, 20*time.Second, 10*time.Millisecond)
}

// steps is upstream as one worker sees it: something happens before documents come.
type steps struct {
	*cachetest.Source
	n      int
	before func(n int) // the how manieth call it is, from 1
}

func (s *steps) Documents(ctx context.Context, of []*discovery.Health) error {
	s.n++
	s.before(s.n)
	return s.Source.Documents(ctx, of)
}

// A worker is paused while it has a task, for longer than it may have it, and comes back: when the version was
// published its result has no effect, and while the version goes on that of the one who has the task now has none.
func TestPausedWorker(t *testing.T) {
	for name, late := range map[string]bool{"while it goes on": false, "when it was published": true} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			ledger := server.Follow(t, "tocsin:")
			source := &cachetest.Source{}
			now := time.Now().UTC()
			var results []discovery.Health
			for _, namespace := range []string{"env-10", "env-20", "env-30"} {
				results = append(results, cachetest.Health(namespace, "a", now, "one", discovery.OK))
			}
			source.Set(cachetest.Cycle("agent", "cluster-0", now, results))
			worker := func(holder string, before func(n int)) *cache.Refresher {
				r, err := rediscache.NewRefresher(connect(t, server), &steps{Source: source, before: before}, rediscache.Options{
					Times: cache.MemoryOptions{ClaimAfter: 500 * time.Millisecond}, Cache: cache.Options{Holder: holder, Batch: 1},
				})
				require.NoError(t, err)
				return r
			}
			taken, goOn, did := make(chan struct{}), make(chan struct{}), make(chan int, 1)
			go func() {
				n, err := worker("paused", func(int) { close(taken); <-goOn }).Work(context.WithoutCancel(t.Context()), 20*time.Second)
				assert.NoError(t, err)
				did <- n
			}()
			counted := -1
			publisher := worker("publisher", func(n int) {
				switch {
				case n == 1:
					<-taken // two tasks are left for the other
				case n == 3 && !late: // which it took over
					close(goOn)
					counted = <-did
				}
			})
			id, err := publisher.Cycle(t.Context(), now)
			require.NoError(t, err)
			if late {
				close(goOn)
				counted = <-did
			}
			assert.Equal(t, map[bool]int{false: 1, true: 0}[late], counted, "who is first is the one who did it")
			require.Eventually(t, func() bool { return len(ledger.Published()) == 1 }, 20*time.Second, time.Millisecond)
			require.NoError(t, ledger.Check())
			assert.Equal(t, id, ledger.Published()[0].ID)
			assert.Equal(t, 3, ledger.Published()[0].Tasks())
			reader, err := rediscache.NewReader(connect(t, server), rediscache.Options{})
			require.NoError(t, err)
			v, err := reader.View(t.Context(), now)
			require.NoError(t, err)
			for _, e := range v.Environments() {
				d, err := v.Detail(t.Context(), e.Key)
				require.NoError(t, err)
				assert.Contains(t, string(d.Service("a").Raw), `"one"`)
			}
		})
	}
}
