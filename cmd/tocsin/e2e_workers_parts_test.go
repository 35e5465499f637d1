package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/rediscache"
	"github.com/tocsin/tocsin/cache/rediscache/redistest"
	"github.com/tocsin/tocsin/discovery/vlogs/vlogstest"
)

// A gate is the way of one worker to VictoriaLogs. While it is shut, documents do not come: a worker that asked for
// some has tasks, and is in the midst of a cycle.
type gate struct {
	URL  string
	logs http.Handler

	mu      sync.Mutex // guards what is below
	open    chan struct{}
	waiting int // questions for documents that wait
	fetched int // ... that were passed on
	states  int // questions for the latest states: who asks them publishes
}

func newGate(t *testing.T, logs string) *gate {
	t.Helper()
	u, err := url.Parse(logs)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) } // who asked was killed
	g := &gate{logs: proxy, open: make(chan struct{})}
	close(g.open)
	srv := httptest.NewServer(g)
	t.Cleanup(func() {
		g.Open()
		srv.CloseClientConnections()
		srv.Close()
	})
	g.URL = srv.URL
	return g
}

// ServeHTTP passes a question on, once it may pass.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	if strings.Contains(form.Get("query"), `kind="doc"`) {
		if !g.pass(r.Context()) {
			return
		}
	} else {
		g.mu.Lock()
		g.states++
		g.mu.Unlock()
	}
	g.logs.ServeHTTP(w, r)
}

