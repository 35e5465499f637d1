package main_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache/rediscache/redistest"
	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/kube/kubetest"
	"github.com/tocsin/tocsin/discovery/vlogs/vlogstest"
	"github.com/tocsin/tocsin/examples/fleet"
)

// The size that the whole is made for: 12 services in each of 350 environments.
const (
	estateEnvironments = 350
	estateServices     = 12
)

// An estate is 350 environments in a simulated cluster, an agent in it, VictoriaLogs, Redis, a worker and a
// server: each but the cluster's API a process of its own.
type estate struct {
	t       *testing.T
	town    *simulator
	kube    *kubetest.Server
	targets []discovery.Target
	logs    *vlogstest.Server
	sieve   *sieve // what the worker and the server read goes through it
	redis   *redistest.Server
	client  *redis.Client
	sink    *sink
	loud    string // an environment of which a service failed while half of upstream was silent

	interval time.Duration // the length of a cycle

	agent, worker *process
	*server
}

// eventually waits for some cycles, if need be: they are longer where the machine is busy.
func (e *estate) eventually(check func() error) {
	e.t.Helper()
	eventuallyWithin(e.t, max(patience, 15*e.interval), check)
}

// estateDocument is the size of the largest document of each environment. With TOCSIN_FLEET_LARGEST=174080 it is
// that of the largest real ones.
func estateDocument() string { return cmp.Or(os.Getenv("TOCSIN_FLEET_LARGEST"), "32768") }

func newEstate(t *testing.T) *estate {
	t.Helper()
	e := &estate{
		t: t, logs: vlogstest.Start(t), redis: redistest.Start(t), sink: newSink(t), kube: kubetest.Start(t),
		town:    startSimulator(t, "--largest="+estateDocument()),
		targets: fleet.New(fleet.Options{Environments: estateEnvironments, Services: estateServices}).Targets("http://fleet"),
	}
	e.interval = e.town.pace(e.targets)
	e.sieve = newSieve(t, e.logs.URL)
	e.client = redis.NewClient(&redis.Options{Addr: e.redis.Addr})
	t.Cleanup(func() { _ = e.client.Close() })
	deploy(e.kube, e.targets)

	health := func(logs string, more string) string {
		return fmt.Sprintf(`
    probe: {interval: %s, proxy_url: %q}
    activity: {namespace_label: state}
    metrics: true
    victorialogs: {url: %q}
    cache: {redis: "redis://%s", refresh: 2s}
    %s`, e.interval, e.town.URL, logs, e.redis.Addr, more)
	}
	dir, tocsin := t.TempDir(), quickProgram(t)
	e.agent = startHelper(t, tocsin, "agent", filepath.Join(dir, "agent"), "tocsin:\n  health:"+
		health(e.logs.URL, fmt.Sprintf("kubernetes: {cluster: one, namespaces: %q, kubeconfig: %q}", "env-.*", e.kube.Kubeconfig())))
	e.worker = startHelper(t, tocsin, "worker", filepath.Join(dir, "worker"), "tocsin:\n  health:"+health(e.sieve.URL, ""))
	e.server = newServer(t, fmt.Sprintf(`
route: {receiver: all, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: all, webhook_configs: [{url: %q}]}]
tocsin:
  health:`, e.sink.URL)+health(e.sieve.URL, ""))
	e.program = tocsin
	e.Start()
	return e
}

// counts is a check for eventually: so many services, all of them known, are as they should be.
func (e *estate) counts(services, fail int) func() error {
	return func() error {
		a, err := askHealth[map[string]int](e.server, "summary")
		switch {
		case err != nil:
			return err
		case a.Data["services"] != services || a.Data["ok"] != services-fail || a.Data["fail"] != fail:
			return fmt.Errorf("%v, and %d of %d should fail", a.Data, fail, services)
		case a.Stale != nil:
			return fmt.Errorf("it is old: %s", a.Stale.Reason)
		}
		return nil
	}
}

// cycles is how many cycles the agent ended.
func (e *estate) cycles() int {
	n, err := e.agent.sample("tocsin_probe_cycle_duration_seconds_count")
	require.NoError(e.t, err)
	return int(n)
}

