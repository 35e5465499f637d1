package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/tocsin/tocsin/discovery"
)

// Options configure a Discovery. The zero value works: all namespaces, and the services that speak HTTP.
type Options struct {
	// Cluster is the name of the cluster in targets.
	Cluster string

	// Namespaces matches the names of the namespaces that are environments. Nil matches all.
	Namespaces *regexp.Regexp

	// Selector is a label selector that namespaces have to match too, such as tier=production. Defaults to
	// none.
	Selector string

	// Services matches the names of the services that have a health endpoint. Nil: see the package's
	// documentation.
	Services *regexp.Regexp

	// Path is where the health document is, if a service has no annotation. Defaults to /health.
	Path string

	// EnvironmentLabel is the label of a namespace that has the environment's name. Defaults to the name of
	// the namespace.
	EnvironmentLabel string

	// Labels are the names of labels that are copied from namespaces and services into targets; a service's
	// own label wins. Defaults to none.
	Labels []string

	// Activity says which of these labels tell whether an environment is active.
	Activity discovery.ActivityRule

	// Usage is how often the metrics API is asked. Negative means never. Defaults to 60 s.
	Usage time.Duration

	// Settle is how long changes are gathered before targets are made of them. Defaults to 1 s.
	Settle time.Duration

	// Patience is how long the first targets wait for the optional parts: pods, endpoints, autoscalers.
	// Defaults to 15 s.
	Patience time.Duration

	// Log takes what goes wrong. Nil drops it.
	Log *slog.Logger

	// Registerer collects the package's metrics. Nil registers none.
	Registerer prometheus.Registerer
}

// A Discovery knows the health endpoints of one cluster.
type Discovery struct {
	opts    Options
	client  kubernetes.Interface
	metrics *metrics
	changed chan struct{}
	dirty   chan struct{}

	namespaces, services      *part // without these there are no targets
	slices, pods, autoscalers *part
	ran                       sync.Once

	mu      sync.Mutex // guards what is below
	targets []discovery.Target
	used    map[podKey]usage
}

// New returns the Discovery of a cluster. It asks nothing yet.
func New(client kubernetes.Interface, opts Options) (*Discovery, error) {
	opts.Path = cmp.Or(opts.Path, "/health")
	opts.Usage = cmp.Or(opts.Usage, time.Minute)
	opts.Settle = cmp.Or(opts.Settle, time.Second)
	opts.Patience = cmp.Or(opts.Patience, 15*time.Second)
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case client == nil:
		return nil, errors.New("no client: make one with kubernetes.NewForConfig")
	case opts.Path[0] != '/':
		return nil, fmt.Errorf("path %q: begin it with a slash", opts.Path)
	case opts.Settle < 0 || opts.Patience < 0:
		return nil, errors.New("an option is negative: leave it out for its default")
	}
	if _, err := labels.Parse(opts.Selector); err != nil {
		return nil, fmt.Errorf("selector of namespaces: %w", err)
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, err
	}
	d := &Discovery{
		opts: opts, client: client, metrics: m,
		changed: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
		used: map[podKey]usage{},
	}
	return d, d.watch()
}

// Changed delivers a value when Targets has something new. It is closed when Run returns.
func (d *Discovery) Changed() <-chan struct{} { return d.changed }

// Targets returns the health endpoints, sorted by key; nil as long as they are not known.
func (d *Discovery) Targets() []discovery.Target {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.targets
}

// Run watches the cluster until ctx ends. It may be called once.
func (d *Discovery) Run(ctx context.Context) error {
	err := errors.New("a Discovery runs once: make another with New")
	d.ran.Do(func() { err = d.run(ctx) })
	return err
}

func (d *Discovery) run(ctx context.Context) error {
	defer close(d.changed)
	var wg sync.WaitGroup
	defer wg.Wait()
	quiet := klog.NewContext(ctx, klog.Logger{}) // what matters comes to trouble
	for _, p := range d.parts() {
		wg.Go(func() { p.informer.RunWithContext(quiet) })
	}
	if d.opts.Usage > 0 {
		wg.Go(func() { d.followUsage(ctx) })
	}
	if !cache.WaitForCacheSync(ctx.Done(), d.namespaces.informer.HasSynced, d.services.informer.HasSynced) {
		return nil
	}
	patience, cancel := context.WithTimeout(ctx, d.opts.Patience)
	cache.WaitForCacheSync(patience.Done(), d.slices.informer.HasSynced, d.pods.informer.HasSynced, d.autoscalers.informer.HasSynced)
	cancel()
	for ctx.Err() == nil {
		d.refresh()
		select {
		case <-ctx.Done():
			return nil
		case <-d.dirty:
		}
		select { // let what comes together be one change
		case <-ctx.Done():
		case <-time.After(d.opts.Settle):
		}
	}
	return nil
}

// touch says that something changed.
func (d *Discovery) touch() {
	select {
	case d.dirty <- struct{}{}:
	default:
	}
}

// refresh makes targets of what is known, and tells about it if they are others than before.
func (d *Discovery) refresh() {
	select {
	case <-d.dirty: // what comes from now on is seen next time
	default:
	}
	d.mu.Lock()
	used := d.used
	d.mu.Unlock()
	fresh := d.view(used).targets()
	d.metrics.targets.Set(float64(len(fresh)))
	d.mu.Lock()
	same := d.targets != nil && slices.EqualFunc(d.targets, fresh, func(a, b discovery.Target) bool { return reflect.DeepEqual(a, b) })
	if !same {
		d.targets = fresh
	}
	d.mu.Unlock()
	if same {
		return
	}
	select {
	case d.changed <- struct{}{}:
	default:
	}
}
