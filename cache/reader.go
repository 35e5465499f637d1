package cache

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ReadStore is what a [Reader] needs of a [Store].
type ReadStore interface {
	Blobs
	Index
	Current(ctx context.Context) (Current, error)
}

// ReaderOptions configure a [Reader]. The zero value works.
type ReaderOptions struct {
	// Overdue is how old a version may be before it is stale although nobody said so. Defaults to 90 s.
	Overdue time.Duration

	// Memory is how many bytes of details are kept, as they are in the store, so that they can be read
	// while it is away. Defaults to 64 MiB.
	Memory int

	// Prepare is called with each version before anybody is shown it, by whoever reads it first. Nil does
	// nothing.
	Prepare func(*View)

	// Retry is how long the store is left alone after it failed. Defaults to 1 s.
	Retry time.Duration

	// Patience is how long the store may take to say which version is current, where one is known; and, once it
	// failed, for all else. Defaults to 1 s.
	Patience time.Duration
}

// A Reader reads the current version. It may be used by several goroutines.
type Reader struct {
	store ReadStore
	opts  ReaderOptions

	mu      sync.Mutex // guards what is below
	loaded  *loaded    // the last version that was read
	contact time.Time  // when the store answered last
	failed  time.Time  // when it did not, since it answered last
	err     error
	kept    *recent
	follows bool // Run reads new versions

	loading sync.Mutex // held by who reads a new version
	trying  sync.Mutex // held by who looks whether a store that failed answers again
}

// A loaded version never changes.
type loaded struct {
	id      string
	head    head
	version *version
	failing []FailingService
	terms   func() []string // the search index, made when it is first needed
}

// NewReader returns a Reader.
func NewReader(store ReadStore, opts ReaderOptions) *Reader {
	opts.Overdue = cmp.Or(opts.Overdue, 90*time.Second)
	opts.Memory = cmp.Or(opts.Memory, 64<<20)
	opts.Retry = cmp.Or(opts.Retry, time.Second)
	opts.Patience = cmp.Or(opts.Patience, time.Second)
	return &Reader{store: store, opts: opts, kept: newRecent(opts.Memory)}
}

// View returns the current version. If the store is away, it is the last one that was read, and its Stale
// says so; the error is for want of any: [ErrEmpty], or what the store said.
func (r *Reader) View(ctx context.Context, now time.Time) (*View, error) {
	r.mu.Lock()
	l, failed, before, follows := r.loaded, r.failed, r.err, r.follows
	r.mu.Unlock()
	began := time.Now()
	if age := now.Sub(failed); !failed.IsZero() && age < r.opts.Retry && -age < r.opts.Retry+r.opts.Patience { // it may have failed since now
		return r.known(l, now, before)
	}
	c, err := r.current(ctx, l, !failed.IsZero())
	if errors.Is(err, errTried) {
		return r.known(l, now, before)
	}
	if err != nil {
		return r.failing(ctx, now, time.Since(began), err)
	}
	switch {
	case l == nil || l.id != c.ID && !follows:
		if l, err = r.load(ctx, c, l); err != nil {
			return r.failing(ctx, now, time.Since(began), err)
		}
	case l.id != c.ID && before != nil:
		return r.known(l, now, before) // the store is back, or was empty: what is known may be gone. Run reads the other in a moment
	}
	r.mu.Lock()
	r.contact, r.failed, r.err = now, time.Time{}, nil
	r.mu.Unlock()
	v := l.view(r)
	switch {
	case !c.Stale.Since.IsZero():
		v.Stale = c.Stale
	case now.Sub(v.At) > r.opts.Overdue:
		v.Stale = Stale{Since: v.At, Reason: "there was no refresh since"}
	}
	return v, nil
}

// errTried means that another goroutine is asking a store that failed.
var errTried = errors.New("somebody else is asking")

// current asks the store which version is current. Where one is known nobody waits for long, and of those who ask a
// store that failed only the first waits at all.
func (r *Reader) current(ctx context.Context, known *loaded, failed bool) (Current, error) {
	if known == nil {
		return r.store.Current(ctx)
	}
	if failed {
		if !r.trying.TryLock() {
			return Current{}, errTried
		}
		defer r.trying.Unlock()
	}
	ctx, cancel := context.WithTimeout(ctx, r.opts.Patience)
	defer cancel()
	return r.store.Current(ctx)
}

// patiently bounds what is asked of a store that failed.
func (r *Reader) patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	r.mu.Lock()
	failed := !r.failed.IsZero()
	r.mu.Unlock()
	if !failed {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, r.opts.Patience)
}

