package main_test

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/sqlstore/sqlstoretest"
)

// make sizing says for how long each database is measured.
const sizingLength = "TOCSIN_SIZING"

const (
	sizingAlerts = 100_000 // of 1,000 hosts
	sizingBatch  = 64
	sizingPulled = 1000
)

// TestSizing measures what a database has to do for 100,000 active alerts that are sent again each minute, of
// which 1 % end each minute and fire again in the next one, and a vmalert that is asked beside. The short form
// that runs in CI has few alerts: it sees to it that a commit takes as many statements for many as for one.
func TestSizing(t *testing.T) {
	t.Parallel()
	alerts, length, databases := 500, 2*time.Second, []string{"sqlite", "postgres"}
	if text := os.Getenv(sizingLength); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err)
		alerts, databases = sizingAlerts, []string{"sqlite", "postgres", "mysql"}
	}
	var b strings.Builder
	b.WriteString("| | cycles/s | commits/s | statements/s | statements per commit | written, KB/s | history, records/s | bytes per record | history, GB/day | database, MB | told |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, database := range databases {
		t.Run(database, func(t *testing.T) { b.WriteString(newSizing(t, database, alerts).measure(length)) })
	}
	t.Log("\n" + b.String())
}

// A sizing is a server with a load that is paced.
type sizing struct {
	t        *testing.T
	database string
	alerts   int
	server   *server
	sink     *sink
	store    *soakStore
	pid      int // of who writes the database
	round    int
	settled  bool // from now on some end
	minute   time.Duration
}

func newSizing(t *testing.T, database string, alerts int) *sizing {
	t.Helper()
	z := &sizing{t: t, database: database, alerts: alerts, sink: newSink(t), minute: time.Minute}
	if alerts < sizingAlerts {
		z.minute = time.Second
	}
	storage, url := "", ""
	switch database {
	case "postgres":
		db := sqlstoretest.Postgres(t, sqlstoretest.Options{Durable: true, Settings: []string{"shared_preload_libraries=pg_stat_statements"}})
		z.pid, url = db.PID(), db.URL("")
	case "mysql":
		db := sqlstoretest.MariaDB(t, sqlstoretest.Options{Durable: true})
		z.pid, url = db.PID(), db.URL("")
	}
	if url != "" {
		storage = "  storage: {dsn: " + strconv.Quote(url) + "}\n"
	}
	vmalert := newLiar(t, "vmalert")
	pulled := make([]string, sizingPulled)
	for i := range pulled {
		pulled[i] = fmt.Sprintf(`{"state":"firing","name":"Pulled","value":"1","labels":{"alertname":"Pulled","service":"pulled","n":"%d"},"annotations":{},"activeAt":"2026-01-01T00:00:00Z"}`, i)
	}
	vmalert.Says("Pulled", strings.Join(pulled, ","))
	s := newServer(t, fmt.Sprintf(`
route: {receiver: hook, group_by: [service], group_wait: %s, group_interval: 5m, repeat_interval: 4h}
receivers: [{name: hook, webhook_configs: [{url: %q, max_alerts: 1}]}]
tocsin:
  sources: [{name: lab, type: vmalert, interval: 15s, urls: [%s]}]
%s`, 3*z.minute, z.sink.URL, vmalert.URL, storage))
	s.program = quickProgram(t)
	s.Start()
	z.server = s
	if z.pid == 0 {
		z.pid = s.cmd.Process.Pid
	}
	z.store = newSoakStore(t, database, url, s.storage)
	if database == "postgres" {
		_, err := z.store.db.Exec("CREATE EXTENSION pg_stat_statements")
		require.NoError(t, err)
	}
	return z
}

// body is a batch, from the n-th alert on.
func (z *sizing) body(n int) string {
	var b bytes.Buffer
	b.WriteByte('[')
	for j := n; j < min(n+sizingBatch, z.alerts); j++ {
		if j > n {
			b.WriteByte(',')
		}
		ends := time.Now().Add(time.Hour)
		if z.settled && (j+j/1000)%100 == z.round%100 {
			ends = time.Now() // it fires again in the next round
		}
		host := j % 1000
		fmt.Fprintf(&b, `{"labels":{"alertname":"HighRequestLatency%03d","cluster":"cluster-%02d","namespace":"production-%02d","service":"service-%04d","pod":"service-%04d-7d4b9c6f5d-%05d","instance":"10.0.%d.%d:9100","job":"kubernetes-pods","severity":"warning","team":"team-%02d","region":"eu-central-1"},`,
			j/1000, host%50, host%20, host, host, j, host/250, host%250, host%30)
		fmt.Fprintf(&b, `"annotations":{"summary":"High request latency on service-%04d","description":"The 99th percentile of request latency has been above 500ms for more than ten minutes on this instance.","runbook_url":"https://runbooks.example.com/high-request-latency"},`, host)
		fmt.Fprintf(&b, `"startsAt":"2026-11-21T07:41:50Z","endsAt":%q,"generatorURL":"http://vmalert:8880/vmalert/alert?group_id=14550520989585825537&alert_id=%d"}`,
			ends.UTC().Format(time.RFC3339Nano), j)
	}
	b.WriteByte(']')
	return b.String()
}

