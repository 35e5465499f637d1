package cache

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/discovery"
)

// A Writer writes all tiers from results that this process has, or none of them. It is used by one
// goroutine at a time.
type Writer struct{ p publisher }

// NewWriter returns a Writer.
func NewWriter(store Store, opts Options) (*Writer, error) {
	p, err := newPublisher(store, opts)
	if err != nil {
		return nil, err
	}
	return &Writer{p}, nil
}

// Write publishes a version of some results, and returns its ID. The results are all that there are: a service
// that is not among them is gone, unless too many are; then the error matches [ErrPartial]. Raw of each is
// its document. If another process publishes, the error matches [ErrNotPublisher].
func (w *Writer) Write(ctx context.Context, now time.Time, results []discovery.Health) (string, error) {
	return w.write(ctx, now, listing{whole: true, cycles: []discovery.Cycle{{At: now, Results: results}}})
}

// WriteCycles is Write with what agents found. What a service's own agent no longer has is gone; services
// of an agent that is blind or not heard are lost: unknown, and kept.
func (w *Writer) WriteCycles(ctx context.Context, now time.Time, cycles []discovery.Cycle) (string, error) {
	return w.write(ctx, now, listing{cycles: cycles})
}

// MarkStale says that the current version gets old because upstream returned too little of what is known.
func (w *Writer) MarkStale(ctx context.Context, now time.Time) error {
	return w.p.stale(ctx, now, "upstream returned too few of the known services")
}

// Release lets another process publish at once. A Writer that is not used any more and did not release
// blocks others for the rest of its lease.
func (w *Writer) Release(ctx context.Context) error { return w.p.release(ctx) }

func (p *publisher) release(ctx context.Context) error {
	if p.lease.Generation == 0 {
		return nil
	}
	err := p.store.Release(ctx, p.lease)
	p.lease.Generation = 0
	if errors.Is(err, ErrNotPublisher) {
		return nil // it ran out by itself
	}
	return err
}

func (w *Writer) write(ctx context.Context, now time.Time, l listing) (string, error) {
	p := &w.p
	done := p.metrics.started()
	if err := p.acquire(ctx); err != nil {
		return "", done(0, err)
	}
	if err := p.look(ctx); err != nil {
		return "", done(0, err)
	}
	plan, err := p.plan(ctx, now, l)
	if err != nil {
		return "", done(0, err)
	}
	if err := p.build(ctx, &plan); err != nil {
		return "", done(len(plan.changed), err)
	}
	plan.next.ID = p.newID(now)
	if err := p.publish(ctx, plan.next); err != nil {
		return "", done(len(plan.changed), err)
	}
	return plan.next.ID, done(len(plan.changed), nil)
}

// together is how many details are put at once.
const together = 4

// build builds what changed in this process.
func (p *publisher) build(ctx context.Context, plan *plan) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers())
	for from := 0; from < len(plan.changed); from += together {
		part := plan.changed[from:min(from+together, len(plan.changed))]
		g.Go(func() error {
			jobs := make([]job, len(part))
			var lack []job
			for i, c := range part {
				jobs[i] = plan.job(c, p.known)
				if len(jobs[i].lacking()) > 0 || len(jobs[i].Lost) > 0 {
					lack = append(lack, jobs[i])
				}
			}
			if err := before(ctx, p.store, lack); err != nil {
				return err
			}
			old := map[Key]*Detail{}
			for i := range lack {
				old[lack[i].Key] = lack[i].old
			}
			for i := range jobs {
				jobs[i].old = old[jobs[i].Key]
			}
			details, err := buildAll(jobs)
			if err != nil {
				return err
			}
			defer details.free()
			for i := range part {
				plan.next.Environments[part[i].at].Detail = details.blobs[i].Key
			}
			return p.store.Put(ctx, details.blobs)
		})
	}
	return g.Wait()
}
