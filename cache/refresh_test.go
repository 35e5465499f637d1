package cache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/cachetest"
	"github.com/tocsin/tocsin/discovery"
)

var t0 = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

// fleet is what ten agents found, one in each cluster.
func fleet(environments int, at time.Time, word string) []discovery.Cycle {
	results := cachetest.Results(environments, 2, at, word, discovery.OK)
	var cycles []discovery.Cycle
	for i := range 10 {
		cycles = append(cycles, cachetest.Cycle("agent", fmt.Sprint("cluster-", i), at, results))
	}
	return cycles
}

type rig struct {
	*cache.Refresher
	*cache.Reader
	source *cachetest.Source
	t      *testing.T
}

func newRig(t *testing.T, opts cache.Options) *rig {
	store, source := cache.NewMemory(cache.MemoryOptions{}), &cachetest.Source{}
	r, err := cache.NewRefresher(store, cache.NewMemoryQueue(cache.MemoryOptions{}), source, opts)
	require.NoError(t, err)
	return &rig{r, cache.NewReader(store, cache.ReaderOptions{}), source, t}
}

func (r *rig) view(now time.Time) *cache.View {
	r.t.Helper()
	v, err := r.View(r.t.Context(), now)
	require.NoError(r.t, err)
	return v
}

func (r *rig) refresh(now time.Time, cycles ...discovery.Cycle) *cache.View {
	r.t.Helper()
	r.source.Set(cycles...)
	_, err := r.Cycle(r.t.Context(), now)
	require.NoError(r.t, err)
	return r.view(now)
}

// Only documents whose hash is new are fetched; the others are taken from the detail that was there.
func TestRefreshFetchesWhatChanged(t *testing.T) {
	r := newRig(t, cache.Options{})
	r.refresh(t0, fleet(50, t0, "one")...)
	assert.Equal(t, 100, r.source.Fetched())
	at := t0.Add(30 * time.Second)
	cycles := fleet(50, at, "one")
	cycles[3].Results[4] = cachetest.Health("env-0023", "service-00", at, "two", discovery.Fail)
	v := r.refresh(at, cycles...)
	assert.Equal(t, 101, r.source.Fetched())
	d, err := v.Detail(t.Context(), cache.Key{Cluster: "cluster-3", Namespace: "env-0023"})
	require.NoError(t, err)
	assert.Contains(t, string(d.Service("service-00").Raw), "two")
	assert.Contains(t, string(d.Service("service-01").Raw), "one")
	assert.Equal(t, at, v.Environments()[15].Services[0].At, "times are those of the last cycle, though the detail is older")

	// After ten minutes all are built again, a twentieth at a time.
	for i := range 17 {
		at = t0.Add(10*time.Minute + time.Duration(i)*30*time.Second)
		v = r.refresh(at, fleet(50, at, "one")...)
	}
	for _, e := range v.Environments() {
		assert.Less(t, at.Sub(e.Built), 15*time.Minute, e.Namespace)
	}
	assert.InDelta(t, 101+100+2, r.source.Fetched(), 12)
}

// An agent that is not heard leaves its services unknown; one that says they are gone is believed, be it half
// of all.
func TestLostAndGone(t *testing.T) {
	r := newRig(t, cache.Options{})
	first := fleet(50, t0, "one")
	failing := cachetest.Health("env-0007", "service-00", t0, "broken", discovery.Fail)
	first[7].Results[0] = failing
	r.refresh(t0, first...)

	at := t0.Add(2 * time.Minute)
	cycles := fleet(50, at, "one")
	v := r.refresh(at, append(cycles[:7:7], cycles[8:]...)...)
	assert.Equal(t, cache.Summary{
		Clusters: 10, Environments: 50, Active: 50, Services: 100, OK: 90, Unknown: 10, Lost: 10, FailingActive: 1, Agents: 10, LostAgents: 1,
	}, v.Summary)
	require.Len(t, v.Failing(), 1)
	assert.Equal(t, discovery.Unknown, v.Failing()[0].State, "neither recovered nor gone")
	assert.Equal(t, t0, v.Failing()[0].FirstSeen)
	d, err := v.Detail(t.Context(), cache.Key{Cluster: "cluster-7", Namespace: "env-0007"})
	require.NoError(t, err)
	assert.Contains(t, string(d.Service("service-00").Raw), "broken")

	// An old cycle and a blind one say as little as none.
	cycles[7].At = t0
	v = r.refresh(at, cycles...)
	assert.Equal(t, 10, v.Summary.Lost)
	cycles[7].At, cycles[7].Blind, cycles[7].Results = at, true, nil
	v = r.refresh(at, cycles...)
	assert.Equal(t, 10, v.Summary.Lost)

	at = at.Add(time.Minute)
	cycles = fleet(50, at, "one")
	for i := range 5 {
		cycles[i].Results = nil
	}
	v = r.refresh(at, cycles...)
	assert.Equal(t, 50, v.Summary.Services)
	assert.Equal(t, 0, v.Summary.Lost)
	assert.Equal(t, 5, v.Summary.Clusters)
}

