package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cmd/internal/config"
)

// The benchmarks run everything but the network: HTTP handlers, engine, SQLite on disk. Their unit
// is one alert of 744 bytes (10 labels, 3 annotations) in batches of 64, with 50 inhibit rules and
// 1,000 groups. cpu-µs/alert is the whole process's CPU time, by which DESIGN measures.

const benchBatch = 64

// sizes are how many alerts are active.
var sizes = []int{1_000, 10_000, 100_000}

// benchServer starts a server without listeners.
func benchServer(b *testing.B) http.Handler {
	b.Helper()
	dir := b.TempDir()
	var rules bytes.Buffer
	for i := range 50 {
		fmt.Fprintf(&rules, "- {source_matchers: ['alertname=\"Cause%d\"'], target_matchers: ['alertname=\"Impact%d\"'], equal: [cluster]}\n", i, i)
	}
	text := "route: {receiver: r, group_by: [service], group_wait: 1h, group_interval: 5m}\nreceivers: [{name: r}]\ninhibit_rules:\n" + rules.String()
	file := filepath.Join(dir, "alertmanager.yml")
	require.NoError(b, os.WriteFile(file, []byte(text), 0o600))
	c, err := config.Load(file, "")
	require.NoError(b, err)
	log := slog.New(slog.DiscardHandler)
	s := &server{flags: &serveFlags{storagePath: dir, configFile: file, clusterAddr: "x"}, log: log, registry: prometheus.NewRegistry(), external: "http://localhost/"}
	s.metrics = newConfigMetrics(s.registry)
	db, err := openDatabase(b.Context(), dir, "bench", c.Tocsin.Storage)
	require.NoError(b, err)
	generation, err := db.Acquire(b.Context())
	require.NoError(b, err)
	s.db, s.member = db, &member{}
	_, s.lease = keepLease(b.Context(), db, generation, log)
	b.Cleanup(s.lease.stop)
	require.NoError(b, s.assembleParts(c, generation))
	stopEngine := background(func(error) {}, s.engine.Run)
	stopDeliverer := background(func(error) {}, s.deliverer.Run)
	b.Cleanup(func() {
		require.NoError(b, stopDeliverer())
		require.NoError(b, stopEngine())
		require.NoError(b, db.Close())
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	b.Cleanup(func() { l.Close() })
	h, err := s.handler([]net.Listener{l}, &watcher{reload: s.reload, log: log})
	require.NoError(b, err)
	return h
}

// batches are the bodies of n alerts.
func batches(n int, round int) [][]byte {
	var all [][]byte
	for i := 0; i < n; i += benchBatch {
		var b bytes.Buffer
		b.WriteByte('[')
		for j := i; j < min(i+benchBatch, n); j++ {
			if j > i {
				b.WriteByte(',')
			}
			ends := time.Now().Add(time.Hour + time.Duration(round)*time.Second).UTC().Format(time.RFC3339Nano)
			fmt.Fprintf(&b, `{"labels":{"alertname":"HighRequestLatency%03d","cluster":"cluster-%02d","namespace":"production-%02d","service":"service-%04d","pod":"service-%04d-7d4b9c6f5d-%05d","instance":"10.0.%d.%d:9100","job":"kubernetes-pods","severity":"warning","team":"team-%02d","region":"eu-central-1"},"annotations":{"summary":"High request latency on service-%04d","description":"The 99th percentile of request latency has been above 500ms for more than ten minutes on this instance.","runbook_url":"https://runbooks.example.com/high-request-latency"},"startsAt":"2026-11-21T07:41:50Z","endsAt":"%s","generatorURL":"http://vmalert:8880/vmalert/alert?group_id=14550520989585825537&alert_id=%d"}`,
				j%200, j%50, j%20, j%1000, j%1000, j, j/250%250, j%250, j%30, j%1000, ends, j)
		}
		b.WriteByte(']')
		all = append(all, b.Bytes())
	}
	return all
}

func post(b *testing.B, h http.Handler, bodies [][]byte) {
	b.Helper()
	work := make(chan []byte)
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for body := range work {
				req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/api/v2/alerts", bytes.NewReader(body))
				req.Header.Set("Content-Type", "application/json")
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, req)
				if rec.Code != http.StatusOK {
					b.Errorf("POST: %d %s", rec.Code, rec.Body)
				}
			}
		}()
	}
	for _, body := range bodies {
		work <- body
	}
	close(work)
	for range 4 {
		<-done
	}
}

func get(b *testing.B, h http.Handler, path string) {
	b.Helper()
	rec := &discard{header: http.Header{}}
	h.ServeHTTP(rec, httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil))
	if rec.code != http.StatusOK && rec.code != 0 {
		b.Fatalf("GET %s: %d", path, rec.code)
	}
}

type discard struct {
	header http.Header
	code   int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(code int)        { d.code = code }
func (d *discard) Write(p []byte) (int, error) { return io.Discard.Write(p) }

// cpu is the CPU time that the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportCPU(b *testing.B, before time.Duration, alerts int) {
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N)/float64(alerts), "cpu-µs/alert")
}

func BenchmarkIngestNew(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("alerts=%d", n), func(b *testing.B) {
			bodies := batches(n, 0)
			var used time.Duration
			rounds := 0
			for b.Loop() {
				b.StopTimer()
				h := benchServer(b)
				b.StartTimer()
				before := cpu()
				post(b, h, bodies)
				used += cpu() - before
				rounds++
			}
			b.ReportMetric(float64(used.Microseconds())/float64(rounds)/float64(n), "cpu-µs/alert")
		})
	}
}

func BenchmarkIngestResent(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("alerts=%d", n), func(b *testing.B) {
			h := benchServer(b)
			post(b, h, batches(n, 0))
			bodies := [2][][]byte{batches(n, 1), batches(n, 2)}
			before := cpu()
			i := 0
			for b.Loop() {
				post(b, h, bodies[i%2])
				i++
			}
			reportCPU(b, before, n)
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range sizes {
		h := benchServer(b)
		post(b, h, batches(n, 0))
		for _, read := range []struct{ name, path string }{
			{"alerts", "/api/v2/alerts"},
			{"groups", "/api/v2/alerts/groups"},
			{"filtered", "/api/v2/alerts?filter=cluster%3D%22cluster-07%22"},
			{"page", "/"},
		} {
			b.Run(fmt.Sprintf("%s/alerts=%d", read.name, n), func(b *testing.B) {
				for b.Loop() {
					get(b, h, read.path)
				}
			})
		}
	}
}
