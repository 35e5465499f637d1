package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache/rediscache/redistest"
	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/vlogs/vlogstest"
	"github.com/tocsin/tocsin/examples/fleet"
)

// A hundred is a hundred clusters with two environments each. Three of the clusters have an agent of their own, one
// agent reports for half of the others, and one for the rest.
type hundred struct {
	t       *testing.T
	town    *simulator
	targets []discovery.Target
	sink    *sink
	dir     string
	shared  string // configuration
	agents  map[string]*process
	*server
}

const (
	hundredEnvironments = 200
	hundredServices     = 4
)

// agentOf is the agent that reports for a cluster.
func agentOf(cluster string) string {
	switch n := strings.TrimPrefix(cluster, "cluster-"); {
	case n < "003":
		return "of-" + n
	case n < "050":
		return "of-many"
	default:
		return "of-others"
	}
}

func newHundred(t *testing.T) *hundred {
	t.Helper()
	logs, redis := vlogstest.Start(t), redistest.Start(t)
	h := &hundred{
		t: t, sink: newSink(t), dir: t.TempDir(), agents: map[string]*process{},
		town: startSimulator(t, fmt.Sprintf("--environments=%d", hundredEnvironments), fmt.Sprintf("--services=%d", hundredServices), "--largest=4096"),
	}
	h.targets = fleet.New(fleet.Options{Environments: hundredEnvironments, Services: hundredServices}).Targets(h.town.URL)
	for i := range h.targets {
		var n int
		_, err := fmt.Sscanf(h.targets[i].Namespace, "env-%d", &n)
		require.NoError(t, err)
		h.targets[i].Cluster = fmt.Sprintf("cluster-%03d", n%100)
	}
	h.shared = fmt.Sprintf(`
    probe: {interval: 3s, timeout: 2900ms, per_host: 64}
    activity: {namespace_label: state}
    victorialogs: {url: %q}
    cache: {redis: "redis://%s", refresh: 1s}
`, logs.URL, redis.Addr)
	for _, name := range []string{"of-000", "of-001", "of-002", "of-many", "of-others"} {
		h.Start(name)
	}
	h.server = startServer(t, fmt.Sprintf(`
route: {receiver: all, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: all, webhook_configs: [{url: %q}]}]
tocsin:
  health:`, h.sink.URL)+h.shared)
	return h
}

// Start starts an agent, or starts it again.
func (h *hundred) Start(name string) {
	h.t.Helper()
	h.writeTargets(name)
	h.agents[name] = startHelper(h.t, program(h.t), "agent", filepath.Join(h.dir, name), fmt.Sprintf("tocsin:\n  health:\n    agent: %s\n    target_files: [%q]", name, h.file(name))+h.shared)
}

func (h *hundred) file(agent string) string { return filepath.Join(h.dir, agent+".json") }

// writeTargets writes what an agent asks, as it is now.
func (h *hundred) writeTargets(agent string) {
	h.t.Helper()
	type target struct {
		Cluster     string            `json:"cluster"`
		Environment string            `json:"environment"`
		Service     string            `json:"service"`
		URL         string            `json:"url"`
		Labels      map[string]string `json:"labels"`
	}
	all := []target{}
	for _, t := range h.targets {
		if agentOf(t.Cluster) == agent {
			all = append(all, target{t.Cluster, t.Namespace, t.Service, t.URL, map[string]string{"state": t.Activity.Role.String()}})
		}
	}
	text, err := json.Marshal(map[string]any{"targets": all})
	require.NoError(h.t, err)
	require.NoError(h.t, os.WriteFile(h.file(agent)+".new", text, 0o600))
	require.NoError(h.t, os.Rename(h.file(agent)+".new", h.file(agent)))
}

// summary is a check for eventually.
func (h *hundred) summary(want map[string]int) func() error {
	return func() error {
		a, err := askHealth[map[string]int](h.server, "summary")
		if err != nil {
			return err
		}
		for key, n := range want {
			if a.Data[key] != n {
				return fmt.Errorf("%s should be %d: %v, %+v", key, n, a.Data, a.Stale)
			}
		}
		if a.Stale != nil {
			return fmt.Errorf("it is old: %s", a.Stale.Reason)
		}
		return nil
	}
}

// down is a check for eventually: so often it was told that agents are down, and so often that they are no longer.
func (h *hundred) down(fired, resolved int) func() error {
	return func() error {
		said := h.sink.About("TocsinAgentDown")
		n := 0
		for _, status := range said {
			if status == "firing" {
				n++
			}
		}
		if n != fired || len(said)-n != resolved {
			return fmt.Errorf("%d agents were told to be down and %d not to be any more; it should be %d and %d", n, len(said)-n, fired, resolved)
		}
		return nil
	}
}

