package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"hash/fnv"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/discovery"
)

// Options configure a Prober. The zero value works.
type Options struct {
	// Agent and Cluster are written into each cycle. They may be empty.
	Agent, Cluster string

	// Interval is the length of a cycle. Defaults to 30 s.
	Interval time.Duration

	// Timeout bounds one request, from its start to the last byte of the body. Defaults to 10 s, and to a
	// third of the interval if that is less.
	Timeout time.Duration

	// Concurrency is how many requests are under way at most. Defaults to 128.
	Concurrency int

	// PerHost is how many of them go to one host. Defaults to 4.
	PerHost int

	// MaxBody is how many bytes of a body are read, after decompression. A longer one is an error of its
	// service. Defaults to 1 MiB.
	MaxBody int64

	// Proxy is an HTTP proxy through which targets are asked, for an agent outside the network whose names they
	// have. It is an anchor if there is no other. Nil means none; what the environment says of proxies does not
	// count.
	Proxy *url.URL

	// TLS is for https; nil means the system's certificates. It is cloned.
	TLS *tls.Config

	// Header is sent with each request.
	Header http.Header

	// Activity says where documents tell whether their environment is active.
	Activity discovery.ActivityRule

	// Anchors are addresses (host:port) that can always be reached as long as our own network is well, such
	// as the Kubernetes API server, by its name. One that answers is enough.
	Anchors []string

	// Result is called with each result as it comes, from several goroutines. Raw is valid until it
	// returns. Defaults to nil: documents are dropped once they are parsed.
	Result func(context.Context, discovery.Health)

	// Registerer collects the package's metrics. Nil registers none.
	Registerer prometheus.Registerer
}

// A Prober asks targets how they are.
type Prober struct {
	opts    Options
	targets func() []discovery.Target
	client  *http.Client
	network *network
	parsing chan struct{} // a place for each core
	metrics *metrics

	last map[discovery.Key]*memory // of the cycle before; only between cycles does it change
}

// New returns a Prober of the targets that the function returns at the beginning of each cycle. Nil means that
// they are not known yet: then there is no cycle, for an empty one says that all services are gone. The
// function must not block.
func New(targets func() []discovery.Target, opts Options) (*Prober, error) {
	opts.Interval = cmp.Or(opts.Interval, 30*time.Second)
	opts.Timeout = cmp.Or(opts.Timeout, min(10*time.Second, opts.Interval/3))
	opts.Concurrency = cmp.Or(opts.Concurrency, 128)
	opts.PerHost = cmp.Or(opts.PerHost, 4)
	opts.MaxBody = cmp.Or(opts.MaxBody, 1<<20)
	switch {
	case targets == nil:
		return nil, errors.New("no targets: give a function that returns them")
	case opts.Interval < 0 || opts.Timeout < 0 || opts.Concurrency < 0 || opts.PerHost < 0 || opts.MaxBody < 0:
		return nil, errors.New("an option is negative: leave it out for its default")
	case opts.Timeout >= opts.Interval:
		return nil, errors.New("the timeout is not shorter than the interval: no request would end in its cycle")
	}
	if opts.Proxy != nil && len(opts.Anchors) == 0 {
		port := cmp.Or(opts.Proxy.Port(), map[string]string{"https": "443"}[opts.Proxy.Scheme], "80")
		opts.Anchors = []string{net.JoinHostPort(opts.Proxy.Hostname(), port)}
	}
	for _, a := range opts.Anchors {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return nil, errors.New("anchor " + a + ": give a host and a port, such as kubernetes.default.svc:443")
		}
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: opts.Timeout, KeepAlive: 30 * time.Second}
	return &Prober{
		opts: opts, targets: targets, metrics: m,
		client:  &http.Client{Transport: transport(opts, dialer), CheckRedirect: sameHost},
		network: &network{anchors: opts.Anchors, dial: dialer.DialContext},
		parsing: make(chan struct{}, runtime.GOMAXPROCS(0)),
		last:    map[discovery.Key]*memory{},
	}, nil
}

func transport(opts Options, dialer *net.Dialer) *http.Transport {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if opts.TLS != nil {
		tlsConfig = opts.TLS.Clone()
	}
	perHost, proxy := opts.PerHost, (func(*http.Request) (*url.URL, error))(nil)
	if opts.Proxy != nil { // all connections are to one host
		perHost, proxy = opts.Concurrency, http.ProxyURL(opts.Proxy)
	}
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    opts.Timeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    perHost,
		IdleConnTimeout:        3 * opts.Interval,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        1 << 10,
	}
}

