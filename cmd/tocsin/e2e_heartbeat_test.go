package main_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A watchman is told that all is well, and knows when he was told last. Name by name.
type watchman struct {
	URL string

	mu   sync.Mutex // guards last
	last map[string]time.Time
}

func newWatchman(t *testing.T) *watchman {
	t.Helper()
	w := &watchman{last: map[string]time.Time{}}
	srv := httptest.NewServer(w)
	t.Cleanup(srv.Close)
	w.URL = srv.URL
	return w
}

// ServeHTTP takes one heartbeat, at the path of its name.
func (w *watchman) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last[r.URL.Path] = time.Now()
}

func (w *watchman) heardAt(path string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last[path]
}

// hears waits for the next heartbeat.
func (w *watchman) hears(t *testing.T, path string) {
	t.Helper()
	before := w.heardAt(path)
	eventually(t, func() error {
		if !w.heardAt(path).After(before) {
			return fmt.Errorf("heartbeat %s was not heard since %s", path, before)
		}
		return nil
	})
}

// misses waits until a heartbeat that is sent each second was not heard for four.
func (w *watchman) misses(t *testing.T, path string) {
	t.Helper()
	eventually(t, func() error {
		if age := time.Since(w.heardAt(path)); age < 4*time.Second {
			return fmt.Errorf("heartbeat %s was heard %s ago", path, age)
		}
		return nil
	})
}

// An idleSource is a server of alerts that can be told to fail: a source of type alertmanager.
type idleSource struct {
	URL string

	mu   sync.Mutex // guards fail
	fail bool
}

func newIdleSource(t *testing.T) *idleSource {
	t.Helper()
	a := &idleSource{}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	a.URL = srv.URL
	return a
}

// ServeHTTP says that nothing fires.
func (a *idleSource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail {
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/status") {
		fmt.Fprint(w, `{"uptime": "2026-01-01T00:00:00Z"}`)
		return
	}
	fmt.Fprint(w, "[]")
}

// Fail has it fail from now on, or no more.
func (a *idleSource) Fail(fail bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = fail
}

// heartbeatConfig sends heartbeats each second: one for the server, and one for the second source.
func heartbeatConfig(sink *sink, w *watchman, one, two *idleSource) string {
	return quickConfig(sink.URL) + fmt.Sprintf(`
tocsin:
  startup_grace: 1s
  sources:
  - {name: one, type: alertmanager, interval: 1s, urls: [%s]}
  - {name: two, type: alertmanager, interval: 1s, urls: [%s]}
  heartbeats:
  - {url: "%s/server", interval: 1s, max_standstill: 3s}
  - {name: of-two, url: "%[3]s/two", interval: 1s, source: two, max_standstill: 3s}
`, one.URL, two.URL, w.URL)
}

// TestHeartbeatStops takes away one thing after the other without which nobody would be told, and gives it
// back.
func TestHeartbeatStops(t *testing.T) {
	t.Parallel()
	sink, w, one, two := newSink(t), newWatchman(t), newIdleSource(t), newIdleSource(t)
	s := startServer(t, heartbeatConfig(sink, w, one, two))
	goesOn := func() {
		t.Helper()
		w.hears(t, "/server")
		w.hears(t, "/two")
	}
	goesOn()

	two.Fail(true)
	w.misses(t, "/two")
	w.hears(t, "/server") // one of two sources is enough
	one.Fail(true)
	w.misses(t, "/server")
	one.Fail(false)
	two.Fail(false)
	goesOn()

	sink.Answer(http.StatusInternalServerError, 0)
	s.Push(firing(named("Refused")))
	awaitRefused(t, sink, 3)
	goesOn() // a receiver that is down is no standstill
	sink.Answer(http.StatusOK, 0)
	eventually(t, sink.said("Refused", "firing"))

	sink.Answer(http.StatusOK, 8*time.Second)
	s.Push(firing(named("Held")))
	w.misses(t, "/server")
	sink.Answer(http.StatusOK, 0)
	goesOn()

	s.Signal(syscall.SIGSTOP)
	w.misses(t, "/server")
	s.Signal(syscall.SIGCONT)
	goesOn()
}

// TestHeartbeatStopsWithTheStore keeps the server from writing, and lets it write again.
func TestHeartbeatStopsWithTheStore(t *testing.T) {
	t.Parallel()
	sink, w, one, two := newSink(t), newWatchman(t), newIdleSource(t), newIdleSource(t)
	s := startServer(t, heartbeatConfig(sink, w, one, two))
	w.hears(t, "/server")
	db, err := sql.Open("sqlite", filepath.Join(s.storage, "tocsin.db"))
	require.NoError(t, err)
	defer db.Close()
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 30000")
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	w.misses(t, "/server")
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	w.hears(t, "/server")
	eventually(t, sink.said("TocsinStoreFailing", "firing"))
}

// TestHeartbeatOfTheService has a heartbeat made at the service, which raises its alarm when the server ends.
func TestHeartbeatOfTheService(t *testing.T) {
	eachGenie(t, func(t *testing.T, g *genie) {
		s := startServer(t, g.config("ops", "", `
  heartbeats:
  - {opsgenie: ops, interval: 1s, create: true}
  - {name: missing, opsgenie: ops, interval: 1s}
`))
		eventually(t, func() error {
			if all := g.Heartbeats(); len(all) != 1 || all[0].LastPing.IsZero() {
				return fmt.Errorf("heartbeats: %v", all)
			}
			return nil
		})
		h := g.Heartbeats()[0]
		assert.Equal(t, []any{"tocsin", time.Minute, true}, []any{h.Name, h.Interval, h.Enabled})
		eventually(t, s.logged(`"heartbeat not sent, will be retried" component=heartbeat heartbeat=missing`)) // a ping to nowhere would be answered all the same
		before := h.LastPing
		eventually(t, func() error {
			if now := g.Heartbeats()[0].LastPing; !now.After(before) {
				return fmt.Errorf("last pinged at %s", now)
			}
			return nil
		})
		for _, r := range g.Requests() {
			assert.NotContains(t, r.Path+r.Query, "missing/ping", r.Method)
		}
	})
}