// An agent of one cluster out of a hundred dies, and comes back. Half of the environments are removed for good. Then
// half of what is left falls silent: it takes somebody to say that those agents are gone for good.
func TestFleetOfAHundredClusters(t *testing.T) {
	t.Parallel()
	h := newHundred(t)
	const all = hundredEnvironments * hundredServices
	eventually(t, h.summary(map[string]int{"ok": all, "clusters": 100, "environments": hundredEnvironments, "agents": 100}))
	h.town.Fail("env-0001", "", true) // of the cluster whose agent dies
	h.town.Fail("env-0077", "", true)
	eventually(t, h.summary(map[string]int{"ok": all - 8, "fail": 8}))
	eventually(t, h.told("env-0001", "env-0077"))
	open := h.sink.Open()

	h.agents["of-001"].Kill()
	eventually(t, h.summary(map[string]int{"services": all, "ok": all - 12, "fail": 4, "unknown": 8, "lost": 8, "lostAgents": 1}))
	eventually(t, h.down(1, 0))
	h.alertsStay("env-0001")
	_, page, err := h.get("/clusters")
	require.NoError(t, err)
	assert.Contains(t, page, "of-001 is not heard since")
	_, page, err = h.get("/health?cluster=cluster-001")
	require.NoError(t, err)
	assert.Contains(t, page, "failed, now unknown")

	h.Start("of-001")
	eventually(t, h.down(1, 1))
	eventually(t, h.summary(map[string]int{"ok": all - 8, "fail": 8, "unknown": 0, "lostAgents": 0}))
	eventually(t, h.sink.opened(open))
	eventually(t, h.told("env-0001", "env-0077")) // nothing was told twice
	h.halfIsRemoved()
	h.halfFallsSilent()
}

// told is a check for eventually: of the failing services of these environments it was told once, and of no others.
func (h *hundred) told(namespaces ...string) func() error {
	return func() error {
		var told []string
		for _, n := range h.sink.Notifications() {
			for _, a := range n.Alerts {
				if a.Labels["alertname"] == "HealthServicesFailing" && a.Status == "firing" {
					told = append(told, string(a.Labels["namespace"]))
				}
			}
		}
		slices.Sort(told)
		if !slices.Equal(told, namespaces) {
			return fmt.Errorf("it was told that services fail in %q, and should be in %q", told, namespaces)
		}
		return nil
	}
}

// alertsStay fails the test unless the alert about an environment is there.
func (h *hundred) alertsStay(namespace string) {
	h.t.Helper()
	assert.Len(h.t, h.Alerts(`alertname="HealthServicesFailing"`, `namespace="`+namespace+`"`), 1)
}

// halfIsRemoved removes every second cluster's environments, those of whole agents among them: agents say so, and
// the cache follows, which an outage of 50 % would not have it do.
func (h *hundred) halfIsRemoved() {
	t := h.t
	h.targets = slices.DeleteFunc(h.targets, func(t discovery.Target) bool { return t.Cluster[len(t.Cluster)-1]%2 == 1 })
	for name := range h.agents {
		h.writeTargets(name)
	}
	const half = hundredEnvironments * hundredServices / 2
	eventually(t, h.summary(map[string]int{"services": half, "ok": half, "clusters": 50, "environments": hundredEnvironments / 2, "agents": 50}))
	eventually(t, h.sink.opened(map[string]bool{})) // both environments that failed are gone
	eventually(t, h.down(1, 1))
	_, page, err := h.get("/environments")
	require.NoError(t, err)
	assert.NotContains(t, page, "env-0001")
}

// halfFallsSilent kills the agent of half of the clusters: the cache stays as it was. Somebody says that they are
// gone for good, and it follows.
func (h *hundred) halfFallsSilent() {
	t := h.t
	const half = hundredEnvironments * hundredServices / 2
	h.town.Fail("env-0060", "", true) // of-others has it
	eventually(t, h.summary(map[string]int{"ok": half - 4, "fail": 4}))
	eventually(t, func() error {
		if len(h.sink.Open()) != 1 {
			return errors.New("nobody was told")
		}
		return nil
	})
	h.agents["of-others"].Kill()
	eventually(t, func() error {
		a, err := askHealth[map[string]int](h.server, "summary")
		switch {
		case err != nil:
			return err
		case a.Data["services"] != half:
			return giveUp(fmt.Errorf("%v: something is gone", a.Data))
		case a.Stale == nil || !strings.Contains(a.Stale.Reason, "too few of the known services"):
			return fmt.Errorf("it does not say that it is old: %+v", a.Stale)
		}
		return nil
	})
	eventually(t, h.down(26, 1))
	h.alertsStay("env-0060")

	assert.Equal(t, http.StatusNotFound, h.forget("cluster-004", "nobody"))
	for n := 50; n < 100; n += 2 {
		assert.Equal(t, http.StatusNoContent, h.forget(fmt.Sprintf("cluster-%03d", n), "of-others"))
	}
	eventually(t, h.down(26, 26))
	left := 0
	for _, target := range h.targets {
		if agentOf(target.Cluster) != "of-others" {
			left++
		}
	}
	eventually(t, h.summary(map[string]int{"services": left, "ok": left, "lost": 0, "lostAgents": 0, "agents": 25}))
	eventually(t, h.sink.opened(map[string]bool{}))

	h.Start("of-others") // it was not gone after all
	eventually(t, h.summary(map[string]int{"services": half, "fail": 4}))
	eventually(t, h.told("env-0001", "env-0060", "env-0060", "env-0077"))
	eventually(t, h.down(26, 26))
}

// forget says that an agent is gone for good, and returns the answer's code.
func (h *hundred) forget(cluster, agent string) int {
	h.t.Helper()
	code, _, err := h.do(http.MethodDelete, "/api/v1/health/agents/"+cluster+"/"+agent, "")
	require.NoError(h.t, err)
	return code
}
