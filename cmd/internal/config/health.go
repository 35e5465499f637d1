package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/discovery"
)

// Health has the health endpoints of many environments found, asked, and shown. Its failing services are
// alerts of the source health.
type Health struct {
	// Kubernetes finds the endpoints of one cluster. Nil finds none there.
	Kubernetes *HealthKubernetes `yaml:"kubernetes"`

	// Targets are endpoints that are known by their addresses, and TargetFiles hold more of them, each
	// file a mapping with the key targets. The files are watched.
	Targets     []HealthTarget `yaml:"targets"`
	TargetFiles []string       `yaml:"target_files"`

	// Aliases are services and dependencies that have other names in some environments.
	Aliases []HealthAlias `yaml:"aliases"`

	// Agent is the name of this process among those that ask. Defaults to tocsin.
	Agent string `yaml:"agent"`

	// Probe says how endpoints are asked.
	Probe HealthProbe `yaml:"probe"`

	// Activity says how it is known which environments are active, and which are used.
	Activity HealthActivity `yaml:"activity"`

	// Priority is that of alerts about failing services.
	Priority HealthPriority `yaml:"priority"`

	// Metrics has a series for each service. Defaults to false.
	Metrics bool `yaml:"metrics"`

	// VictoriaLogs keeps what was found. Nil: it stays in this process.
	VictoriaLogs *HealthVictoriaLogs `yaml:"victorialogs"`

	// Cache says where pages read. Nil: in this process.
	Cache *HealthCache `yaml:"cache"`

	found []discovery.Target // of Targets and TargetFiles
}

// A HealthAlias is a name by which services or dependencies are compared across environments.
type HealthAlias struct {
	Name string   `yaml:"name"`
	Also []string `yaml:"also"` // other names that it has
}

// HealthKubernetes says which services of a cluster have a health endpoint.
type HealthKubernetes struct {
	// Cluster is the cluster's name in alerts and on pages.
	Cluster string `yaml:"cluster"`

	// Namespaces is a regular expression that names of environments match as a whole. Defaults to all.
	Namespaces string `yaml:"namespaces"`

	// Selector is a label selector that they match too. Defaults to none.
	Selector string `yaml:"selector"`

	// Services is a regular expression that names of services match as a whole. Defaults to those with a
	// port that speaks HTTP.
	Services string `yaml:"services"`

	// Path is where the document is, unless an annotation says so. Defaults to /health.
	Path string `yaml:"path"`

	// EnvironmentLabel is the label of a namespace that has the environment's name. Defaults to the name of the
	// namespace.
	EnvironmentLabel string `yaml:"environment_label"`

	// Kubeconfig is the file with the credentials. Defaults to those of the pod.
	Kubeconfig string `yaml:"kubeconfig"`
}

// A HealthTarget is one health endpoint.
type HealthTarget struct {
	Cluster string `yaml:"cluster"`

	// Namespace defaults to Environment, and Environment to Namespace.
	Namespace   string `yaml:"namespace"`
	Environment string `yaml:"environment"`

	Service string         `yaml:"service"`
	URL     string         `yaml:"url"`
	Labels  model.LabelSet `yaml:"labels"`

	// Format is that of the document. Defaults to what it looks like.
	Format string `yaml:"format"`

	// Expect are HTTP codes that mean as much as 200.
	Expect []int `yaml:"expect"`
}

// HealthProbe says how endpoints are asked. The zero values mean the defaults of package probe.
type HealthProbe struct {
	Interval    time.Duration `yaml:"interval"`    // between two questions; defaults to 30s
	Timeout     time.Duration `yaml:"timeout"`     // of one; defaults to 10s, at most a third of the interval
	Concurrency int           `yaml:"concurrency"` // questions under way at most; defaults to 128
	PerHost     int           `yaml:"per_host"`    // of them to one host; defaults to 4
	MaxBody     Size          `yaml:"max_body"`    // of a document; defaults to 1MB

	// Anchors are addresses, host:port, of which one answers as long as our own network is well.
	Anchors []string `yaml:"anchors"`

	// ProxyURL is an HTTP proxy through which endpoints are asked, for an agent that is not in the cluster whose
	// names it asks. It is an anchor if there is no other. Defaults to none.
	ProxyURL string `yaml:"proxy_url"`
}

