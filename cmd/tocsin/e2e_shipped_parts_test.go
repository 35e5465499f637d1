package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/cache/rediscache/redistest"
	"github.com/tocsin/tocsin/discovery/vlogs/vlogstest"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

// shippedMap returns what a ConfigMap of a manifest in examples/kubernetes holds.
func shippedMap(t *testing.T, manifest, key string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "kubernetes", manifest))
	require.NoError(t, err)
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var object struct {
			Data map[string]string `yaml:"data"`
		}
		err := d.Decode(&object)
		if errors.Is(err, io.EOF) {
			t.Fatalf("%s has no %s", manifest, key)
		}
		if err == nil && object.Data[key] != "" {
			return object.Data[key]
		}
	}
}

// shippedFile returns a file below examples.
func shippedFile(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "examples"}, path...)...))
	require.NoError(t, err)
	return string(text)
}

// replaced puts others in the place of texts, each of which must be there.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		require.Contains(t, text, pairs[i])
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// A shipped rig runs what is shipped: addresses are replaced, and times, so that the test need not wait for minutes.
type shipped struct {
	*town
	sides []*side
}

// A side is a server, and whom it tells.
type side struct {
	name string
	*server
	sink  *sink
	genie *genie
	own   string // what the alerts are told by that count here: the label alertgroup
}

func newShipped(t *testing.T) *shipped {
	t.Helper()
	logs, redis := vlogstest.Start(t), redistest.Start(t)
	x := &shipped{town: newTown(t, 6)}
	x.stateLabel = "tocsin.dev/state"
	x.passive["env-0002"] = true
	x.town.Write()
	x.town.Quiet(0, false)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	const shippedLogs, shippedRedis = "http://victorialogs.logs.example:9428", "redis://redis.tocsin.svc:6379"
	addresses := []string{shippedLogs, logs.URL, shippedRedis, "redis://" + redis.Addr}
	interval := []string{"interval: 30s", "interval: 3s, timeout: 2s, per_host: 64"}
	agent := replaced(t, shippedMap(t, "agent.yml", "health.yml"), append(interval, addresses[:2]...)...)
	agent = replaced(t, agent, `kubernetes: {cluster: eu-1, namespaces: "env-.*"}`, fmt.Sprintf("target_files: [%q]", x.file),
		"kubernetes.default.svc:443", strings.TrimPrefix(x.url, "http://"))
	worker := replaced(t, shippedMap(t, "worker.yml", "health.yml"), append(append(interval, addresses...), "refresh: 30s", "refresh: 1s")...)
	for command, text := range map[string]string{"agent": agent, "worker": worker} {
		startProcess(t, program(t), command, "--config.file="+write(command+".yml", text), "--web.listen-address=127.0.0.1:0", "--storage.path="+filepath.Join(dir, command))
	}
	rules := replaced(t, shippedFile(t, "rules", "health-logs.yml"), "interval: 30s", "interval: 1s")
	address := loopback(t)
	vmalert := &part{t: t, program: newerPart(t, "vmalert"), address: address, health: "/api/v1/rules", args: []string{
		"-httpListenAddr=" + address, "-rule=" + write("rules.yml", rules), "-datasource.url=" + logs.URL, "-rule.evalDelay=1s", "-notifier.blackhole",
	}}
	vmalert.Start()

	soon := []string{"receiver: ops", "receiver: ops, group_wait: 0s, group_interval: 1s", "idle_after: 24h", "idle_after: 1s"}
	own := replaced(t, shippedMap(t, "server.yml", "alertmanager.yml"), append(append(append(interval, addresses...), soon...), "refresh: 30s", "refresh: 1s")...)
	x.side("tocsin", "", own, "http://pager.example/hook")
	soon[1] = "receiver: ops\n  group_wait: 0s\n  group_interval: 1s"
	byVMAlert := replaced(t, shippedFile(t, "configs", "health-by-vmalert.yml"), append(append(interval, addresses[:2]...), soon...)...)
	byVMAlert = replaced(t, byVMAlert, "http://vmalert:8880']", vmalert.URL()+"'], interval: 1s")
	x.side("vmalert", "health-logs", byVMAlert, "http://127.0.0.1:8080/ops")
	return x
}

// side starts a server with a configuration, whose receiver ops is told by a webhook and by Opsgenie.
func (x *shipped) side(name, own, config, hook string) {
	x.t.Helper()
	s := &side{name: name, sink: newSink(x.t), genie: newGenie(x.t, false), own: own}
	s.server = startServer(x.t, replaced(x.t, config, hook, s.sink.URL, "\ntocsin:\n",
		fmt.Sprintf("\ntocsin:\n  receivers: [{name: ops, opsgenie: %s}]\n", s.genie.account(""))))
	x.sides = append(x.sides, s)
}

// within returns what was told of the failing services of an environment: firing and resolved.
func (s *sink) within(namespace string) []string {
	var said []string
	for _, n := range s.Notifications() {
		for _, a := range n.Alerts {
			if string(a.Labels["namespace"]) == namespace {
				said = append(said, a.Status)
			}
		}
	}
	return said
}

// within returns the incidents about the failing services of an environment.
func (g *genie) within(namespace string) []opsgenietest.Alert {
	var found []opsgenietest.Alert
	for _, a := range g.Alerts() {
		if a.Details["namespace"] == namespace {
			found = append(found, a)
		}
	}
	return found
}

// told is a check for eventually: the webhook and Opsgenie were told of an environment, with that priority.
func (s *side) told(namespace, priority string) func() error {
	return func() error {
		incidents := s.genie.within(namespace)
		switch {
		case len(s.sink.within(namespace)) == 0:
			return fmt.Errorf("%s: the webhook was told nothing of %s", s.name, namespace)
		case len(incidents) == 0:
			return fmt.Errorf("%s: there is no incident about %s", s.name, namespace)
		case incidents[0].Priority != priority:
			return giveUp(fmt.Errorf("%s: the incident about %s is %s", s.name, namespace, incidents[0].Priority))
		}
		for _, n := range s.sink.Notifications() {
			for _, a := range n.Alerts {
				if string(a.Labels["namespace"]) == namespace && string(a.Labels["priority"]) != priority {
					return giveUp(fmt.Errorf("%s: %s was told as %s", s.name, namespace, a.Labels))
				}
			}
		}
		return nil
	}
}

// silenced is a check for eventually: the environment quiet is silenced, or is not.
func (s *side) silenced(want bool) func() error {
	return func() error {
		e, err := healthOf[healthEnvironment](s.server, "environments/cluster-q/quiet")
		if err == nil && (e.Silence != "") != want {
			err = fmt.Errorf("%s: silenced: %v", s.name, e.Silence)
		}
		return err
	}
}

// suppressed is a check for eventually: the alert about the environment quiet is there, and suppressed.
func (s *side) suppressed() error {
	for _, a := range s.Alerts(`alertname="HealthServicesFailing"`, `namespace="quiet"`) {
		if string(a.Labels["alertgroup"]) == s.own && a.Status.State == "suppressed" {
			return nil
		}
	}
	return fmt.Errorf("%s: no alert about it is suppressed", s.name)
}
