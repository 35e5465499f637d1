package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// PullOptions configures a source that is asked. The zero value works.
type PullOptions struct {
	// Client asks, with whatever TLS, credentials and proxies it takes. Nil means one of its own,
	// which sends the credentials of the URLs.
	Client *http.Client

	// Labels are added to each alert that has no label of that name: Prometheus sends its
	// external_labels with what it pushes, and leaves them out of what it is asked for. With the same
	// labels here, both are one alert.
	Labels model.LabelSet

	// ReplicaLabels are left out of each alert: give the labels in which the servers of one pair
	// differ, and those that Presence leaves out.
	ReplicaLabels []model.LabelName

	// Timeout bounds the answer of one server. Defaults to 10 s.
	Timeout time.Duration

	// MaxBody bounds the answer of one server, in bytes, after decompression. It is read as it
	// arrives and not held, so that this is not about memory. Defaults to 256 MiB: 100,000 alerts
	// are about 100 MiB.
	MaxBody int64

	// AllowEmpty, of Rules, takes an answer without any group of rules for the truth. Set it for a
	// server that has none yet. Defaults to false: a proxy without its vmalert answers just that.
	AllowEmpty bool

	// Settle, of Alertmanager, is how long after its start a server may not have heard of everything
	// that fires. What it does not list in that time is unknown. Defaults to 5 m.
	Settle time.Duration

	// Logger is told when one of several servers begins to fail, what is not evaluated and what is not
	// valid, and when that is over. Nil tells nobody.
	Logger *slog.Logger

	// Registerer collects the source's metrics, which carry its name; sources share their
	// descriptions. Nil registers none.
	Registerer prometheus.Registerer
}

func (o *PullOptions) complete() error {
	if o.Timeout < 0 || o.MaxBody < 0 || o.Settle < 0 {
		return errors.New("a limit is less than nothing")
	}
	if a := (alarm.Alert{Labels: o.Labels}); len(o.Labels) > 0 {
		if err := a.Validate(); err != nil {
			return err
		}
	}
	if o.Client == nil {
		transport, ok := http.DefaultTransport.(*http.Transport)
		if !ok { // somebody replaced it, and knows why
			o.Client = http.DefaultClient
		} else {
			o.Client = &http.Client{Transport: transport.Clone()}
		}
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxBody == 0 {
		o.MaxBody = 256 << 20
	}
	if o.Settle == 0 {
		o.Settle = 5 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// A puller asks the servers of one source.
type puller struct {
	name    string
	opts    PullOptions
	known   *catalog
	metrics *pullMetrics
	servers []*server

	mu       sync.Mutex      // guards what follows
	unknown  map[string]bool // what was told to the log as unknown
	problems problems
}

// A server is one of the addresses of a source.
type server struct {
	*address
	listing
	failing bool // as was told to the log; guarded by the puller's mu
}

func newPuller(name string, urls []string, since, link string, o PullOptions) (*puller, error) {
	if name == "" {
		return nil, errors.New("a source needs a name")
	}
	if len(urls) == 0 {
		return nil, errors.New("a source needs an address")
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	p := &puller{name: name, opts: o, known: newCatalog(o.Labels, o.ReplicaLabels)}
	p.opts.Logger = o.Logger.With("source", name)
	for _, raw := range urls {
		a, err := parseAddress(raw)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(p.servers, func(s *server) bool { return *s.shown == *a.shown }) {
			return nil, fmt.Errorf("the address %s is there twice", a.shown)
		}
		l := listing{known: p.known, prose: newContents(maxListed), base: a.shown, since: `"` + since + `"`, url: `"` + link + `"`}
		p.servers = append(p.servers, &server{address: a, listing: l})
	}
	m, err := newPullMetrics(name, o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	p.metrics = m
	return p, nil
}

// ask asks all servers at once. The error is nil if any of them answered well; the errors are those of
// the servers, in their order.
func (p *puller) ask(ctx context.Context, one func(ctx context.Context, n int, s *server) error) ([]error, error) {
	began := time.Now()
	p.known.age(began)
	errs := make([]error, len(p.servers))
	var all sync.WaitGroup
	for n, s := range p.servers {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, p.opts.Timeout)
			defer cancel()
			s.prose.age(began)
			errs[n] = one(ctx, n, s)
		})
	}
	all.Wait()
	return errs, p.judge(errs, time.Since(began))
}

// judge tells log and metrics which servers failed. If all did, that is an error.
func (p *puller) judge(errs []error, took time.Duration) error {
	failed := make([]error, 0, len(errs))
	for _, err := range errs {
		if err != nil {
			failed = append(failed, err)
		}
	}
	p.metrics.asked(len(errs), len(failed), took)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(failed) == len(errs) {
		p.problems = problems{}
		if len(failed) == 1 {
			return fmt.Errorf("source %s: %w", p.name, failed[0])
		}
		return fmt.Errorf("source %s: all of its %d servers: %w", p.name, len(failed), joined(failed))
	}
	p.problems.servers = failed
	for n, s := range p.servers {
		switch failing := errs[n] != nil; {
		case failing && !s.failing:
			p.opts.Logger.Warn("one of the servers of a source does not answer well", "err", errs[n])
			s.failing = true
		case !failing && s.failing:
			p.opts.Logger.Info("a server of a source answers well again", "server", s.shown.String())
			s.failing = false
		}
	}
	return nil
}

// joined are errors as one, in one line.
type joined []error

// Error returns the messages.
func (j joined) Error() string {
	text := ""
	for i, err := range j {
		if i > 0 {
			text += "; "
		}
		text += err.Error()
	}
	return text
}

// Unwrap returns the errors.
func (j joined) Unwrap() []error { return j }

// tell tells the log what is unknown from now on, by name, and the metrics how much.
func (p *puller) tell(unknown map[string]string, invalid int) {
	p.metrics.unknown.Set(float64(len(unknown)))
	p.metrics.invalid.Set(float64(invalid))
	p.mu.Lock()
	defer p.mu.Unlock()
	names := slices.Sorted(maps.Keys(unknown))
	fresh := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return p.unknown[name] })
	p.problems.unknown, p.problems.invalid = names, invalid
	if len(names) > 0 {
		p.problems.because = unknown[names[0]]
	}
	if len(fresh) > 0 {
		p.opts.Logger.Warn("what a source says is not known of everything: the alerts concerned are kept as they were",
			"unknown", len(unknown), "new", len(fresh), "first", fresh[0], "because", unknown[fresh[0]])
	} else if len(unknown) == 0 && len(p.unknown) > 0 {
		p.opts.Logger.Info("a source knows everything again")
	}
	p.unknown = make(map[string]bool, len(unknown))
	for name := range unknown {
		p.unknown[name] = true
	}
}