// send sends every alert once, spread over so long, by four senders.
func (z *sizing) send(within time.Duration) {
	z.t.Helper()
	const senders = 4
	began, step := time.Now(), within*sizingBatch/time.Duration(z.alerts)
	problems := make([]error, senders)
	var all sync.WaitGroup
	for c := range senders {
		all.Go(func() {
			for i := c; i*sizingBatch < z.alerts && problems[c] == nil; i += senders {
				<-time.After(time.Until(began.Add(time.Duration(i) * step)))
				code, body, err := z.server.do(http.MethodPost, "/api/v2/alerts", z.body(i*sizingBatch))
				if err == nil && code != http.StatusOK {
					err = fmt.Errorf("POST: %d %.300s", code, body)
				}
				problems[c] = err
			}
		})
	}
	all.Wait()
	require.NoError(z.t, errors.Join(problems...))
	z.round++
}

// measure fills the server, lets it tell everything once, and returns a row of the table.
func (z *sizing) measure(length time.Duration) string {
	z.t.Helper()
	z.send(0)
	for told := 0.0; told < float64(z.alerts); z.scan(&told, "SELECT count(*) FROM history WHERE kind = 'told'") {
		z.send(z.minute)
	}
	z.settled = true
	z.send(z.minute)
	before, began, first := z.counts(), time.Now(), z.round
	for time.Since(began) < length {
		z.send(z.minute)
	}
	after, seconds := z.counts(), time.Since(began).Seconds()
	per := func(f func(counts) float64) float64 { return (f(after) - f(before)) / seconds }
	records := per(func(c counts) float64 { return c.records })
	commits := per(func(c counts) float64 { return c.commits })
	statements, each := "none: in process", "-"
	if z.store.url != "" {
		n := per(func(c counts) float64 { return c.statements })
		statements, each = fmt.Sprintf("%.1f", n), fmt.Sprintf("%.1f", n/commits)
		assert.Less(z.t, n/commits, float64(sizingBatch/2), "statements in a commit, in which there may be %d alerts", sizingBatch)
	}
	// What a record takes up is its own length, and of what the table takes up beside the records its share.
	size := (after.length - before.length) / (after.records - before.records) * after.history / after.length
	row := fmt.Sprintf("| %s | %.1f | %.1f | %s | %s | %.0f | %.1f | %.0f | %.2f | %.0f | %.1f/s |\n", z.database, per(func(c counts) float64 { return c.cycles }), commits,
		statements, each, per(func(c counts) float64 { return c.written })/1000, records, size, records*size*86400/1e9, after.database/1e6,
		per(func(c counts) float64 { return c.told }))
	z.t.Logf("%s: %d alerts, %.0f of them sent per second", z.database, z.alerts, float64(z.alerts*(z.round-first))/seconds)
	return row
}

// counts are read before and after.
type counts struct {
	cycles, commits, statements, written, records, length, history, database, told float64
}

func (z *sizing) counts() counts {
	z.t.Helper()
	metrics, err := z.server.metrics()
	require.NoError(z.t, err)
	c := counts{told: float64(len(z.sink.Notifications())), written: written(z.t, z.pid)}
	for _, m := range metrics["tocsin_cycle_duration_seconds"].GetMetric() {
		c.cycles = float64(m.GetHistogram().GetSampleCount())
	}
	c.records, err = z.store.records()
	require.NoError(z.t, err)
	c.database, err = z.store.bytes()
	require.NoError(z.t, err)
	size := "SELECT sum(pgsize) FROM dbstat WHERE name IN ('history', 'history_fingerprint')"
	switch z.database {
	case "postgres":
		z.scan(&c.statements, "SELECT sum(calls) FROM pg_stat_statements")
		size = "SELECT pg_total_relation_size('history')"
	case "mysql":
		var name string
		require.NoError(z.t, z.store.db.QueryRow("SHOW GLOBAL STATUS LIKE 'Questions'").Scan(&name, &c.statements))
		_, err := z.store.db.Exec("ANALYZE TABLE history")
		require.NoError(z.t, err)
		size = "SELECT data_length + index_length FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'history'"
	}
	z.scan(&c.history, size)
	z.scan(&c.length, "SELECT sum(length(body)) FROM history")
	if z.store.url == "" {
		c.commits = transactions(z.t, z.store.file)
	} else {
		z.scan(&c.commits, "SELECT version FROM lease")
	}
	return c
}

func (z *sizing) scan(into *float64, query string) {
	z.t.Helper()
	var n sql.NullFloat64
	require.NoError(z.t, z.store.db.QueryRow(query).Scan(&n), query)
	*into = n.Float64
}

// transactions is SQLite's own counter, in the header of the index of its log (iChange: see "WAL-mode File
// Format").
func transactions(t *testing.T, path string) float64 {
	t.Helper()
	file, err := os.Open(path + "-shm")
	require.NoError(t, err)
	defer file.Close()
	header := make([]byte, 12)
	_, err = file.ReadAt(header, 0)
	require.NoError(t, err)
	return float64(binary.NativeEndian.Uint32(header[8:]))
}

// written is how many bytes a process and its children have had written to disks, or 0 if the system does
// not say.
func written(t *testing.T, pid int) (sum float64) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if parent := fields[1]; filepath.Base(filepath.Dir(path)) != strconv.Itoa(pid) && parent != strconv.Itoa(pid) {
			continue
		}
		io, err := os.ReadFile(filepath.Join(filepath.Dir(path), "io"))
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(io), "\nwrite_bytes: ")
		line, _, _ := strings.Cut(after, "\n")
		n, err := strconv.ParseFloat(line, 64)
		require.NoError(t, err)
		sum += n
	}
	return sum
}
