package rediscache_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/rediscache"
	"github.com/tocsin/tocsin/cache/rediscache/redistest"
	"github.com/tocsin/tocsin/discovery"
)

// An estate is the health of many services: 12 in each environment, with documents of size bytes in all.
type estate struct {
	cycles    []discovery.Cycle
	documents [12][]byte
	raw       int
}

// estateOf makes documents that look like real ones: names, states, durations and messages.
func estateOf(environments, size int) *estate {
	e := &estate{}
	for s := range e.documents {
		d := []byte(`{"status":"Healthy","totalDuration":"00:00:00.0412207","entries":{`)
		for i := 0; len(d) < size/12-200; i++ {
			d = fmt.Appendf(d, `"dependency %x of the service %d":{"data":{"url":"http://host-%d.example:8080/health"},"duration":"00:00:00.%07d","description":"the %dth check, number %x, passed","status":"Healthy","tags":["sql","t%d"]},`,
				uint64(i+s*7919)*0x9e3779b97f4a7c15, s, i*31%977, i*104729%10_000_000, i, uint64(i)*0xbf58476d1ce4e5b9, i%5)
		}
		e.documents[s] = append(d, `"last":{"status":"Healthy"}}}`...)
		e.raw += len(e.documents[s])
	}
	at := time.Now().UTC()
	for n := range environments {
		cluster := fmt.Sprintf("cluster-%03d", n%100)
		if n < 100 {
			e.cycles = append(e.cycles, discovery.Cycle{Agent: "agent", Cluster: cluster, Interval: 30 * time.Second})
		}
		for s := range 12 {
			h := discovery.Health{
				Target: discovery.Target{
					Cluster: cluster, Namespace: fmt.Sprintf("env-%04d", n), Environment: fmt.Sprintf("env-%04d", n),
					Service: fmt.Sprintf("service-%02d", s), URL: fmt.Sprintf("http://service-%02d.env-%04d.svc:8080/health", s, n),
				},
				At: at, Latency: 12 * time.Millisecond,
				Report: discovery.Report{Format: discovery.ASPNet, HTTPStatus: 200, State: discovery.OK, Duration: time.Millisecond, Operations: 1, FailedOperations: 0},
			}
			if n%50 == 3 && s == 4 {
				h.State, h.Message = discovery.Fail, "the database does not answer"
			}
			e.cycles[n%100].Results = append(e.cycles[n%100].Results, h)
		}
	}
	for i := range e.cycles {
		slices.SortFunc(e.cycles[i].Results, func(a, b discovery.Health) int { return a.Target.Key().Compare(b.Target.Key()) })
	}
	return e
}

// Cycles returns the estate as it is.
func (e *estate) Cycles(context.Context, time.Time) ([]discovery.Cycle, error) { return e.cycles, nil }

// Documents returns the same documents for all environments: fetching is not what is measured.
func (e *estate) Documents(_ context.Context, of []*discovery.Health) error {
	for _, h := range of {
		var s int
		_, _ = fmt.Sscanf(h.Target.Service, "service-%d", &s)
		h.Raw, h.ContentType = e.documents[s], "application/json"
	}
	return nil
}

// change changes the content of one environment in every so many.
func (e *estate) change(generation, every int) {
	at := time.Now().UTC()
	for i := range e.cycles {
		e.cycles[i].At = at
		for j := range e.cycles[i].Results {
			h := &e.cycles[i].Results[j]
			h.At = at
			var n int
			if _, _ = fmt.Sscanf(h.Target.Namespace, "env-%d", &n); (n+generation)%every == 0 {
				h.Hash[0], h.Hash[1], h.Hash[2] = byte(generation), byte(generation>>8), 1
			}
		}
	}
}