// A service that is missing in an incomplete cycle is lost and not gone: some are unknown, many are too many.
func TestIncompleteCycles(t *testing.T) {
	r := newRig(t, cache.Options{})
	id := r.refresh(t0, fleet(50, t0, "one")...).ID
	at := t0.Add(30 * time.Second)
	short := func(agents int) []discovery.Cycle {
		cycles := fleet(50, at, "one")
		for i := range agents {
			cycles[i].Incomplete, cycles[i].Results = true, cycles[i].Results[:2]
		}
		return cycles
	}
	r.source.Set(short(5)...)
	_, err := r.Cycle(t.Context(), at)
	require.ErrorIs(t, err, cache.ErrPartial)
	v := r.view(at)
	assert.Equal(t, id, v.ID)
	assert.Contains(t, v.Stale.Reason, "60 of 100")
	v = r.refresh(at, short(1)...)
	assert.Equal(t, 100, v.Summary.Services)
	assert.Equal(t, 8, v.Summary.Lost)
	assert.Zero(t, v.Summary.LostAgents)
	v = r.refresh(at, fleet(50, at, "one")...)
	assert.Zero(t, v.Summary.Lost)
}

// Half of the agents are said to be gone for good: all else is there, so that is no outage.
func TestDismissedAgents(t *testing.T) {
	r := newRig(t, cache.Options{})
	r.refresh(t0, fleet(50, t0, "one")...)
	at := t0.Add(5 * time.Minute)
	cycles := fleet(50, at, "one")
	for i := range 5 {
		cycles[i].Results = nil
		cycles[i].Gone = true
	}
	r.source.Set(cycles[4:]...) // of four of them nobody says so yet
	_, err := r.Cycle(t.Context(), at)
	require.ErrorIs(t, err, cache.ErrPartial)
	v := r.refresh(at, cycles...)
	assert.Equal(t, 50, v.Summary.Services)
	assert.Equal(t, 5, v.Summary.Agents)
	assert.Zero(t, v.Summary.Lost)
}

// Half of the agents are gone, and nobody says that they are for good: once they are forgotten, their services
// are expected no longer.
func TestForgottenAgents(t *testing.T) {
	r := newRig(t, cache.Options{Forget: time.Hour})
	r.refresh(t0, fleet(50, t0, "one")...)
	at := t0.Add(50 * time.Minute)
	r.source.Set(fleet(50, at, "one")[:5]...)
	_, err := r.Cycle(t.Context(), at)
	require.ErrorIs(t, err, cache.ErrPartial)
	at = t0.Add(61 * time.Minute)
	v := r.refresh(at, fleet(50, at, "one")[:5]...)
	assert.Equal(t, 50, v.Summary.Services)
	assert.Equal(t, 5, v.Summary.Agents)
}

// Too little from upstream, or nothing: the cache is left as it was, and says so.
func TestRefreshKeepsWhatItHas(t *testing.T) {
	r := newRig(t, cache.Options{})
	id := r.refresh(t0, fleet(50, t0, "one")...).ID
	at := t0.Add(30 * time.Second)
	r.source.Set(fleet(50, at, "two")[:6]...)
	now := t0.Add(5 * time.Minute)
	_, err := r.Cycle(t.Context(), now)
	require.ErrorIs(t, err, cache.ErrPartial)
	v := r.view(now)
	assert.Equal(t, id, v.ID)
	assert.Contains(t, v.Stale.Reason, "0 of 100", "all that upstream says is old")
	_, err = r.Cycle(t.Context(), at)
	require.ErrorIs(t, err, cache.ErrPartial)
	v = r.view(at)
	assert.Equal(t, id, v.ID)
	assert.Contains(t, v.Stale.Reason, "60 of 100")
	assert.Equal(t, t0, v.Stale.Since)

	away := errors.New("connection refused")
	r.source.Fail(away)
	_, err = r.Cycle(t.Context(), at)
	require.ErrorIs(t, err, away)
	assert.Contains(t, r.view(at).Stale.Reason, "ask upstream for the latest states: connection refused")
	r.source.Fail(nil)
	v = r.refresh(at, fleet(50, at, "two")...)
	assert.NotEqual(t, id, v.ID)
	assert.Zero(t, v.Stale)
}

