package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/sqlstore/sqlstoretest"
)

// BenchmarkStart measures from the start of a server whose alerts fire, and were told, until /-/ready says
// that it leads and knows them: all of it but what the system needs to load the program.
func BenchmarkStart(b *testing.B) {
	const alerts = 100_000
	databases := []struct {
		name  string
		start func(testing.TB, sqlstoretest.Options) *sqlstoretest.Server
	}{{"sqlite", nil}, {"postgres", sqlstoretest.Postgres}, {"mysql", sqlstoretest.MariaDB}}
	for _, d := range databases {
		b.Run(fmt.Sprintf("%s/alerts=%d", d.name, alerts), func(b *testing.B) {
			percent := debug.SetGCPercent(100)
			b.Cleanup(func() { debug.SetGCPercent(percent) }) // a server has its own
			url := ""
			if d.start != nil {
				url = d.start(b, sqlstoretest.Options{Durable: true}).URL("")
			}
			s := newStarted(b, url)
			s.start(b)
			s.fill(b, alerts)
			s.stop(b)
			var used time.Duration
			for b.Loop() {
				before := cpu()
				s.start(b)
				used += cpu() - before
				b.StopTimer()
				s.stop(b)
				b.StartTimer()
			}
			b.ReportMetric(used.Seconds()/float64(b.N), "cpu-s/op") // without the database server's
		})
	}
}

// started is a server that is started and stopped in this process, with listeners.
type started struct {
	args     []string
	url      string
	notified atomic.Int64
	log      bytes.Buffer
	cancel   context.CancelFunc
	ended    chan int
}

// newStarted prepares a server with 1,000 groups, on a database or, without one, on a file.
func newStarted(b *testing.B, database string) *started {
	b.Helper()
	s := &started{}
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.notified.Add(1)
	}))
	b.Cleanup(sink.Close)
	text := fmt.Sprintf(`route: {receiver: r, group_by: [service], group_wait: 1s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: r, webhook_configs: [{url: %q, max_alerts: 1}]}]
`, sink.URL)
	if database != "" {
		text += "tocsin: {storage: {dsn: " + strconv.Quote(database) + "}}\n"
	}
	dir := b.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	require.NoError(b, os.WriteFile(file, []byte(text), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	address := l.Addr().String()
	require.NoError(b, l.Close())
	s.url = "http://" + address
	s.args = []string{
		"--config.file=" + file, "--storage.path=" + dir, "--web.listen-address=" + address, "--cluster.listen-address=", "--log.level=error",
	}
	return s
}

// start returns when the server is ready.
func (s *started) start(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended = cancel, make(chan int, 1)
	go func() { s.ended <- Run(ctx, s.args, io.Discard, &s.log) }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for s.get("/-/ready") != nil {
		select {
		case code := <-s.ended:
			b.Fatalf("the server ended with code %d:\n%s", code, &s.log)
		case <-tick.C:
		}
	}
}

func (s *started) stop(b *testing.B) {
	b.Helper()
	s.cancel()
	require.Equal(b, exitGood, <-s.ended, &s.log)
	http.DefaultClient.CloseIdleConnections()
	debug.FreeOSMemory() // as in a new process
}

func (s *started) get(path string) error {
	resp, err := http.Get(s.url + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return err
}

// fill has alerts fire, and returns when all of their groups have been told.
func (s *started) fill(b *testing.B, alerts int) {
	b.Helper()
	for _, body := range batches(alerts, 0) {
		resp, err := http.Post(s.url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
		require.NoError(b, err)
		require.NoError(b, resp.Body.Close())
		require.Equal(b, http.StatusOK, resp.StatusCode)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.notified.Load() < 1000 {
		<-tick.C
	}
}