// BenchmarkRefresh measures a refresh, the queue included, against what Redis alone needs to store the same
// documents: in the same run, one after the other. redis-ratio is the one divided by the other.
func BenchmarkRefresh(b *testing.B) {
	for _, tt := range []struct{ environments, size, every int }{
		{350, 1 << 20, 1}, {350, 1 << 20, 20}, {3500, 100 << 10, 1}, {3500, 100 << 10, 20},
	} {
		b.Run(fmt.Sprintf("%d-environments-%dKB-%dpct", tt.environments, tt.size>>10, 100/tt.every), func(b *testing.B) {
			client := connect(b, redistest.Start(b))
			e := estateOf(tt.environments, tt.size)
			r, err := rediscache.NewRefresher(client, e, rediscache.Options{Times: cache.MemoryOptions{Spare: 20 * time.Second}, Cache: cache.Options{Rebuild: time.Hour}})
			require.NoError(b, err)
			ctx := context.Background()
			generation := 0
			refresh := func() time.Duration {
				generation++
				e.change(generation, tt.every)
				began := time.Now()
				_, err := r.Cycle(ctx, began)
				require.NoError(b, err)
				return time.Since(began)
			}
			full := slices.Concat(e.documents[:]...)
			alone := func() time.Duration { // all details, one after the other in pipelines, as Put does
				began := time.Now()
				for from := 0; from < tt.environments; from += 4 {
					p := client.Pipeline()
					for i := from; i < min(from+4, tt.environments); i++ {
						p.Set(ctx, fmt.Sprintf("alone:%d", i), full, 20*time.Second)
					}
					_, err := p.Exec(ctx)
					require.NoError(b, err)
				}
				return time.Since(began)
			}
			e.change(0, 1)
			refresh()
			alone()
			var ours, theirs, ourCPU, theirCPU time.Duration
			for b.Loop() {
				start := cpu(b, client)
				ours += refresh()
				middle := cpu(b, client)
				theirs += alone()
				ourCPU, theirCPU = ourCPU+middle-start, theirCPU+cpu(b, client)-middle
			}
			b.ReportMetric(float64(ourCPU.Milliseconds())/float64(b.N), "refresh-cpu-ms")
			b.ReportMetric(float64(theirCPU.Milliseconds())/float64(b.N), "redis-cpu-ms")
			b.ReportMetric(float64(ourCPU)/float64(theirCPU), "cpu-ratio")
			b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "refresh-ms")
			b.ReportMetric(float64(theirs.Milliseconds())/float64(b.N), "redis-ms")
			b.ReportMetric(float64(ours)/float64(theirs), "redis-ratio")
		})
	}
}

// cpu is what this process and Redis have used so far: it says more than the clock on a machine that does
// other things too.
func cpu(b *testing.B, client *redis.Client) time.Duration {
	var own syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &own))
	total := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	info, err := client.Info(context.Background(), "cpu").Result()
	require.NoError(b, err)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, err := strconv.ParseFloat(value, 64)
			require.NoError(b, err)
			total += time.Duration(seconds * 1e9)
		}
	}
	return total
}

// BenchmarkRead measures what a page needs.
func BenchmarkRead(b *testing.B) {
	for _, environments := range []int{350, 3500} {
		client := connect(b, redistest.Start(b))
		e := estateOf(environments, 300<<10)
		r, err := rediscache.NewRefresher(client, e, rediscache.Options{})
		require.NoError(b, err)
		reader, err := rediscache.NewReader(client, rediscache.Options{Reader: cache.ReaderOptions{Memory: 1}})
		require.NoError(b, err)
		ctx, now := context.Background(), time.Now()
		e.change(1, 1)
		_, err = r.Cycle(ctx, now)
		require.NoError(b, err)
		v, err := reader.View(ctx, now)
		require.NoError(b, err)
		key := v.Environments()[environments/2].Key
		run := func(name string, f func() error) {
			b.Run(fmt.Sprintf("%s-%d-environments", name, environments), func(b *testing.B) {
				var all []time.Duration
				for b.Loop() {
					began := time.Now()
					require.NoError(b, f())
					all = append(all, time.Since(began))
				}
				slices.Sort(all)
				b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
			})
		}
		run("view", func() error { _, err := reader.View(ctx, now); return err })
		run("new-version", func() error {
			r, err := rediscache.NewReader(client, rediscache.Options{})
			if err == nil {
				_, err = r.View(ctx, now)
			}
			return err
		})
		run("detail", func() error { _, err := v.Detail(ctx, key); return err })
		run("search-prefix", func() error { _, err := v.Search(ctx, "env-01", 20); return err })
		run("search-within", func() error { _, err := v.Search(ctx, "-012", 20); return err })
	}
}
