package rediscache_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
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

// workerOptions are those of the workers' test: their times pass while it waits.
func workerOptions(holder string) rediscache.Options {
	return rediscache.Options{
		Prefix: "workers:",
		Times:  cache.MemoryOptions{Lease: 2 * time.Second, ClaimAfter: time.Second, VersionTTL: 10 * time.Second, Spare: 30 * time.Second},
		Cache:  cache.Options{Holder: holder, Interval: 400 * time.Millisecond, Abandon: 10 * time.Second, Batch: 2},
	}
}

// slow is upstream for the workers: everything changes each second, and a document takes its time.
type slow struct{}

func (slow) Cycles(_ context.Context, now time.Time) ([]discovery.Cycle, error) {
	at := now.UTC().Truncate(time.Second)
	word := strconv.FormatInt(at.Unix(), 10)
	var cycles []discovery.Cycle
	results := cachetest.Results(40, 2, at, word, discovery.OK)
	for i := range 10 {
		c := cachetest.Cycle("agent", fmt.Sprint("cluster-", i), at, results)
		for j := range c.Results {
			c.Results[j].Raw = nil
		}
		cycles = append(cycles, c)
	}
	return cycles, nil
}

func (slow) Documents(ctx context.Context, of []*discovery.Health) error {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
	for _, h := range of {
		h.Raw = cachetest.Health(h.Target.Namespace, h.Target.Service, h.At, h.Version, discovery.OK).Raw
	}
	return nil
}

// A worker is a process of its own.
type worker struct {
	holder string
	cmd    *exec.Cmd
}

func startWorker(t *testing.T, addr, holder string) *worker {
	cmd := exec.Command(os.Args[0], "-test.run=^TestWorkers$")
	cmd.Env = append(os.Environ(), "REDISCACHE_TEST_WORKER="+addr+","+holder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &worker{holder, cmd}
}

func work(addr, holder string) {
	r, err := rediscache.NewRefresher(redis.NewClient(&redis.Options{Addr: addr}), slow{}, workerOptions(holder))
	if err == nil {
		err = r.Run(context.Background())
	}
	panic(err)
}

// Of three workers one is killed in mid-cycle, while it holds tasks, and the publisher is paused past its
// lease: each version that is published is whole, and never does an older publisher come after a newer one.
func TestWorkers(t *testing.T) {
	if addr, holder, ok := strings.Cut(os.Getenv("REDISCACHE_TEST_WORKER"), ","); ok {
		work(addr, holder)
	}
	server := redistest.Start(t)
	client := connect(t, server)
	ledger := server.Follow(t, "workers:")
	workers := map[string]*worker{}
	for _, holder := range []string{"a", "b", "c"} {
		workers[holder] = startWorker(t, server.Addr, holder)
	}
	reader, err := rediscache.NewReader(client, workerOptions(""))
	require.NoError(t, err)
	w := &watch{t: t, client: client, reader: reader, spare: workers}
	w.versions(4)

	publisher := w.publisher()
	var dead string
	require.Eventually(t, func() bool { dead = w.holding(publisher); return dead != "" }, 20*time.Second, time.Millisecond)
	require.NoError(t, workers[dead].cmd.Process.Kill())
	w.versions(3)

	publisher = w.publisher()
	require.Eventually(t, func() bool { return client.Exists(t.Context(), "workers:building").Val() == 1 }, 20*time.Second, time.Millisecond)
	require.NoError(t, workers[publisher].cmd.Process.Signal(syscall.SIGSTOP))
	before := w.generation
	require.Eventually(t, func() bool { w.versions(1); return w.generation > before }, 30*time.Second, time.Millisecond)
	require.NoError(t, workers[publisher].cmd.Process.Signal(syscall.SIGCONT))
	w.versions(5)
	assert.NotEqual(t, publisher, w.publisher(), "who was paused goes on as a worker")
	left, err := client.XLen(t.Context(), "workers:tasks").Result()
	require.NoError(t, err)
	assert.LessOrEqual(t, left, int64(40), "tasks do not pile up")
	require.Eventually(t, func() bool {
		published := ledger.Published()
		return len(published) > 0 && published[len(published)-1].ID >= w.last
	}, 20*time.Second, time.Millisecond)
	require.NoError(t, ledger.Check())
	assert.Equal(t, 40, ledger.Published()[0].Tasks())
}

// A watch looks at each version that is published.
type watch struct {
	t          *testing.T
	client     *redis.Client
	reader     *cache.Reader
	spare      map[string]*worker
	last       string
	generation int64
}

func (w *watch) publisher() string {
	var holder string
	require.Eventually(w.t, func() bool {
		holder, _, _ = strings.Cut(w.client.Get(w.t.Context(), "workers:publisher").Val(), ":")
		return holder != ""
	}, 20*time.Second, time.Millisecond)
	return holder
}

// holding returns a worker that has tasks and is not the publisher, if there is one.
func (w *watch) holding(publisher string) string {
	pending, err := w.client.XPending(w.t.Context(), "workers:tasks", "workers").Result()
	if err != nil {
		return ""
	}
	for _, holder := range []string{"a", "b", "c"} {
		if holder != publisher && pending.Consumers[holder] > 0 {
			return holder
		}
	}
	return ""
}

// versions waits for so many new versions, and looks at each.
func (w *watch) versions(n int) {
	w.t.Helper()
	for range n {
		var v *cache.View
		require.Eventually(w.t, func() bool {
			var err error
			v, err = w.reader.View(w.t.Context(), time.Now())
			return err == nil && v.ID != w.last
		}, 30*time.Second, 5*time.Millisecond)
		parts := strings.Split(v.ID, "-")
		generation, err := strconv.ParseInt(parts[1], 10, 64)
		require.NoError(w.t, err)
		require.GreaterOrEqual(w.t, generation, w.generation, "an older publisher came after a newer one")
		require.Greater(w.t, v.ID, w.last)
		w.last, w.generation = v.ID, generation
		w.whole(v)
	}
}

// whole checks that nothing is missing in a version, and that all of it is of one moment.
func (w *watch) whole(v *cache.View) {
	w.t.Helper()
	require.Len(w.t, v.Environments(), 40)
	word := v.Environments()[0].Services[0].Version
	for _, e := range v.Environments() {
		d, err := v.Detail(w.t.Context(), e.Key)
		require.NoError(w.t, err)
		require.Len(w.t, d.Services, 2)
		for i, s := range d.Services {
			require.Equal(w.t, word, e.Services[i].Version)
			require.Equal(w.t, word, s.Version)
			require.Contains(w.t, string(s.Raw), `"`+word+`"`)
		}
	}
}
