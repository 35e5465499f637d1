package main_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What make soak says of a run.
const (
	soakLength   = "TOCSIN_SOAK"          // how long, such as 30m
	soakDatabase = "TOCSIN_SOAK_DATABASE" // sqlite, or postgres or mysql: then two servers share it
	soakReport   = "TOCSIN_SOAK_REPORT"   // the file that the report is written to
)

const (
	soakShort  = 20 * time.Second // in CI, so that it cannot rot
	soakJudged = 30 * time.Minute // a shorter run says nothing of what is flat
)

// TestSoak runs servers under a mixed load whose set of alerts is bounded, and looks on as memory,
// goroutines and files stay what they are. The harness takes part: sink and fake run in this process.
func TestSoak(t *testing.T) {
	t.Parallel()
	length := soakShort
	if text := os.Getenv(soakLength); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	s := newSoak(t, cmp.Or(os.Getenv(soakDatabase), "sqlite"), length)
	s.run()

	report := s.report()
	t.Log("\n" + report)
	if path := os.Getenv(soakReport); path != "" {
		require.NoError(t, os.WriteFile(path, []byte(report), 0o644))
	}
	// A machine that is busy with other tests lets a page or two wait for too long.
	assert.LessOrEqual(t, len(s.load.failures()), (s.load.reads+s.load.pushes)/20, "failed: %s", s.load.failures())
	for _, m := range s.measures() {
		assert.NotEmpty(t, m.values, "%s was never read", m.name)
		if length >= soakJudged {
			assert.True(t, m.flat(), "%s is not flat: %s", m.name, m.row())
		}
	}
	s.verify()
}

// A soak is a run: servers, what is around them, and what was read of them.
type soak struct {
	t        *testing.T
	database string
	length   time.Duration
	began    time.Time
	servers  []*server
	sink     *sink
	genie    *genie
	vmalert  *liar
	store    *soakStore
	load     *soakLoad
	readings [][]reading // of each server
}

func newSoak(t *testing.T, database string, length time.Duration) *soak {
	t.Helper()
	s := &soak{t: t, database: database, length: length, sink: newSink(t), genie: newGenie(t, false), vmalert: newLiar(t, "vmalert")}
	members, url := 1, ""
	if database != "sqlite" {
		members, url = 2, newDatabase(t, database)
	}
	s.pulled(0)
	for range members {
		one := newServer(t, s.config(url, 0), "--data.retention="+s.retention().String(), "--web.enable-pprof")
		one.program = quickProgram(t)
		if length < soakJudged {
			one.program = program(t) // what races shows in a short run as well
		}
		one.Start()
		s.servers = append(s.servers, one)
	}
	s.readings = make([][]reading, members)
	s.store = newSoakStore(t, database, url, s.servers[0].storage)
	s.load = newSoakLoad(s)
	return s
}

// retention is short enough for the run to see most of what it writes go again.
func (s *soak) retention() time.Duration { return max(s.length/10, time.Second).Round(time.Second) }

// config is the n-th configuration; they take turns.
func (s *soak) config(url string, n int) string {
	storage := ""
	if url != "" {
		storage = "  storage: {dsn: " + strconv.Quote(url) + "}\n"
	}
	return fmt.Sprintf(`
route:
  receiver: hook
  group_by: [alertname, cluster]
  group_wait: 1s
  group_interval: 5s
  repeat_interval: %dm
  routes: [{receiver: ops, matchers: [severity="critical"], continue: true}]
receivers:
- {name: hook, webhook_configs: [{url: %q, max_alerts: 20}]}
- {name: ops}
inhibit_rules: [{source_matchers: [alertname="ClusterDown"], target_matchers: [severity="warning"], equal: [cluster]}]
tocsin:
  retention: %s
  severities: {critical: {page: true, priority: P1}, warning: {page: true, priority: P3}}
  sources: [{name: lab, type: vmalert, interval: 2s, urls: [%s]}]
  receivers: [{name: ops, opsgenie: {api_key: key, api_url: %s, reconcile_interval: 10s, requests_per_second: 1000, close_at_most: 100}}]
  flap: {half_life: 20s, start: 3, stop: 1, min: 10s, max: 1m}
  transients: {hold: {warning: 2s}, promote: {count: 3, within: 1m}}
  dependencies:
  - {name: host, cause: [alertname="HostDown"], impact: [alertname="ServiceDown"], on: [host], hold_back: 1s, settle: 2s, max: 4h}
%s`, 5+n%2, s.sink.URL, s.retention(), s.vmalert.URL, s.genie.url, storage)
}

// run loads the servers for the length of the run and reads them meanwhile.
func (s *soak) run() {
	s.began = time.Now()
	ctx, cancel := context.WithTimeout(s.t.Context(), s.length)
	defer cancel()
	var work sync.WaitGroup
	s.load.begin(ctx, &work)
	every(ctx, min(max(s.length/180, time.Second), 10*time.Second), func(int) {
		for i, one := range s.servers {
			if r, err := s.read(one, s.readings[i]); err == nil {
				s.readings[i] = append(s.readings[i], r)
			} else if ctx.Err() == nil {
				s.load.failed("GET /metrics", err)
			}
		}
		s.sink.Forget()
		s.genie.Forget()
	})
	work.Wait()
}

// verify says whether what was acknowledged as firing is there, from each server.
func (s *soak) verify() {
	s.t.Helper()
	for _, one := range s.servers {
		eventually(s.t, func() error {
			there := one.Alerts()
			for fp := range s.load.firing() {
				if _, ok := there[fp]; !ok {
					return fmt.Errorf("%s was acknowledged as firing, and is not there", fp)
				}
			}
			return nil
		})
		code, _, err := one.get("/-/ready")
		require.NoError(s.t, err)
		assert.Equal(s.t, http.StatusOK, code)
	}
}

// every calls f at each tick until ctx ends, with the number of the tick. A tick that comes while f works
// is left out.
func every(ctx context.Context, d time.Duration, f func(n int)) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f(n)
		}
	}
}