// HealthActivity says where activity is read.
type HealthActivity struct {
	// NamespaceLabel says whether an environment is active or passive, and RolePointer where in the
	// document that stands, as a JSON pointer.
	NamespaceLabel string `yaml:"namespace_label"`
	RolePointer    string `yaml:"role_pointer"`

	// Pointer is where the document says whether anybody uses the environment: a number above zero means
	// yes. LiveLabel is a label that says so.
	Pointer   string `yaml:"pointer"`
	LiveLabel string `yaml:"live_label"`

	// IdleAfter is how long nobody uses an environment until it is silenced. Zero means never.
	IdleAfter time.Duration `yaml:"idle_after"`
}

// HealthPriority is the label priority of alerts about environments of each kind.
type HealthPriority struct {
	Active  string `yaml:"active"`  // defaults to P1
	Passive string `yaml:"passive"` // defaults to P2
}

// HealthVictoriaLogs is where results are written, and read by workers.
type HealthVictoriaLogs struct {
	URL string `yaml:"url"`

	// SpoolBytes bounds what is kept on disk while it is away. Defaults to 2GB.
	SpoolBytes Size `yaml:"spool_bytes"`
}

// HealthCache is where pages read what is known.
type HealthCache struct {
	// Redis is the URL of a server.
	Redis Secret `yaml:"redis"`

	// Refresh is the time between two versions. The publisher's lease lasts half as long again, what a worker
	// took and does not finish goes to another after twice as long, and a version is given up after thrice as
	// long; 10s, 10s and 1m at least. Defaults to 30s.
	Refresh time.Duration `yaml:"refresh"`
}

func (h *Health) setDefaults() {
	h.Agent = "tocsin"
	h.Priority = HealthPriority{Active: "P1", Passive: "P2"}
	h.Probe.Interval = 30 * time.Second
}

func (v *HealthVictoriaLogs) setDefaults() { v.SpoolBytes = 2 << 30 }

func (c *HealthCache) setDefaults() { c.Refresh = 30 * time.Second }

// Rule says where activity is read.
func (a HealthActivity) Rule() discovery.ActivityRule {
	return discovery.ActivityRule{
		Role: discovery.Clue{Label: model.LabelName(a.NamespaceLabel), Pointer: a.RolePointer},
		Life: discovery.Clue{Label: model.LabelName(a.LiveLabel), Pointer: a.Pointer},
	}
}

