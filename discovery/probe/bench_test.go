package probe

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/examples/fleet"
)

// One cycle over a whole fleet, as fast as it goes: it has to be far below the 30 s that it has. The
// processor time includes the server's, whose share is what "serve" reports.
func BenchmarkCycle(b *testing.B) {
	for _, bench := range []struct {
		name         string
		environments int
	}{{"350environments", 350}} {
		b.Run(bench.name, func(b *testing.B) {
			f := fleet.New(fleet.Options{Environments: bench.environments, Clock: func() time.Time { return time.Unix(1e9, 0) }})
			documents := map[string][]byte{} // made before: the fleet's own work is not measured
			size := 0
			for _, t := range f.Targets("") {
				_, _, body := f.Document(t.Namespace, t.Service, time.Unix(1e9, 0))
				documents[t.URL] = body
				size += len(body)
			}
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(documents[r.URL.Path]) }))
			defer srv.Close()
			targets := f.Targets(srv.URL)
			for _, parsed := range []struct {
				name  string
				fresh bool
			}{{"allnew", true}, {"samebytes", false}} {
				b.Run(parsed.name, func(b *testing.B) {
					p, err := New(func() []discovery.Target { return targets }, Options{PerHost: 64})
					require.NoError(b, err)
					defer p.client.CloseIdleConnections()
					p.Cycle(b.Context(), 0)
					b.SetBytes(int64(size))
					before := processorTime(b)
					for b.Loop() {
						if parsed.fresh {
							clear(p.last)
						}
						c := p.Cycle(b.Context(), 0)
						require.Len(b, c.Results, len(targets))
					}
					b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N), "cpu-s/op")
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "heap-MB") // the documents among it
					runtime.KeepAlive(p)
				})
			}
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