// sameHost follows redirects within a host, to the same or a safer scheme, and not too many of them.
func sameHost(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	downgrade := first.Scheme == "https" && next.URL.Scheme != "https"
	if len(via) >= 4 || next.URL.Hostname() != first.Hostname() || downgrade {
		return http.ErrUseLastResponse
	}
	return nil
}

// Run goes through the targets in each interval and hands over what it found, until ctx ends. Deliver must
// return before the next cycle ends.
func (p *Prober) Run(ctx context.Context, deliver func(context.Context, discovery.Cycle)) error {
	defer p.client.CloseIdleConnections()
	tick := time.NewTicker(p.opts.Interval)
	defer tick.Stop()
	over := p.opts.Interval / 2 // the first comes sooner
	for {
		known := p.targets() != nil
		if known {
			c := p.Cycle(ctx, over)
			over = p.opts.Interval
			if ctx.Err() != nil {
				return nil // half a cycle says nothing
			}
			deliver(ctx, c)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Cycle goes through the targets once, spread over some time, less the timeout. Zero asks all of them as
// soon as the bounds allow.
func (p *Prober) Cycle(ctx context.Context, over time.Duration) discovery.Cycle {
	began := time.Now()
	end := began.Add(p.opts.Interval)
	jobs := p.jobs(p.targets(), max(0, over-p.opts.Timeout)*9/10)
	g := newGate(p.opts.Concurrency, p.opts.PerHost)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range jobs {
		j := &jobs[i]
		if wait := time.Until(began.Add(j.offset)); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			break
		}
		g.submit(j.host, func() {
			if time.Now().After(end) || ctx.Err() != nil {
				j.health = notAsked(&j.target, time.Now())
				return
			}
			p.ask(ctx, j, end)
		})
	}
	g.wait()
	c := discovery.Cycle{Agent: p.opts.Agent, Cluster: p.opts.Cluster, At: time.Now().UTC(), Interval: p.opts.Interval, Results: p.settle(jobs)}
	c.Blind = blind(c.Results, len(p.opts.Anchors) > 0)
	p.metrics.cycle(&c, time.Since(began))
	return c
}

// A job is one target in one cycle.
type job struct {
	target discovery.Target
	host   string
	offset time.Duration
	before *memory
	after  memory
	health discovery.Health
}

// jobs returns the targets in the order in which they are asked.
func (p *Prober) jobs(targets []discovery.Target, spread time.Duration) []job {
	jobs := make([]job, len(targets))
	for i, t := range targets {
		jobs[i] = job{target: t, offset: offset(t.Key(), spread), before: p.last[t.Key()]}
		if u, err := url.Parse(t.URL); err == nil {
			jobs[i].host = u.Hostname()
		}
	}
	slices.SortStableFunc(jobs, func(a, b job) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), a.target.Key().Compare(b.target.Key()))
	})
	return jobs
}

// offset is when in a cycle a target is asked: always the same.
func offset(k discovery.Key, spread time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(k.String()))
	return time.Duration(float64(h.Sum64()>>11) / (1 << 53) * float64(spread))
}

// settle keeps what the next cycle needs, and returns the results sorted by key.
func (p *Prober) settle(jobs []job) []discovery.Health {
	results := make([]discovery.Health, len(jobs))
	clear(p.last)
	for i := range jobs {
		j := &jobs[i]
		if j.health.At.IsZero() { // the context ended before
			j.health = discovery.NoAnswer(j.target, time.Now().UTC(), discovery.WhyNotAsked, "the cycle was cut short")
		}
		if j.health.Why == discovery.WhyNotAsked || j.health.Why == discovery.WhyOwnNetwork {
			if j.before != nil {
				j.health = discovery.Carry(&j.before.health, j.health)
				j.after.sum, j.after.report = j.before.sum, j.before.report
			}
		}
		kept := j.after // a copy: a job refers to the cycle before, and that to the one before it
		kept.health = j.health
		p.last[j.target.Key()] = &kept
		results[i] = j.health
	}
	slices.SortFunc(results, func(a, b discovery.Health) int { return a.Target.Key().Compare(b.Target.Key()) })
	return results
}