// Labels are the names of labels that say something of activity.
func (a HealthActivity) Labels() []string {
	var names []string
	for _, name := range []string{a.NamespaceLabel, a.LiveLabel} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// health checks what is said of health, and turns targets into what is asked.
func (v validator) health(t *Tocsin) {
	h := t.Health
	if h == nil {
		return
	}
	path := join(v.root, "health")
	at := func(keys ...any) *yaml.Node { return v.at(append([]any{"health"}, keys...)...) }
	if h.Kubernetes == nil && len(h.Targets) == 0 && len(h.TargetFiles) == 0 && h.VictoriaLogs == nil {
		v.refuse(at(), path, "nothing is asked", "write kubernetes: or targets: or target_files:, or victorialogs: to read what agents found")
	}
	if h.Agent == "" {
		v.refuse(at("agent"), join(path, "agent"), "no name is given", "leave it out for tocsin")
	}
	v.healthAliases(h.Aliases, path)
	v.healthKubernetes(h.Kubernetes, path)
	v.healthProbe(&h.Probe, path)
	for key, p := range map[string]string{"active": h.Priority.Active, "passive": h.Priority.Passive} { // problems are sorted
		if !isPriority(p) {
			v.refuse(at("priority", key), join(path, "priority."+key), fmt.Sprintf("%q is no priority", p), "write P1 to P5")
		}
	}
	for key, p := range map[string]string{"pointer": h.Activity.Pointer, "role_pointer": h.Activity.RolePointer} {
		if p != "" && p[0] != '/' {
			v.refuse(at("activity", key), join(path, "activity."+key), fmt.Sprintf("%q is no JSON pointer", p), "write one such as /operations/lastHour")
		}
	}
	if a := h.Activity; a.IdleAfter > 0 && a.Pointer == "" && a.LiveLabel == "" {
		v.refuse(at("activity", "idle_after"), join(path, "activity.idle_after"), "nothing says whether an environment is used", "write pointer: or live_label: beside it")
	}
	if vl := h.VictoriaLogs; vl != nil {
		v.healthURL(at("victorialogs", "url"), join(path, "victorialogs.url"), vl.URL, "http://vl:9428", "http", "https")
	}
	if c := h.Cache; c != nil {
		v.healthURL(at("cache", "redis"), join(path, "cache.redis"), c.Redis.Reveal(), "redis://localhost:6379", "redis", "rediss", "unix")
		if c.Refresh < time.Second {
			v.refuse(at("cache", "refresh"), join(path, "cache.refresh"), "more often than once a second", "leave it out for 30s")
		}
	}
	for i, file := range h.TargetFiles {
		if file == "" {
			v.refuse(at("target_files", i), join(path, "target_files"+index(i)), "no file is named", "write a path such as targets.yml")
		}
		h.TargetFiles[i] = absolute(v.doc.name, file)
	}
	s := targetSet{first: map[discovery.Key]targetPlace{}}
	s.add(v.decoder, h.Targets, items(get(resolve(at()), "targets")), join(path, "targets"))
	h.found = s.sorted()
}

// healthAliases refuses a table in which it matters where one begins to look.
func (v validator) healthAliases(aliases []HealthAlias, root string) {
	first := map[string]string{} // what each name means
	for _, a := range aliases {
		first[a.Name] = a.Name
	}
	for i, a := range aliases {
		path := join(root, "aliases"+index(i))
		if a.Name == "" || len(a.Also) == 0 || slices.Contains(a.Also, "") {
			v.refuse(v.at("health", "aliases", i), path, "a name is missing", "write name: and also: [...], as they are on the page")
			continue
		}
		for _, other := range a.Also {
			if to, twice := first[other]; twice {
				v.refuse(v.at("health", "aliases", i, "also"), join(path, "also"), fmt.Sprintf("%q means %q already", other, to), "remove one, or write all names of a thing together")
			}
			first[other] = a.Name
		}
	}
}

// Names returns the names by which services and dependencies are compared.
func (h *Health) Names() discovery.Aliases {
	names := discovery.Aliases{}
	for _, a := range h.Aliases {
		for _, other := range a.Also {
			names[other] = a.Name
		}
	}
	return names
}

func (v validator) healthKubernetes(k *HealthKubernetes, root string) {
	if k == nil {
		return
	}
	path := join(root, "kubernetes")
	at := func(key string) *yaml.Node { return v.at("health", "kubernetes", key) }
	if k.Cluster == "" {
		v.refuse(at("cluster"), join(path, "cluster"), "no name is given", "name the cluster: alerts and pages have it")
	}
	for key, text := range map[string]string{"namespaces": k.Namespaces, "services": k.Services} { // problems are sorted
		if _, err := regexp.Compile(text); err != nil {
			v.refuse(at(key), join(path, key), err.Error(), `write a regular expression such as "env-.*"`)
		}
	}
	if k.Path != "" && k.Path[0] != '/' {
		v.refuse(at("path"), join(path, "path"), "not an absolute path", "begin it with a slash")
	}
	k.Kubeconfig = absolute(v.doc.name, k.Kubeconfig)
}

func (v validator) healthProbe(p *HealthProbe, root string) {
	path := join(root, "probe")
	at := func(key string) *yaml.Node { return v.at("health", "probe", key) }
	if p.Interval < 100*time.Millisecond {
		v.refuse(at("interval"), join(path, "interval"), "too short", "leave it out for 30s")
	} else if p.Timeout >= p.Interval {
		v.refuse(at("timeout"), join(path, "timeout"), "not shorter than the interval", "leave it out for a third of the interval")
	}
	for key, n := range map[string]int{"concurrency": p.Concurrency, "per_host": p.PerHost} { // problems are sorted
		if n < 0 {
			v.refuse(at(key), join(path, key), "less than zero", "leave it out for its default")
		}
	}
	if p.ProxyURL != "" {
		v.healthURL(at("proxy_url"), join(path, "proxy_url"), p.ProxyURL, "http://proxy:3128", "http", "https")
	}
	for i, a := range p.Anchors {
		if _, _, err := net.SplitHostPort(a); err != nil {
			v.refuse(v.at("health", "probe", "anchors", i), join(path, "anchors"+index(i)), fmt.Sprintf("%q is no host and port", a), "write one such as kubernetes.default.svc:443")
		}
	}
}

// healthURL checks the address of a server. It does not quote it, for it may hold a password.
func (v validator) healthURL(n *yaml.Node, path, address, example string, schemes ...string) {
	u, err := url.Parse(address)
	for _, s := range schemes {
		if err == nil && u.Scheme == s && (u.Host != "" || s == "unix" && u.Path != "") {
			return
		}
	}
	v.refuse(n, path, "not the URL of a server", "write one such as "+example)
}

// Settings is what is said of health but for the targets: as long as it stays the same, a reload interrupts
// nothing.
func (h *Health) Settings() Health {
	settings := *h
	settings.Targets, settings.TargetFiles, settings.found = nil, nil, nil
	return settings
}