// pass waits until the gate is open, or who asked is gone.
func (g *gate) pass(ctx context.Context) bool {
	g.mu.Lock()
	g.waiting++
	open := g.open
	g.mu.Unlock()
	passed := false
	select {
	case <-open:
		passed = true
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting--
	if passed {
		g.fetched++
	}
	return passed
}

// Shut lets no question for documents pass from now on.
func (g *gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

// Open lets all pass.
func (g *gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

// Counts returns how many questions for documents wait and were passed on, and how many were for states.
func (g *gate) Counts() (waiting, fetched, states int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting, g.fetched, g.states
}

// A crew is three workers, each with a gate of its own, real VictoriaLogs and real Redis, an agent, and a town whose
// environments all change when they are told to.
type crew struct {
	*town
	workers []*crewmate
	ledger  *redistest.Ledger
	reader  *cache.Reader

	underWay func() (string, error) // the version that tasks are done for
	allTaken func() bool            // some worker has each of its tasks that is not done

	failing int // how many services do
	changed int // how many versions there were when that was changed
}

type crewmate struct {
	*gate
	*process
}

// Environments of a crew: more than two workers take at once.
const crewEnvironments = 72

func newCrew(t *testing.T) *crew {
	t.Helper()
	logs, redis := vlogstest.Start(t), redistest.Start(t)
	c := &crew{town: newTownOf(t, crewEnvironments, 2), ledger: redis.Follow(t, "tocsin:")}
	dir := t.TempDir()
	configure := func(name, url string) string {
		file := filepath.Join(dir, name+".yml")
		require.NoError(t, os.WriteFile(file, []byte(fmt.Sprintf(`
health:
  agent: %s
  target_files: [%q]
  probe: {interval: 3s, timeout: 2900ms, per_host: 64}
  victorialogs: {url: %q}
  cache: {redis: "redis://%s", refresh: 1s}
`, name, c.file, url, redis.Addr)), 0o600))
		return file
	}
	run := func(command, name, url string) *process {
		return startProcess(t, program(t), command, "--config.file="+configure(name, url), "--web.listen-address=127.0.0.1:0", "--storage.path="+filepath.Join(dir, name))
	}
	run("agent", "agent", logs.URL)
	for i := range 3 {
		g := newGate(t, logs.URL)
		c.workers = append(c.workers, &crewmate{g, run("worker", fmt.Sprint("worker-", i), g.URL)})
	}
	for _, w := range c.workers {
		eventually(t, w.findAddress)
	}
	client, err := rediscache.Connect("redis://" + redis.Addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	c.underWay = func() (string, error) { return client.Get(t.Context(), "tocsin:building").Result() }
	c.allTaken = func() bool {
		taken, err := client.XPending(t.Context(), "tocsin:tasks", "workers").Result()
		return err == nil && taken.Count == client.XLen(t.Context(), "tocsin:tasks").Val()
	}
	c.reader, err = rediscache.NewReader(client, rediscache.Options{})
	require.NoError(t, err)
	eventually(t, func() error {
		v, err := c.reader.View(t.Context(), time.Now())
		if err == nil && v.Summary.Services != 2*(crewEnvironments+1) {
			err = fmt.Errorf("%+v", v.Summary)
		}
		return err
	})
	return c
}

// Publisher returns the worker that asks for states, and the others.
func (c *crew) Publisher() (publisher *crewmate, others []*crewmate) {
	c.t.Helper()
	before := map[*crewmate]int{}
	for _, w := range c.workers {
		_, _, before[w] = w.Counts()
	}
	eventually(c.t, func() error {
		for _, w := range c.workers {
			if _, _, states := w.Counts(); states > before[w] {
				publisher = w
				return nil
			}
		}
		return fmt.Errorf("nobody publishes")
	})
	for _, w := range c.workers {
		if w != publisher {
			others = append(others, w)
		}
	}
	return publisher, others
}

// changing is a check for eventually: as long as there is something to complain of, one service of each environment
// changes whenever a version has the last change, or some versions have come: the agent of a busy machine is late.
func (c *crew) changing(check func() error) func() error {
	return func() error {
		err := check()
		if err == nil {
			return nil
		}
		v, unread := c.reader.View(c.t.Context(), time.Now())
		if unread != nil {
			return errors.Join(err, unread)
		}
		if versions := len(c.ledger.Published()); v.Summary.Fail == c.failing || versions > c.changed+8 {
			c.failing, c.changed = crewEnvironments-c.failing, versions
			for _, t := range c.fleet.Targets("") {
				c.fleet.Fail(t.Namespace, c.fleet.Services()[0], c.failing > 0)
			}
		}
		return err
	}
}

// Hold returns the version under way when these workers have tasks of it, which they cannot do: their gates are shut.
// If another has done what one of them should have, all are let go, and the next version is awaited.
func (c *crew) Hold(workers ...*crewmate) (version string) {
	c.t.Helper()
	for _, w := range workers {
		w.Shut()
	}
	eventually(c.t, c.changing(func() error {
		holding := 0
		for _, w := range workers {
			if waiting, _, _ := w.Counts(); waiting > 0 {
				holding++
			}
		}
		if holding == len(workers) {
			var err error
			version, err = c.underWay()
			return err
		}
		if holding > 0 && c.allTaken() {
			for _, w := range workers {
				w.Open()
				w.Shut()
			}
		}
		return fmt.Errorf("%d of %d workers have tasks", holding, len(workers))
	}))
	return version
}

// working is a check for eventually: a worker has done tasks since it had fetched so often.
func working(w *crewmate, since int) func() error {
	return func() error {
		if _, fetched, _ := w.Counts(); fetched <= since {
			return fmt.Errorf("a worker does nothing")
		}
		return nil
	}
}

// Last returns the version that was published last.
func (c *crew) Last() redistest.Publication {
	if all := c.ledger.Published(); len(all) > 0 {
		return all[len(all)-1]
	}
	return redistest.Publication{}
}

// published is a check for eventually: a version with this ID was published.
func (c *crew) published(id string) func() error {
	return func() error {
		for _, p := range c.ledger.Published() {
			if p.ID == id {
				return nil
			}
		}
		return fmt.Errorf("%s was not published, and the last one is %s", id, c.Last().ID)
	}
}

// whole checks that the current version has everything, and that its details are its own.
func (c *crew) whole() error {
	v, err := c.reader.View(c.t.Context(), time.Now())
	if err != nil {
		return err
	}
	if len(v.Environments()) != crewEnvironments+1 || v.Summary.Services != 2*(crewEnvironments+1) || len(v.Failing()) != v.Summary.Fail {
		return giveUp(fmt.Errorf("%+v with %d environments", v.Summary, len(v.Environments())))
	}
	for _, e := range v.Environments() {
		d, err := v.Detail(c.t.Context(), e.Key)
		if err != nil {
			return err
		}
		for _, s := range e.Services {
			if detail := d.Service(s.Name); detail == nil || detail.State != s.State {
				return giveUp(fmt.Errorf("version %s, %s/%s: %s, and the detail has %+v", v.ID, e.Key, s.Name, s.State, detail))
			}
		}
	}
	return nil
}