// Run reads each version as it comes, until ctx ends, so that no call of View has to. Who does without it has
// one call in each version that takes as long as reading it does.
func (r *Reader) Run(ctx context.Context) error {
	follow := func(follows bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.follows = follows
	}
	follow(true)
	defer follow(false)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		r.mu.Lock()
		l := r.loaded
		r.mu.Unlock()
		if c, err := r.store.Current(ctx); err == nil { // else View says so
			_, _ = r.load(ctx, c, l)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// failing takes note of an error that took some time, and answers from what is known.
func (r *Reader) failing(ctx context.Context, now time.Time, took time.Duration, err error) (*View, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	r.mu.Lock()
	r.failed, r.err = now.Add(took), err
	if errors.Is(err, ErrEmpty) {
		r.failed = time.Time{} // it answers
	}
	l := r.loaded
	r.mu.Unlock()
	return r.known(l, now, err)
}

// known is the last version that was read, with the reason why there is none newer.
func (r *Reader) known(l *loaded, _ time.Time, err error) (*View, error) {
	if l == nil {
		return nil, err
	}
	r.mu.Lock()
	since := r.contact
	r.mu.Unlock()
	v := l.view(r)
	v.Stale = Stale{Since: since, Reason: err.Error()}
	return v, nil
}

// load reads a version. While one goroutine does, others are given the version before, if there is one. Before is the
// one that was loaded when the store was asked which is current: if another was loaded since, the answer may be older
// than that, and the store is asked again. A Reader never goes back.
func (r *Reader) load(ctx context.Context, c Current, before *loaded) (*loaded, error) {
	if before == nil {
		r.loading.Lock()
	} else if !r.loading.TryLock() {
		return before, nil
	}
	defer r.loading.Unlock()
	r.mu.Lock()
	l := r.loaded
	r.mu.Unlock()
	if l != before && l.id != c.ID {
		var err error
		if c, err = r.store.Current(ctx); err != nil {
			return nil, err
		}
	}
	if l != nil && l.id == c.ID {
		return l, nil
	}
	for range 3 {
		l, err := r.read(ctx, c)
		if err == nil {
			if r.opts.Prepare != nil {
				r.opts.Prepare(l.view(r))
			}
			r.mu.Lock()
			r.loaded = l
			r.mu.Unlock()
			return l, nil
		}
		if !errors.Is(err, ErrExpired) {
			return nil, err
		}
		if c, err = r.store.Current(ctx); err != nil { // it was superseded while we read
			return nil, err
		}
	}
	return nil, fmt.Errorf("read version %s: %w", c.ID, ErrExpired)
}

func (r *Reader) read(ctx context.Context, c Current) (*loaded, error) {
	l := &loaded{id: c.ID}
	if err := json.Unmarshal(c.Head, &l.head); err != nil {
		return nil, fmt.Errorf("read version %s: %w", c.ID, err)
	}
	blobs, err := r.store.Get(ctx, []string{l.head.Failing, l.head.Index})
	if err != nil {
		return nil, fmt.Errorf("read version %s: %w", c.ID, err)
	}
	if blobs[0] == nil || blobs[1] == nil {
		return nil, fmt.Errorf("read version %s: %w", c.ID, ErrExpired)
	}
	if err := json.Unmarshal(blobs[0], &l.failing); err != nil {
		return nil, fmt.Errorf("read version %s: %w", c.ID, err)
	}
	if l.version, err = decodeVersion(blobs[1]); err != nil {
		return nil, fmt.Errorf("read version %s: %w", c.ID, err)
	}
	l.terms = sync.OnceValue(func() []string { return termsOf(l.version.hits()) })
	return l, nil
}

func (l *loaded) view(r *Reader) *View {
	return &View{ID: l.id, At: l.head.At, Summary: l.head.Summary, l: l, r: r}
}

// A View is one version: all that it answers belongs together. It may be used by several goroutines, and
// what it returns is not to be modified.
type View struct {
	ID      string
	At      time.Time
	Summary Summary
	Stale   Stale // zero if the version is as new as it should be

	l *loaded
	r *Reader
}

// Failing returns the failing services, sorted by cluster, namespace and service.
func (v *View) Failing() []FailingService { return v.l.failing }

// Environments returns all environments, sorted by cluster and namespace.
func (v *View) Environments() []Environment { return v.l.version.Environments }

// Environment returns one environment, or nil.
func (v *View) Environment(k Key) *Environment { return v.l.version.environment(k) }

// Agents returns the agents, sorted by cluster and name.
func (v *View) Agents() []Agent { return v.l.version.Agents }

// Detail returns all that is known of one environment. If the store is away it is returned if it was read
// lately; of a view that is some minutes old it may be gone ([ErrExpired]).
func (v *View) Detail(ctx context.Context, k Key) (*Detail, error) {
	e := v.Environment(k)
	if e == nil {
		return nil, fmt.Errorf("%s: %w", k, ErrUnknown)
	}
	data := v.r.kept.get(e.Detail)
	if data == nil {
		ctx, cancel := v.r.patiently(ctx)
		defer cancel()
		blobs, err := v.r.store.Get(ctx, []string{e.Detail})
		if err != nil {
			return nil, fmt.Errorf("read the detail of %s: %w", k, err)
		}
		if data = blobs[0]; data == nil {
			return nil, fmt.Errorf("read the detail of %s: %w", k, ErrExpired)
		}
		v.r.kept.put(e.Detail, data)
	}
	d, err := decodeDetail(data)
	if err != nil {
		return nil, fmt.Errorf("read the detail of %s: %w", k, err)
	}
	return d, nil
}

// Search returns at most limit clusters, environments and services: those whose names begin with the
// query, and then those that have it within, without regard to case. If the store is away the answer is
// the same, from this process's memory.
func (v *View) Search(ctx context.Context, query string, limit int) ([]Hit, error) {
	key := v.l.head.Search
	asked, cancel := v.r.patiently(ctx)
	defer cancel()
	hits, err := search(query, limit, func(prefix, after string, limit int) ([]string, error) {
		return v.r.store.Range(asked, key, prefix, after, limit)
	})
	if err == nil && len(hits) > 0 || ctx.Err() != nil {
		return hits, err
	}
	return search(query, limit, func(prefix, after string, limit int) ([]string, error) {
		return lexical(v.l.terms(), prefix, after, limit), nil
	})
}
