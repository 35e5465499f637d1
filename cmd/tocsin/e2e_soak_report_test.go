package main_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // to look into the databases of servers
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A soakStore looks into the database beside the servers.
type soakStore struct {
	url  string // of a server's database; empty: a file
	file string
	db   *sql.DB
	size string // a query
}

func newSoakStore(t *testing.T, database, url, storage string) *soakStore {
	t.Helper()
	s := &soakStore{url: url, file: filepath.Join(storage, "tocsin.db")}
	driver, dsn := "sqlite", "file:"+s.file+"?mode=ro"
	switch database {
	case "postgres":
		driver, dsn, s.size = "pgx", url, "SELECT pg_database_size(current_database())"
	case "mysql":
		user, rest, _ := strings.Cut(strings.TrimPrefix(url, "mysql://"), "@")
		address, name, _ := strings.Cut(rest, "/")
		driver, dsn = "mysql", user+"@tcp("+address+")/"+name
		s.size = "SELECT sum(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()"
	}
	var err error
	s.db, err = sql.Open(driver, dsn)
	require.NoError(t, err)
	s.db.SetMaxOpenConns(1)
	t.Cleanup(func() { assert.NoError(t, s.db.Close()) })
	return s
}

// bytes is how large the database is, its log included if that is a file.
func (s *soakStore) bytes() (n float64, err error) {
	if s.url != "" {
		return n, s.db.QueryRow(s.size).Scan(&n)
	}
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(s.file + suffix)
		if err != nil {
			return 0, err
		}
		n += float64(info.Size())
	}
	return n, nil
}

// records is how many records history has. Retention deletes from one end.
func (s *soakStore) records() (n float64, err error) {
	return n, s.db.QueryRow("SELECT COALESCE(max(id) - min(id) + 1, 0) FROM history").Scan(&n)
}

// A reading is what was read of a server at one time, in the order of soakMeasures.
type reading struct {
	at     time.Time
	values []float64
	cycles [2]float64 // how many, and how long they took in all
}

// soakMeasures are what is read. What most names is how far the last fifth of a run may be above the one
// before it: a share of that, and a little besides. Nil: it is shown only.
var soakMeasures = []struct {
	name, unit, metric string
	scale              float64
	most               *[2]float64
}{
	{name: "resident memory", unit: "MB", metric: "process_resident_memory_bytes", scale: 1e-6, most: &[2]float64{0.10, 4}},
	{name: "heap in use after a collection", unit: "MB", metric: "go_memstats_heap_alloc_bytes", scale: 1e-6, most: &[2]float64{0.03, 1}},
	{name: "goroutines", metric: "go_goroutines", scale: 1, most: &[2]float64{0.10, 5}},
	{name: "open files", metric: "process_open_fds", scale: 1, most: &[2]float64{0.10, 5}},
	{name: "database", unit: "MB", scale: 1e-6},
	{name: "history", unit: "records", scale: 1, most: &[2]float64{0.5, 5000}},
	{name: "mean cycle", unit: "ms", scale: 1},
}

// read reads a server, after it has collected its garbage.
func (s *soak) read(one *server, before []reading) (reading, error) {
	if code, body, err := one.get("/debug/pprof/heap?gc=1"); err != nil || code != http.StatusOK {
		return reading{}, fmt.Errorf("collect garbage: %d %.200s %w", code, body, err)
	}
	metrics, err := one.metrics()
	if err != nil {
		return reading{}, err
	}
	r := reading{at: time.Now()}
	for _, m := range metrics["tocsin_cycle_duration_seconds"].GetMetric() {
		r.cycles = [2]float64{float64(m.GetHistogram().GetSampleCount()), m.GetHistogram().GetSampleSum()}
	}
	bytes, err := s.store.bytes()
	if err != nil {
		return reading{}, err
	}
	records, err := s.store.records()
	if err != nil {
		return reading{}, err
	}
	mean := 0.0
	if len(before) > 0 {
		last := before[len(before)-1].cycles
		if n := r.cycles[0] - last[0]; n > 0 {
			mean = 1000 * (r.cycles[1] - last[1]) / n
		}
	}
	for _, m := range soakMeasures {
		value := map[string]float64{"database": bytes, "history": records, "mean cycle": mean}[m.name]
		if m.metric != "" {
			if len(metrics[m.metric].GetMetric()) != 1 {
				return reading{}, fmt.Errorf("no metric %s", m.metric)
			}
			value = metrics[m.metric].GetMetric()[0].GetGauge().GetValue()
		}
		r.values = append(r.values, m.scale*value)
	}
	return r, nil
}

// A measure is one row of the report: what one number did during the run.
type measure struct {
	name   string
	most   *[2]float64
	hours  []float64 // since the beginning
	values []float64
}