// An environment's whole way, at full size: found in Kubernetes, asked, written to VictoriaLogs, read, cached in
// Redis, served and told. What is upstream, and what the cache is in, goes away meanwhile and comes back.
func TestFleet(t *testing.T) {
	t.Parallel()
	began := time.Now()
	e := newEstate(t)
	phase := func(name string, run func()) {
		t.Helper()
		run()
		t.Logf("%-28s %6.1f s, after %d cycles", name, time.Since(began).Seconds(), e.cycles())
		began = time.Now()
	}
	phase("found, asked and shown", e.known)
	phase("a service fails", e.fails)
	phase("environments come and go", e.comeAndGo)
	phase("60 % upstream", e.partial)
	phase("Redis goes away", e.withoutRedis)
	phase("VictoriaLogs goes away", e.withoutLogs)
	phase("VictoriaLogs comes back", e.withLogs)
}

// known waits until everything is there, on all pages.
func (e *estate) known() {
	t := e.t
	e.eventually(e.counts(estateEnvironments*estateServices, 0))
	summary, err := healthOf[map[string]int](e.server, "summary")
	require.NoError(t, err)
	assert.Equal(t, estateEnvironments, summary["environments"])
	assert.Equal(t, estateEnvironments, summary["active"]+summary["passive"])
	assert.Greater(t, summary["passive"], estateEnvironments/10)
	for path, want := range map[string]string{
		"/health": "No service that was chosen fails", "/environments": "env-0349", "/clusters": "4200", "/services": "basket",
		"/service?name=orders": "env-0349", "/environment?cluster=one&namespace=env-0007": "1 of 1 ready",
		"/metrics": `tocsin_health_status{cluster="one",environment="env-0007",service="orders"} 1`,
	} {
		code, body, err := e.get(path)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, code, path)
		assert.Contains(t, body, want, path)
	}
	large := e.targets[0].Service // of each environment one document is large
	code, document, err := e.get("/api/v1/health/environments/one/env-0007/services/" + large + "/document")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, code)
	assert.Greater(t, len(document), 30<<10)
}

// A sight is which services fail in one version, and which cycle of the agent the version is made from.
type sight struct {
	cycle   time.Time
	failing []string
}

// sight looks at one version.
func (e *estate) sight() (sight, error) {
	rows, err := askHealth[[]healthRow](e.server, "failing")
	if err != nil {
		return sight{}, err
	}
	clusters, err := askHealth[[]struct{ Agents []struct{ At time.Time } }](e.server, "clusters")
	switch {
	case err != nil:
		return sight{}, err
	case clusters.Version != rows.Version || len(clusters.Data) != 1 || len(clusters.Data[0].Agents) != 1:
		return sight{}, errors.New("between two versions")
	}
	s := sight{cycle: clusters.Data[0].Agents[0].At}
	for _, r := range rows.Data {
		s.failing = append(s.failing, r.Namespace+"/"+r.Service)
	}
	return s, nil
}

// fails has a service fail: the second cycle that ends after that knows it at the latest, and so do the page and
// whoever is to be told.
func (e *estate) fails() {
	t := e.t
	at := slices.IndexFunc(e.targets, func(t discovery.Target) bool { return t.Namespace != "env-0042" && !inShare(t.Namespace, 60) })
	e.loud = e.targets[at].Namespace // it is among those that are not answered later
	e.town.Fail(e.loud, "orders", true)
	before, failed := e.cycles(), time.Now()
	e.town.Fail("env-0042", "orders", true)
	without := map[time.Time]bool{} // cycles that ended since, and did not know
	e.eventually(func() error {
		s, err := e.sight()
		switch {
		case err != nil:
			return err
		case slices.Contains(s.failing, "env-0042/orders"):
			return nil
		case s.cycle.After(failed):
			without[s.cycle] = true
		}
		return fmt.Errorf("%q fail", s.failing)
	})
	page := e.cycles() - before
	assert.LessOrEqual(t, len(without), 1, "but for the cycle that was under way, each one knows")
	e.eventually(func() error {
		if open := e.about("env-0042"); len(open) != 1 {
			return fmt.Errorf("%d notifications", len(open))
		}
		return nil
	})
	t.Logf("on the page %d cycles later, told %d cycles later", page, e.cycles()-before)
	told := e.about("env-0042")[0]
	assert.Equal(t, "orders", string(told.Annotations["services"]))
	_, body, err := e.get("/health")
	require.NoError(t, err)
	assert.Contains(t, body, "env-0042")
	_, body, err = e.get("/metrics")
	require.NoError(t, err)
	assert.Contains(t, body, `tocsin_health_status{cluster="one",environment="env-0042",service="orders"} 4`)
}

