package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache/rediscache/redistest"
	"github.com/tocsin/tocsin/discovery/vlogs/vlogstest"
)

// An agent asks, a worker refreshes the cache in Redis, and a server reads, each a process of its own, with
// real VictoriaLogs and real Redis between them.
func TestHealthInParts(t *testing.T) {
	t.Parallel()
	logs, redis := vlogstest.Start(t), redistest.Start(t)
	town := newTown(t, 4)
	shared := fmt.Sprintf(`
    probe: {interval: 2s, timeout: 1900ms, per_host: 64}
    activity: {namespace_label: state, pointer: /operations/lastHour, idle_after: 1h}
    victorialogs: {url: %q}
    cache: {redis: "redis://%s", refresh: 1s}
`, logs.URL, redis.Addr)
	dir := t.TempDir()
	file := filepath.Join(dir, "health.yml")
	require.NoError(t, os.WriteFile(file, []byte(fmt.Sprintf("tocsin:\n  health:\n    agent: one\n    target_files: [%q]", town.file)+shared), 0o600))
	startAgent := func() *process {
		return startProcess(t, program(t), "agent", "--config.file="+file, "--web.listen-address=127.0.0.1:0", "--storage.path="+filepath.Join(dir, "agent"))
	}
	agent := startAgent()
	startProcess(t, program(t), "worker", "--config.file="+file, "--web.listen-address=127.0.0.1:0", "--storage.path="+filepath.Join(dir, "worker"))
	s := startServer(t, fmt.Sprintf(`
route: {receiver: all, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: all, webhook_configs: [{url: %q}]}]
tocsin:
  health:`, town.sink.URL)+shared)

	ok := func(want int) func() error {
		return func() error {
			summary, err := healthOf[map[string]int](s, "summary")
			if err == nil && summary["ok"] != want {
				err = fmt.Errorf("%v", summary)
			}
			return err
		}
	}
	eventually(t, ok(5*15))
	town.fleet.Fail("env-0001", "orders", true)
	eventually(t, failingIs(s, "env-0001/orders"))
	eventually(t, town.told("env-0001", "P1"))

	agent.Kill()
	eventually(t, func() error {
		if len(town.sink.About("TocsinAgentDown")) == 0 {
			return fmt.Errorf("nobody was told that the agent is down")
		}
		return nil
	})
	eventually(t, func() error {
		_, body, err := s.get("/api/v1/health/summary") // all that was known is missing: it stays, and is old
		if err == nil && !strings.Contains(body, "too few of the known services") {
			err = fmt.Errorf("it does not say that it is old: %s", body)
		}
		return err
	})
	assert.Len(t, s.Alerts(`alertname="HealthServicesFailing"`), 1, "it stays")

	startAgent()
	eventually(t, ok(5*15-1))
	eventually(t, func() error {
		if open := len(town.sink.Open()); open != 1 {
			return fmt.Errorf("%d alerts are open: the agent is still said to be down", open)
		}
		return nil
	})
	assert.Equal(t, []string{"firing"}, town.sink.About("HealthServicesFailing"), "nothing is told twice")

	redis.Kill()
	eventually(t, func() error {
		code, body, err := s.get("/api/v1/health/failing")
		var answer struct{ Stale *struct{ Reason string } }
		switch {
		case err != nil:
			return err
		case code != http.StatusOK || json.Unmarshal([]byte(body), &answer) != nil || !strings.Contains(body, "orders"):
			return giveUp(fmt.Errorf("%d %s", code, body))
		case answer.Stale == nil:
			return fmt.Errorf("it does not say that it is old")
		}
		return nil
	})
	redis.Restart()
	eventually(t, failingIs(s, "env-0001/orders"))
	eventually(t, ok(5*15-1))
}

// Kill ends the process at once, and waits until it is gone.
func (p *process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}
