// Package fleet simulates the health endpoints of many environments: documents of every format, up to
// 170 KB, that change at each call as real ones do and fail in patterns. Tests, benchmarks and the demo
// use it.
//
// A [Fleet] is an http.Handler that answers /<namespace>/<service>/health. It is also the HTTP proxy of a
// simulated cluster, which answers http://<service>.<namespace>.svc/health. What it answers follows from
// its options, the time, and what was asked of it with [Fleet.Fail], [Fleet.Add] and [Fleet.Remove]: two
// fleets with the same seed give the same documents at the same instant. It may be used by several
// goroutines. Times are UTC.
package fleet

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/discovery"
)

// Options configure a Fleet. The zero value works.
type Options struct {
	// Environments is how many there are. Defaults to 350.
	Environments int

	// Services is how many each of them has. Defaults to 12.
	Services int

	// Clusters is how many clusters the environments are spread over. Defaults to 100.
	Clusters int

	// Seed makes fleets differ.
	Seed uint64

	// Largest is the size of the largest document, of which each environment has one, in bytes. The others
	// have a hundredth to a tenth of it. Defaults to 170 KiB.
	Largest int

	// Calm switches the patterns off: nothing fails but what Fail says.
	Calm bool

	// Clock tells the time. Defaults to time.Now.
	Clock func() time.Time
}

// A Fleet is many environments.
type Fleet struct {
	opts     Options
	services []string // that each environment has, sorted

	mu      sync.Mutex // guards what is below
	names   []string   // the namespaces, sorted
	failing map[string]bool
}

// New returns a fleet.
func New(opts Options) *Fleet {
	opts.Environments = cmp.Or(opts.Environments, 350)
	opts.Services = cmp.Or(opts.Services, 12)
	opts.Clusters = cmp.Or(opts.Clusters, 100)
	opts.Largest = cmp.Or(opts.Largest, 170<<10)
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	f := &Fleet{opts: opts, services: namesOf(opts.Services), failing: map[string]bool{}}
	for i := range opts.Environments {
		f.names = append(f.names, fmt.Sprintf("env-%04d", i))
	}
	return f
}

// Add adds an environment.
func (f *Fleet) Add(namespace string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, found := slices.BinarySearch(f.names, namespace); !found {
		f.names = slices.Insert(f.names, at, namespace)
	}
}

// Remove takes an environment away: its endpoints answer 404.
func (f *Fleet) Remove(namespace string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, found := slices.BinarySearch(f.names, namespace); found {
		f.names = slices.Delete(f.names, at, at+1)
	}
}

// Fail makes a service fail, or no longer. An empty service means all of the namespace.
func (f *Fleet) Fail(namespace, service string, fails bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing[namespace+"/"+service] = fails
}

// Services returns the names of the services that each environment has, sorted.
func (f *Fleet) Services() []string { return slices.Clone(f.services) }

func namesOf(services int) []string {
	var names []string
	for i := range services {
		name := serviceNames[i%len(serviceNames)]
		if i >= len(serviceNames) {
			name += fmt.Sprint("-", i/len(serviceNames)+1)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var serviceNames = [...]string{
	"accounts", "basket", "billing", "catalog", "delivery", "frontend", "gateway", "identity", "mail", "orders", "pricing", "search",
	"stock", "reports", "ratings",
}

// Targets returns an endpoint for each service, sorted by key; base is where the fleet is served, such as
// http://127.0.0.1:8080.
func (f *Fleet) Targets(base string) []discovery.Target {
	f.mu.Lock()
	names := slices.Clone(f.names)
	f.mu.Unlock()
	var targets []discovery.Target
	for _, namespace := range names {
		cluster := fmt.Sprintf("cluster-%03d", f.hash(namespace)%uint64(f.opts.Clusters))
		role := discovery.Active
		if f.hash("role", namespace)%10 < 3 {
			role = discovery.Passive
		}
		for _, service := range f.services {
			targets = append(targets, discovery.Target{
				Cluster: cluster, Namespace: namespace, Environment: namespace, Service: service,
				URL:      base + "/" + namespace + "/" + service + "/health",
				Labels:   model.LabelSet{"role": model.LabelValue(role.String())},
				Activity: discovery.Activity{Role: role},
			})
		}
	}
	slices.SortFunc(targets, func(a, b discovery.Target) int { return a.Key().Compare(b.Key()) })
	return targets
}

// hash mixes the seed with some words.
func (f *Fleet) hash(words ...string) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, f.opts.Seed)
	for _, w := range words {
		_, _ = h.Write([]byte{0})
		_, _ = h.Write([]byte(w))
	}
	x := h.Sum64() // FNV's low bits are weak: mixed as in splitmix64
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Fails says whether a service fails at an instant.
//
// Of a hundred environments, one at a time is down as a whole for five minutes; of a hundred services one
// fails for good, one flaps every two minutes, and one fails for ten minutes in each hour.
func (f *Fleet) Fails(namespace, service string, now time.Time) bool {
	f.mu.Lock()
	byHand, known := f.failing[namespace+"/"+service]
	whole := f.failing[namespace+"/"]
	f.mu.Unlock()
	if known || whole {
		return byHand || whole
	}
	if f.opts.Calm {
		return false
	}
	minute := uint64(now.Unix() / 60)
	if (f.hash("outage", namespace)+minute/5)%100 == 0 {
		return true
	}
	switch f.hash("pattern", namespace, service) % 100 {
	case 0:
		return true
	case 1:
		return minute/2%2 == 0
	case 2:
		return (minute+f.hash(service, namespace))%60 < 10
	}
	return false
}

// Live says whether an environment is used: two in five are not.
func (f *Fleet) Live(namespace string) bool { return f.hash("live", namespace)%5 >= 2 }

// ServeHTTP answers /<namespace>/<service>/health, and as a proxy http://<service>.<namespace>.svc/health.
func (f *Fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	namespace, service := named(r)
	if !f.has(namespace, service) {
		http.NotFound(w, r)
		return
	}
	code, contentType, body := f.Document(namespace, service, f.opts.Clock())
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// named returns which service a request asks for; none if it asks for something else.
func named(r *http.Request) (namespace, service string) {
	if host, inCluster := strings.CutSuffix(r.URL.Hostname(), ".svc"); inCluster && r.URL.Path == "/health" {
		service, namespace, _ = strings.Cut(host, ".")
		return namespace, service
	}
	if parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/"); len(parts) == 3 && parts[2] == "health" {
		return parts[0], parts[1]
	}
	return "", ""
}

func (f *Fleet) has(namespace, service string) bool {
	f.mu.Lock()
	_, found := slices.BinarySearch(f.names, namespace)
	f.mu.Unlock()
	return found && slices.Contains(f.services, service)
}
