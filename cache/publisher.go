package cache

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options configure a [Writer] and a [Refresher]. The zero value works.
type Options struct {
	// Holder names this process in the election. It must be unique. Defaults to the host's name and a
	// random text.
	Holder string

	// Threshold is which share of the services that were known before must come back. Defaults to 0.7.
	Threshold float64

	// Rebuild is how old a detail may become although nothing in it changed but measurements. At most a
	// twentieth of all are built for that reason in one refresh. Defaults to 10 min.
	Rebuild time.Duration

	// Forget is after how long services leave whose agent is not heard. 0 means never. Defaults to 0.
	Forget time.Duration

	// Interval is how often [Refresher.Run] refreshes. Defaults to 30 s.
	Interval time.Duration

	// Abandon is how long a version may take. Defaults to 90 s.
	Abandon time.Duration

	// Batch is how many environments a worker takes at once. Their documents are in memory together.
	// Defaults to 16.
	Batch int

	// Logger is told what goes wrong in Run. Nil means nobody is.
	Logger *slog.Logger

	// Registerer collects the package's metrics. Nil registers none.
	Registerer prometheus.Registerer
}

func (o Options) complete() (Options, error) {
	switch {
	case o.Threshold < 0 || o.Threshold > 1:
		return o, fmt.Errorf("threshold %v: give a share between 0 and 1", o.Threshold)
	case o.Rebuild < 0 || o.Forget < 0 || o.Interval < 0 || o.Abandon < 0 || o.Batch < 0:
		return o, errors.New("an option is negative: leave it out for its default")
	}
	if o.Holder == "" {
		host, _ := os.Hostname()
		o.Holder = host + "-" + rand.Text()[:8]
	}
	o.Threshold = cmp.Or(o.Threshold, 0.7)
	o.Rebuild = cmp.Or(o.Rebuild, 10*time.Minute)
	o.Interval = cmp.Or(o.Interval, 30*time.Second)
	o.Abandon = cmp.Or(o.Abandon, 90*time.Second)
	o.Batch = cmp.Or(o.Batch, 16)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func (o *Options) rules() rules {
	return rules{threshold: o.Threshold, rebuild: o.Rebuild, forget: o.Forget}
}

// A head is what is published: the first tier, and where the others are.
type head struct {
	At      time.Time `json:"at"`
	Summary Summary   `json:"summary"`
	Failing string    `json:"failing"` // keys
	Index   string    `json:"index"`
	Search  string    `json:"search"`
}

// A publisher makes versions. It is used by one goroutine at a time.
type publisher struct {
	store   Store
	opts    Options
	metrics *metrics

	lease   Lease
	renewed time.Time
	known   *version        // the last version that was seen, though the store may have lost it
	base    string          // ID of the version that is current in the store, or ""
	keys    map[string]bool // of base
	head    head            // of base
}

func newPublisher(store Store, opts Options) (publisher, error) {
	opts, err := opts.complete()
	if err != nil {
		return publisher{}, err
	}
	if store == nil {
		return publisher{}, errors.New("no store: give a Memory, or one of package rediscache")
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return publisher{}, err
	}
	return publisher{store: store, opts: opts, metrics: m, lease: Lease{Holder: opts.Holder}}, nil
}

// acquire wins or renews the lease.
func (p *publisher) acquire(ctx context.Context) error {
	l, err := p.store.Acquire(ctx, p.lease)
	if err != nil {
		return fmt.Errorf("acquire the publisher's lease: %w", err)
	}
	p.lease, p.renewed = l, time.Now()
	return nil
}

// look takes over what others published meanwhile.
func (p *publisher) look(ctx context.Context) error {
	c, err := p.store.Current(ctx)
	switch {
	case errors.Is(err, ErrEmpty): // perhaps the store was restarted empty: what is known here stays known
		p.base, p.keys, p.head = "", nil, head{}
		return nil
	case err != nil:
		return fmt.Errorf("read the current version: %w", err)
	case c.ID == p.base:
		return nil
	}
	var h head
	if err := json.Unmarshal(c.Head, &h); err != nil {
		return fmt.Errorf("read the current version %s: %w", c.ID, err)
	}
	blobs, err := p.store.Get(ctx, []string{h.Index})
	if err != nil {
		return fmt.Errorf("read the index of version %s: %w", c.ID, err)
	}
	p.base, p.head, p.keys = c.ID, h, map[string]bool{h.Failing: true, h.Index: true, h.Search: true}
	if blobs[0] == nil {
		return nil // evicted: what is known here stays known, and all is built anew
	}
	v, err := decodeVersion(blobs[0])
	if err != nil {
		return fmt.Errorf("read the index of version %s: %w", c.ID, err)
	}
	p.known = v
	for i := range v.Environments {
		p.keys[v.Environments[i].Detail] = true
	}
	return nil
}

// plan decides what a refresh is to do.
func (p *publisher) plan(ctx context.Context, now time.Time, l listing) (plan, error) {
	missing := map[string]bool{}
	if p.known != nil {
		keys := make([]string, 0, len(p.known.Environments))
		for i := range p.known.Environments {
			keys = append(keys, p.known.Environments[i].Detail)
		}
		gone, err := p.store.Missing(ctx, keys)
		if err != nil {
			return plan{}, fmt.Errorf("look for details: %w", err)
		}
		for _, k := range gone {
			missing[k] = true
		}
	}
	return makePlan(now, p.known, missing, l, p.opts.rules())
}

// publish writes the small tiers of a version whose details are written, and makes it the current one.
func (p *publisher) publish(ctx context.Context, next version) error {
	summary, failing := next.tiers()
	hits := next.hits()
	h := head{At: next.At, Summary: summary, Failing: "failing/" + next.ID, Index: "index/" + next.ID, Search: searchKey(hits)}
	failingJSON, err := json.Marshal(failing)
	if err != nil {
		return err
	}
	index, err := next.encode()
	if err != nil {
		return err
	}
	headJSON, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := p.store.Put(ctx, []Blob{{h.Failing, failingJSON}, {h.Index, index}}); err != nil {
		return fmt.Errorf("write the small tiers: %w", err)
	}
	gone, err := p.store.Missing(ctx, []string{h.Search})
	if err != nil {
		return fmt.Errorf("look for the search index: %w", err)
	}
	fresh := h.Search != p.head.Search || len(gone) > 0
	if fresh {
		if err := p.store.PutTerms(ctx, h.Search, termsOf(hits)); err != nil {
			return fmt.Errorf("write the search index: %w", err)
		}
	}
	keys := map[string]bool{h.Failing: true, h.Index: true, h.Search: true}
	for i := range next.Environments {
		keys[next.Environments[i].Detail] = true
	}
	f := Flip{Base: p.base, ID: next.ID, Head: headJSON, Keep: less(keys, p.keys), Drop: less(p.keys, keys)}
	if fresh && p.keys[h.Search] {
		f.Keep = append(f.Keep, h.Search)
	}
	if err := p.store.Publish(ctx, p.lease, f); err != nil {
		if errors.Is(err, ErrConflict) {
			p.base = "?" // read it again
		}
		return fmt.Errorf("publish version %s: %w", next.ID, err)
	}
	p.known, p.base, p.keys, p.head = &next, next.ID, keys, h
	p.metrics.published(&summary, next.At)
	return nil
}

// less returns the keys of a that are not in b, sorted.
func less(a, b map[string]bool) []string {
	var out []string
	for k := range a {
		if k != "" && !b[k] {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// newID returns an ID that no other version has, and that sorts by time.
func (p *publisher) newID(now time.Time) string {
	return fmt.Sprintf("%s-%d-%s", now.UTC().Format("20060102T150405.000000000"), p.lease.Generation, rand.Text()[:6])
}

// stale says why the current version gets old.
func (p *publisher) stale(ctx context.Context, now time.Time, reason string) error {
	if err := p.acquire(ctx); err != nil {
		return err
	}
	since := now
	if p.known != nil {
		since = p.known.At
	}
	if err := p.store.MarkStale(ctx, p.lease, Stale{Since: since, Reason: reason}); err != nil {
		return fmt.Errorf("mark the current version stale: %w", err)
	}
	return nil
}

// workers is how many details are built at once.
func workers() int { return max(2, runtime.GOMAXPROCS(0)) }
