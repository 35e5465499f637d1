package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery"
)

const plainRoute = "route: {receiver: ops}\nreceivers: [{name: ops}]\n"

func TestHealth(t *testing.T) {
	c, err := Parse(File{"/etc/am.yml", []byte(plainRoute + `
tocsin:
  health:
    kubernetes: {cluster: eu-1, namespaces: "env-.*", services: "healthcheck.*", kubeconfig: kube}
    targets:
    - {cluster: eu-1, environment: shop, service: cart, url: "http://cart/health", labels: {state: active}, format: spring3}
    - {cluster: eu-1, namespace: shop, service: basket, url: "http://basket/health", expect: [429]}
    target_files: [targets.yml]
    probe: {timeout: 5s, concurrency: 64}
    activity: {namespace_label: tocsin.dev/state, pointer: /operations/lastHour, idle_after: 24h}
    priority: {passive: P3}
    victorialogs: {url: "http://vl:9428"}
    cache: {redis: "redis://localhost:6379"}
`)}, nil)
	require.NoError(t, err)
	h := c.Tocsin.Health
	assert.Equal(t, HealthProbe{Interval: 30 * time.Second, Timeout: 5 * time.Second, Concurrency: 64}, h.Probe)
	assert.Equal(t, HealthPriority{Active: "P1", Passive: "P3"}, h.Priority)
	assert.Equal(t, HealthVictoriaLogs{URL: "http://vl:9428", SpoolBytes: 2 << 30}, *h.VictoriaLogs)
	assert.Equal(t, HealthCache{Redis: "redis://localhost:6379", Refresh: 30 * time.Second}, *h.Cache)
	assert.Equal(t, "/etc/kube", h.Kubernetes.Kubeconfig)
	assert.Equal(t, []discovery.Target{
		{Cluster: "eu-1", Namespace: "shop", Environment: "shop", Service: "basket", URL: "http://basket/health", Expect: []int{429}},
		{
			Cluster: "eu-1", Namespace: "shop", Environment: "shop", Service: "cart", URL: "http://cart/health",
			Labels: model.LabelSet{"state": "active"}, Format: discovery.Spring3,
		},
	}, c.HealthTargets())
	assert.Contains(t, c.Files(), "/etc/targets.yml", "it is watched")
	assert.Equal(t, discovery.Clue{Pointer: "/operations/lastHour"}, h.Activity.Rule().Life)
	assert.Equal(t, []string{"tocsin.dev/state"}, h.Activity.Labels())
}

func TestHealthAbsent(t *testing.T) {
	c, err := Parse(File{"am.yml", []byte(plainRoute)}, nil)
	require.NoError(t, err)
	assert.Nil(t, c.Tocsin.Health)
	assert.Nil(t, c.HealthTargets())
}

func TestHealthInvalid(t *testing.T) {
	_, err := Parse(File{"am.yml", []byte(plainRoute + `
tocsin:
  health:
    kubernetes: {namespaces: "env-(", path: health}
    targets:
    - {cluster: a, environment: shop, service: cart, url: "http://cart/health"}
    - {cluster: a, environment: shop, service: cart, url: "http://cart/other"}
    - {service: cart, url: "cart", format: spring}
    target_files: [""]
    probe: {interval: 10s, timeout: 10s, concurrency: -1, anchors: [kubernetes], proxy_url: "socks://x"}
    activity: {pointer: lastHour}
    priority: {active: high}
    victorialogs: {url: vl}
    cache: {redis: "http://secret@redis", refresh: 1ms}
`)}, nil)
	require.Error(t, err)
	for _, want := range []string{
		`am.yml:6: tocsin.health.kubernetes.cluster: no name is given`,
		`am.yml:6: tocsin.health.kubernetes.namespaces: error parsing regexp`,
		`am.yml:6: tocsin.health.kubernetes.path: not an absolute path`,
		`am.yml:9: tocsin.health.targets[1]: a/shop/cart is given twice: it stands in am.yml:8 already`,
		`am.yml:10: tocsin.health.targets[2].cluster: it is missing`,
		`am.yml:10: tocsin.health.targets[2].environment: it is missing`,
		`am.yml:10: tocsin.health.targets[2].url: not the URL of a health endpoint`,
		`am.yml:10: tocsin.health.targets[2].format: no format "spring"`,
		`am.yml:11: tocsin.health.target_files[0]: no file is named`,
		`am.yml:12: tocsin.health.probe.timeout: not shorter than the interval`,
		`am.yml:12: tocsin.health.probe.concurrency: less than zero`,
		`am.yml:12: tocsin.health.probe.anchors[0]: "kubernetes" is no host and port`,
		`am.yml:12: tocsin.health.probe.proxy_url: not the URL of a server`,
		`am.yml:13: tocsin.health.activity.pointer: "lastHour" is no JSON pointer`,
		`am.yml:14: tocsin.health.priority.active: "high" is no priority`,
		`am.yml:15: tocsin.health.victorialogs.url: not the URL of a server`,
		`am.yml:16: tocsin.health.cache.redis: not the URL of a server`,
		`am.yml:16: tocsin.health.cache.refresh: more often than once a second`,
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "secret")

	for section, want := range map[string]string{
		`{victorialogs: {url: "http://vl"}, aliases: [{name: a, also: [b]}, {name: c, also: [b]}]}`: `tocsin.health.aliases[1].also: "b" means "a" already`,
		`{victorialogs: {url: "http://vl"}, aliases: [{name: a, also: [b]}, {name: b, also: [c]}]}`: `tocsin.health.aliases[0].also: "b" means "b" already`,
		`{victorialogs: {url: "http://vl"}, aliases: [{name: orders db}]}`:                          `tocsin.health.aliases[0]: a name is missing`,
		`{}`: `tocsin.health: nothing is asked`,
		`{targets: [{cluster: a, environment: b, service: c, url: "http://c"}], activity: {idle_after: 1h}}`: `tocsin.health.activity.idle_after: nothing says whether an environment is used`,
	} {
		_, err := Parse(File{"am.yml", []byte(plainRoute + "tocsin: {health: " + section + "}\n")}, nil)
		assert.ErrorContains(t, err, want)
	}
}

func TestHealthTargetFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	main := write("am.yml", plainRoute+`
tocsin:
  health:
    targets: [{cluster: a, environment: shop, service: cart, url: "http://cart/health"}]
    target_files: [one.yml, two.json]
`)
	write("one.yml", `targets: [{cluster: a, environment: shop, service: basket, url: "http://basket/health"}]`)
	two := write("two.json", `{"targets": [{"cluster": "b", "environment": "shop", "service": "cart", "url": "http://b/health"}]}`)
	c, err := Load(main, "")
	require.NoError(t, err)
	var keys []string
	for _, target := range c.HealthTargets() {
		keys = append(keys, target.Key().String())
	}
	assert.Equal(t, []string{"a/shop/basket", "a/shop/cart", "b/shop/cart"}, keys)

	write("two.json", "{\"targets\": [\n {\"cluster\": \"a\", \"environment\": \"shop\", \"service\": \"basket\", \"url\": \"http://b/health\", \"colour\": 1}]}")
	_, err = Load(main, "")
	assert.ErrorContains(t, err, two+":2: targets[0]: a/shop/basket is given twice: it stands in "+filepath.Join(dir, "one.yml")+":1 already")
	assert.ErrorContains(t, err, `unknown key "colour"`)

	require.NoError(t, os.Remove(two))
	_, err = Load(main, "")
	assert.ErrorIs(t, err, os.ErrNotExist)
}
