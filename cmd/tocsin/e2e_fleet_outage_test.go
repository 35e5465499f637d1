package main_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// partial has VictoriaLogs answer with 60 % of the services: pages and alerts stay as they were.
func (e *estate) partial() {
	t := e.t
	e.sieve.share.Store(60)
	e.eventually(e.stays("too few of the known services were returned"))
	before, err := askHealth[[]healthRow](e.server, "failing")
	require.NoError(t, err)
	require.Len(t, before.Data, 1)
	assert.Equal(t, e.loud, before.Data[0].Namespace)
	from := e.cycles()
	e.eventually(func() error { // and stays so, cycle after cycle
		if err := e.stays("too few of the known services were returned")(); err != nil {
			return giveUp(err)
		}
		if e.cycles() < from+2 {
			return errors.New("no two cycles have passed")
		}
		return nil
	})
	after, err := askHealth[[]healthRow](e.server, "failing")
	require.NoError(t, err)
	assert.Equal(t, before.Version, after.Version, "the cache is as it was")
	assert.Equal(t, before.Data, after.Data)
	assert.Len(t, e.sink.Open(), 1, "its alert stays")

	e.sieve.share.Store(100)
	e.eventually(e.counts(estateEnvironments*estateServices, 1))
	assert.Len(t, e.about(e.loud), 1, "nothing is told twice")
	e.nobodyWasTold("env-0042", e.loud)
	e.town.Fail(e.loud, "orders", false)
}

// answers asks all pages some times over, and logs how long that took: each must answer.
func (e *estate) answers(when string) {
	var took []time.Duration
	for range 5 {
		for _, path := range []string{
			"/health", "/environments", "/clusters", "/services", "/environment?cluster=one&namespace=env-0007", "/service?name=orders",
			"/api/v1/health/summary", "/api/v1/health/failing", "/api/v1/health/environments", "/api/v1/health/search?q=env-01",
		} {
			began := time.Now()
			code, _, err := e.get(path)
			took = append(took, time.Since(began))
			require.NoError(e.t, err)
			require.Equal(e.t, http.StatusOK, code, "%s, %s", path, when)
		}
	}
	slices.Sort(took)
	e.t.Logf("%s, %d answers took %s in the median, %s at most", when, len(took), took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	assert.Less(e.t, took[len(took)/2], 2*time.Second, "%s: most answers wait for nothing", when)
	assert.Less(e.t, took[len(took)-1], 8*time.Second, "%s: none waits for long", when)
}

// withoutRedis takes Redis away: it hangs, and then it is killed, and comes back empty.
func (e *estate) withoutRedis() {
	t := e.t
	e.eventually(e.counts(estateEnvironments*estateServices, 0))
	e.eventually(e.sink.opened(map[string]bool{}))
	e.answers("with everything there")
	e.redis.Pause()
	e.eventually(e.stays("redis: "))
	e.answers("while Redis hangs")
	e.redis.Continue()
	e.eventually(e.counts(estateEnvironments*estateServices, 0))

	e.redis.Kill()
	e.eventually(e.stays("redis: "))
	e.answers("without Redis")
	e.redis.Restart()
	e.eventually(func() error { // at no time is there a part of it
		a, err := askHealth[map[string]int](e.server, "summary")
		switch {
		case err != nil:
			return giveUp(err)
		case a.Data["services"] != estateEnvironments*estateServices || a.Data["environments"] != estateEnvironments:
			return giveUp(fmt.Errorf("%v: a part of it was published", a.Data))
		case a.Stale != nil:
			return fmt.Errorf("it is old: %s", a.Stale.Reason)
		}
		return nil
	})
	lasting := 0
	for _, forever := range e.detailKeys() {
		if forever {
			lasting++
		}
	}
	assert.Equal(t, estateEnvironments, lasting, "all is there again")
	for _, namespace := range []string{"env-0000", "env-0111", "env-new"} {
		code, document, err := e.get("/api/v1/health/environments/one/" + namespace + "/services/" + e.targets[0].Service + "/document")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, code, "%s: %s", namespace, document)
		assert.Greater(t, len(document), 30<<10, namespace)
	}
}

// withoutLogs takes VictoriaLogs away: it hangs, and then it is killed. Cycles wait in the spool meanwhile.
func (e *estate) withoutLogs() {
	t := e.t
	e.logs.Pause()
	from := e.cycles()
	e.eventually(func() error {
		held, err := e.agent.sample("tocsin_vlogs_spool_bytes")
		if err == nil && (held == 0 || e.cycles() < from+2) {
			err = fmt.Errorf("%v bytes wait after %d cycles", held, e.cycles()-from)
		}
		return err
	})
	e.eventually(e.stays("upstream"))
	e.answers("while VictoriaLogs hangs")
	e.logs.Kill()
	e.eventually(e.stays("upstream"))
	e.answers("without VictoriaLogs")
	e.nobodyWasTold("env-0042", e.loud)
	held, err := e.agent.sample("tocsin_vlogs_spool_bytes")
	require.NoError(t, err)
	t.Logf("%v bytes wait in the spool after %d cycles", held, e.cycles()-from)
	assert.Positive(t, held)
}

// withLogs has VictoriaLogs come back: what waited is written, and nothing is lost.
func (e *estate) withLogs() {
	t := e.t
	e.logs.Restart()
	e.eventually(e.counts(estateEnvironments*estateServices, 0))
	e.eventually(func() error {
		if held, err := e.agent.sample("tocsin_vlogs_spool_bytes"); err != nil || held > 0 {
			return fmt.Errorf("%v bytes wait: %w", held, err)
		}
		return nil
	})
	for _, outcome := range []string{"dropped", "rejected"} {
		n, err := e.agent.sample(`tocsin_vlogs_batches_total{outcome="` + outcome + `"}`)
		require.NoError(t, err)
		assert.Zero(t, n, outcome)
	}
	e.receipt()
	e.nobodyWasTold("env-0042", e.loud)
	assert.Empty(t, e.sink.Open())
}

// receipt looks whether VictoriaLogs has each cycle that the agent ended, and each service in it.
func (e *estate) receipt() {
	t := e.t
	want := e.cycles()
	type row struct{ Cycle, Services, States string }
	var rows []row
	e.eventually(func() error {
		rows = rows[:0]
		query := `{kind in ("state","cycle")} | stats by (cycle) max(services) services, count() if (kind:=state) states`
		resp, err := http.PostForm(e.logs.URL+"/select/logsql/query", url.Values{"query": {query}, "start": {"1h"}})
		if err != nil {
			return err
		}
		defer http.DefaultClient.CloseIdleConnections()
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			var r row
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				return giveUp(err)
			}
			if n, _ := strconv.Atoi(r.Services); n > 0 {
				rows = append(rows, r)
			}
		}
		if len(rows) < want {
			return fmt.Errorf("%d cycles are there, and the agent ended %d", len(rows), want)
		}
		return nil
	})
	total := 0
	for _, r := range rows {
		services, _ := strconv.Atoi(r.Services)
		states, _ := strconv.Atoi(r.States)
		total += states
		assert.GreaterOrEqual(t, states, services, "cycle %s", r.Cycle) // a batch may have been taken twice
	}
	t.Logf("%d cycles with %d states are in VictoriaLogs", len(rows), total)
}