func (s *soak) measures() []measure {
	var all []measure
	for i, readings := range s.readings {
		for k, kind := range soakMeasures {
			m := measure{name: kind.name, most: kind.most}
			if kind.unit != "" {
				m.name += ", " + kind.unit
			}
			if len(s.readings) > 1 {
				m.name = fmt.Sprintf("server %d: %s", i+1, m.name)
			}
			for _, r := range readings {
				m.hours = append(m.hours, r.at.Sub(s.began).Hours())
				m.values = append(m.values, r.values[k])
			}
			all = append(all, m)
		}
	}
	return all
}

// tenths are the medians of the tenths of the run.
func (m *measure) tenths() (all [10]float64) {
	for n := range all {
		all[n] = m.median(n, n+1)
	}
	return all
}

// median is that of the tenths from one to another, which is excluded.
func (m *measure) median(from, to int) float64 {
	return median(m.values[from*len(m.values)/10 : to*len(m.values)/10])
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// warm is how many tenths of a run are for warming up: memory is taken, nothing has passed its retention
// yet, and what has ended is in memory for the 15 minutes for which the engine keeps it: see soakLap.
const warm = 6

// slope is how much the number grows in an hour, by the median of the slopes between any two readings
// after the warming up (Theil and Sen): a few readings out of line do not bend it.
func (m *measure) slope() float64 {
	var slopes []float64
	for i := warm * len(m.values) / 10; i < len(m.values); i++ {
		for k := i + 1; k < len(m.values); k++ {
			slopes = append(slopes, (m.values[k]-m.values[i])/(m.hours[k]-m.hours[i]))
		}
	}
	return median(slopes)
}

// flat says whether the second half of what follows the warming up is no more than it may be above the
// first.
func (m *measure) flat() bool {
	return m.most == nil || m.median(8, 10) <= m.median(warm, 8)*(1+m.most[0])+m.most[1]
}

func (m *measure) row() string {
	if len(m.values) == 0 {
		return "| " + m.name + " | never read |"
	}
	verdict := "shown only"
	if m.most != nil {
		verdict = fmt.Sprintf("at most %.0f %% + %g", 100*m.most[0], m.most[1])
		if m.flat() {
			verdict = "flat: " + verdict
		} else {
			verdict = "GROWS: " + verdict
		}
	}
	tenths := ""
	for _, value := range m.tenths() {
		tenths += fmt.Sprintf(" %.4g", value)
	}
	return fmt.Sprintf("| %s | %.4g | %.4g |%s | %.4g | %.4g | %+.3g | %s |",
		m.name, slices.Min(m.values), slices.Max(m.values), tenths, m.median(warm, 8), m.median(8, 10), m.slope(), verdict)
}

// report is the run as a table in Markdown.
func (s *soak) report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d server(s), %s, %d readings: %d alerts fire, %d changes acknowledged and %d of them sent again, %d reads, %d failures\n\n",
		s.database, len(s.servers), s.length, len(s.readings[0]), len(s.load.firing())+soakPulled, s.load.acked, s.load.sent, s.load.reads, len(s.load.failures()))
	if s.length < soakJudged {
		fmt.Fprintf(&b, "It is shorter than %s, so what the last column says counts for nothing.\n\n", soakJudged)
	}
	b.WriteString("| | min | max | medians of tenths of the run | of 60 to 80 % | of the last fifth | slope per hour, from 60 % on | the last fifth beside the one before |\n|---|---|---|---|---|---|---|---|\n")
	for _, m := range s.measures() {
		b.WriteString(m.row() + "\n")
	}
	return b.String()
}

func TestFlat(t *testing.T) {
	t.Parallel()
	made := func(value func(hours float64) float64) measure {
		m := measure{name: "made", most: &[2]float64{0.05, 1}}
		for i := range 180 {
			m.hours = append(m.hours, float64(i)/360)
			m.values = append(m.values, value(m.hours[i]))
		}
		return m
	}
	for name, c := range map[string]struct {
		value func(hours float64) float64
		flat  bool
		slope float64
	}{
		"constant":          {func(float64) float64 { return 100 }, true, 0},
		"warms up":          {func(h float64) float64 { return 100 - max(0, 1000*(0.25-h)) }, true, 0},
		"saws":              {func(h float64) float64 { return 100 + 20*float64(int(h*3600)%60)/60 }, true, 0},
		"falls":             {func(h float64) float64 { return 100 - 60*h }, true, -60},
		"leaks":             {func(h float64) float64 { return 100 + 100*h }, false, 100},
		"leaks and saws":    {func(h float64) float64 { return 100 + 100*h + 20*float64(int(h*3600)%60)/60 }, false, 100},
		"leaks at the last": {func(h float64) float64 { return 100 + max(0, 1000*(h-0.4)) }, false, 490},
	} {
		t.Run(name, func(t *testing.T) {
			m := made(c.value)
			assert.Equal(t, c.flat, m.flat(), m.row())
			assert.InDelta(t, c.slope, m.slope(), 12, m.row())
		})
	}
}