// A version that does not finish is abandoned, and the next one is not disturbed by it.
func TestAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		r := newRig(t, cache.Options{Abandon: 30 * time.Second})
		id := r.refresh(now, fleet(20, now, "one")...).ID
		hang := errors.New("documents hang")
		r.source.Set(fleet(20, now, "two")...)
		r.source.FailDocuments(hang)
		_, err := r.Cycle(t.Context(), now)
		require.ErrorIs(t, err, cache.ErrAbandoned)
		require.ErrorIs(t, err, hang, "it says why")
		assert.InDelta(t, 30, time.Since(now).Seconds(), 1)
		r.source.FailDocuments(nil)
		v := r.view(now)
		assert.Equal(t, id, v.ID)
		assert.Contains(t, v.Stale.Reason, "abandoned")
		now = time.Now()
		v = r.refresh(now, fleet(20, now, "three")...)
		assert.NotEqual(t, id, v.ID)
		assert.Equal(t, "three", v.Environments()[0].Services[0].Version)
	})
}

// Run publishes at once and then in each interval, and gives the lease back at its end.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, queue, source := cache.NewMemory(cache.MemoryOptions{}), cache.NewMemoryQueue(cache.MemoryOptions{}), &cachetest.Source{}
		registry := prometheus.NewPedanticRegistry()
		source.Set(fleet(20, time.Now(), "one")...)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		for i := range 2 {
			opts := cache.Options{Holder: fmt.Sprint("worker-", i)}
			if i == 0 {
				opts.Registerer = registry
			}
			r, err := cache.NewRefresher(store, queue, source, opts)
			require.NoError(t, err)
			go func() { ended <- r.Run(ctx) }()
			synctest.Wait()
		}
		time.Sleep(65 * time.Second)
		v, err := cache.NewReader(store, cache.ReaderOptions{}).View(t.Context(), time.Now())
		require.NoError(t, err)
		assert.Less(t, time.Since(v.At), 31*time.Second)
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
		_, err = store.Acquire(t.Context(), cache.Lease{Holder: "next"})
		require.NoError(t, err)
		problems, err := testutil.GatherAndLint(registry)
		require.NoError(t, err)
		assert.Empty(t, problems)
	})
}

// Probing and serving in one process: no VictoriaLogs, no Redis.
func TestDirect(t *testing.T) {
	ctx, direct := t.Context(), &cache.Direct{}
	store := cache.NewMemory(cache.MemoryOptions{})
	r, err := cache.NewRefresher(store, cache.NewMemoryQueue(cache.MemoryOptions{}), direct, cache.Options{})
	require.NoError(t, err)
	for _, c := range fleet(20, t0, "one") {
		for _, h := range c.Results {
			direct.Result(ctx, h)
		}
		direct.Observe(ctx, c)
	}
	_, err = r.Cycle(ctx, t0)
	require.NoError(t, err)
	v, err := cache.NewReader(store, cache.ReaderOptions{}).View(ctx, t0)
	require.NoError(t, err)
	assert.Equal(t, 40, v.Summary.OK)
	d, err := v.Detail(ctx, v.Environments()[0].Key)
	require.NoError(t, err)
	assert.Contains(t, string(d.Services[0].Raw), "one")
	at := t0.Add(time.Minute)
	direct.Observe(ctx, discovery.Cycle{Agent: "agent", Cluster: "cluster-0", At: at, Interval: time.Minute, Blind: true})
	_, err = r.Cycle(ctx, at)
	require.NoError(t, err)
	v, err = cache.NewReader(store, cache.ReaderOptions{}).View(ctx, at)
	require.NoError(t, err)
	assert.Equal(t, 4, v.Summary.Lost)

	// One no longer answers, and the store is empty: what it said last is still known.
	quiet := fleet(20, at.Add(time.Minute), "one")[1]
	h := &quiet.Results[0]
	*h = discovery.NoAnswer(h.Target, quiet.At, discovery.WhyTimeout, "no answer")
	direct.Observe(ctx, quiet)
	empty := cache.NewMemory(cache.MemoryOptions{})
	r, err = cache.NewRefresher(empty, cache.NewMemoryQueue(cache.MemoryOptions{}), direct, cache.Options{})
	require.NoError(t, err)
	_, err = r.Cycle(ctx, quiet.At)
	require.NoError(t, err)
	v, err = cache.NewReader(empty, cache.ReaderOptions{}).View(ctx, quiet.At)
	require.NoError(t, err)
	d, err = v.Detail(ctx, cache.Key{Cluster: h.Target.Cluster, Namespace: h.Target.Namespace})
	require.NoError(t, err)
	silent := d.Service(h.Target.Service)
	assert.Contains(t, string(silent.Raw), "one")
	assert.True(t, silent.Old)
	assert.Equal(t, t0, silent.DocumentAt)
	assert.Equal(t, "application/json", silent.DocumentType)

	direct.Forget(discovery.AgentKey{Cluster: "cluster-0", Agent: "agent"})
	cycles, err := direct.Cycles(ctx, at)
	require.NoError(t, err)
	assert.Len(t, cycles, 9)
}