// about returns the notifications that an environment's services fail.
func (e *estate) about(namespace string) []notifiedAlert {
	return (&town{sink: e.sink}).firing(namespace)
}

// comeAndGo adds an environment and removes another, of which a service failed.
func (e *estate) comeAndGo() {
	t := e.t
	detailBefore := e.detailKeys()
	e.town.order(http.MethodPut, "environments/env-new")
	var fresh []discovery.Target
	for _, target := range e.targets[:estateServices] {
		target.Namespace = "env-new"
		fresh = append(fresh, target)
	}
	deploy(e.kube, fresh)
	withdraw(e.kube, "env-0042")
	e.town.order(http.MethodDelete, "environments/env-0042")
	e.eventually(func() error {
		a, err := askHealth[[]healthRow](e.server, "environments")
		names := map[string]bool{}
		for _, r := range a.Data {
			names[r.Namespace] = true
		}
		if err == nil && (!names["env-new"] || names["env-0042"] || len(names) != estateEnvironments) {
			err = fmt.Errorf("%d environments, the new one %v, the old one %v", len(names), names["env-new"], names["env-0042"])
		}
		return err
	})
	e.eventually(e.counts(estateEnvironments*estateServices, 1))
	e.eventually(func() error { // what is gone no longer fires
		if open := len(e.sink.Open()); open != 1 || len(e.about(e.loud)) != 1 {
			return fmt.Errorf("%d alerts are open", open)
		}
		return nil
	})
	for _, path := range []string{"/environments", "/health", "/metrics", "/service?name=orders", "/api/v1/health/search?q=env-0042"} {
		_, body, err := e.get(path)
		require.NoError(t, err)
		assert.NotContains(t, body, "env-0042", path)
	}
	code, _, err := e.get("/environment?cluster=one&namespace=env-0042")
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, code)
	e.nobodyWasTold("env-0042", e.loud)
	expiring := 0
	for key := range detailBefore { // what is superseded expires by itself
		ttl, err := e.client.PTTL(context.Background(), key).Result()
		require.NoError(t, err)
		if ttl > 0 {
			expiring++
		}
	}
	assert.GreaterOrEqual(t, expiring, 1)
	lasting := 0
	for _, forever := range e.detailKeys() {
		if forever {
			lasting++
		}
	}
	assert.Equal(t, estateEnvironments, lasting, "one detail for each environment that is there")
}

// detailKeys are the keys of details in Redis, and whether they last.
func (e *estate) detailKeys() map[string]bool {
	e.t.Helper()
	keys, err := e.client.Keys(context.Background(), "tocsin:detail/*").Result()
	require.NoError(e.t, err)
	found := map[string]bool{}
	for _, k := range keys {
		ttl, err := e.client.PTTL(context.Background(), k).Result()
		require.NoError(e.t, err)
		found[k] = ttl == -1
	}
	return found
}

// nobodyWasTold fails the test if anybody was told of anything but these environments' failures.
func (e *estate) nobodyWasTold(but ...string) {
	e.t.Helper()
	for _, n := range e.sink.Notifications() {
		for _, a := range n.Alerts {
			assert.Contains(e.t, but, string(a.Labels["namespace"]), "%s %s", a.Status, a.Labels)
		}
	}
}

// stays returns a check for eventually: the answer is old, says why, and has all that was known.
func (e *estate) stays(reason string) func() error {
	return func() error {
		a, err := askHealth[map[string]int](e.server, "summary")
		switch {
		case err != nil:
			return giveUp(fmt.Errorf("it does not answer: %w", err))
		case a.Data["services"] != estateEnvironments*estateServices:
			return giveUp(fmt.Errorf("%v: something is gone", a.Data))
		case a.Stale == nil || !strings.Contains(a.Stale.Reason, reason):
			return fmt.Errorf("it does not say that it is old: %+v", a.Stale)
		}
		_, page, err := e.get("/health")
		if err == nil && !strings.Contains(page, "What is shown is not up to date") {
			err = errors.New("the page does not say that it is old")
		}
		return err
	}
}
