package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/discovery"
)

// A Source is upstream: it knows how services are. *vlogs.Reader is one, and [Direct].
type Source interface {
	// Cycles returns the last cycle of each agent that was heard lately. Results need no dependencies
	// and no documents.
	Cycles(ctx context.Context, now time.Time) ([]discovery.Cycle, error)

	// Documents sets Raw and ContentType of those answers whose document it has, by key and hash.
	Documents(ctx context.Context, of []*discovery.Health) error
}

// A Recaller is a Source that also knows what services said last that do not answer. *vlogs.Reader is one, and
// [Direct].
type Recaller interface {
	// Last returns the last answers with a document, by the keys of those services that gave one. Of an answer
	// the key, At, Hash, Raw, ContentType and HTTPStatus are set.
	Last(ctx context.Context, of []discovery.Key) (map[discovery.Key]discovery.Health, error)
}

// A Refresher is one worker of those that share the work of refreshing the cache: one of them at a time
// publishes, all of them build details. Its methods are used by one goroutine at a time.
type Refresher struct {
	p      publisher
	source Source
	queue  Queue

	// What this worker has put on the queue itself, it need not read again.
	making string         // the version
	own    map[string]job // by the task's ID
}

// NewRefresher returns a Refresher.
func NewRefresher(store Store, queue Queue, source Source, opts Options) (*Refresher, error) {
	if source == nil || queue == nil {
		return nil, errors.New("no source or no queue: give both")
	}
	p, err := newPublisher(store, opts)
	if err != nil {
		return nil, err
	}
	return &Refresher{p: p, source: source, queue: queue}, nil
}

// Run refreshes the cache in each interval if this worker is the publisher, and otherwise builds what the
// publisher asks for, until ctx ends. What fails is logged and tried again.
func (r *Refresher) Run(ctx context.Context) error {
	defer func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := r.p.release(late); err != nil {
			r.p.opts.Logger.Warn("the publisher's lease was not released", "err", err)
		}
	}()
	due := time.Now()
	for ctx.Err() == nil {
		now := time.Now()
		var err error
		if !now.Before(due) {
			due = now.Add(r.p.opts.Interval)
			if _, err = r.Cycle(ctx, now); errors.Is(err, ErrNotPublisher) {
				err = nil
			}
		} else {
			_, err = r.Work(ctx, min(due.Sub(now), time.Second))
		}
		if err != nil && ctx.Err() == nil {
			r.p.opts.Logger.Error("the cache was not refreshed", "err", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

// Cycle refreshes the cache once, if this worker is the publisher, and returns the version's ID. It takes
// tasks itself while it waits for others to finish theirs. If it fails, the cache is as it was, and says that
// it is stale if it can.
func (r *Refresher) Cycle(ctx context.Context, now time.Time) (string, error) {
	done := r.p.metrics.started()
	if err := r.p.acquire(ctx); err != nil {
		if look := r.p.look(ctx); look != nil { // who may have to take over knows what there was
			err = errors.Join(err, look)
		}
		return "", done(0, err)
	}
	id, changed, err := r.cycle(ctx, now)
	if err != nil && !errors.Is(err, ErrNotPublisher) {
		if stale := r.p.stale(ctx, now, err.Error()); stale != nil && !errors.Is(stale, ErrEmpty) {
			err = errors.Join(err, stale)
		}
	}
	return id, done(changed, err)
}

func (r *Refresher) cycle(ctx context.Context, now time.Time) (id string, changed int, err error) {
	if err := r.p.look(ctx); err != nil {
		return "", 0, err
	}
	cycles, err := r.source.Cycles(ctx, now)
	if err != nil {
		return "", 0, fmt.Errorf("ask upstream for the latest states: %w", err)
	}
	plan, err := r.p.plan(ctx, now, listing{cycles: cycles})
	if err != nil {
		return "", 0, err
	}
	plan.next.ID = r.p.newID(now)
	if len(plan.changed) > 0 {
		if err := r.share(ctx, &plan); err != nil {
			return "", len(plan.changed), err
		}
	}
	if err := r.p.publish(ctx, plan.next); err != nil {
		return "", len(plan.changed), err
	}
	return plan.next.ID, len(plan.changed), nil
}

// share puts what changed on the queue, and waits until all of it is built.
func (r *Refresher) share(ctx context.Context, plan *plan) error {
	version := plan.next.ID
	tasks, err := r.tasks(plan)
	if err != nil {
		return err
	}
	if err := r.queue.Begin(ctx, r.p.lease, version, tasks); err != nil {
		return fmt.Errorf("put tasks on the queue: %w", err)
	}
	results, err := r.wait(ctx, version, len(tasks))
	r.making, r.own = "", nil
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if end := r.queue.End(late, version); end != nil && err == nil {
		err = fmt.Errorf("end version %s: %w", version, end)
	}
	if err != nil {
		return err
	}
	for i, c := range plan.changed {
		key := string(results[tasks[i].ID])
		if key == "" {
			return fmt.Errorf("task %s of version %s has no result", tasks[i].ID, version)
		}
		plan.next.Environments[c.at].Detail = key
	}
	return nil
}

// tasks makes a task of each change.
func (r *Refresher) tasks(plan *plan) ([]Task, error) {
	tasks, jobs := make([]Task, len(plan.changed)), make([]job, len(plan.changed))
	var g errgroup.Group
	g.SetLimit(workers())
	for from := 0; from < len(tasks); from += 64 {
		g.Go(func() error {
			for i := from; i < min(from+64, len(tasks)); i++ {
				j := plan.job(plan.changed[i], r.p.known)
				for k := range j.Health {
					j.Health[k].Nodes, j.Health[k].Data, j.Health[k].Raw = nil, nil, nil // a worker reads the document
				}
				data, err := json.Marshal(j)
				if err != nil {
					return fmt.Errorf("make the task of %s: %w", j.Key, err)
				}
				tasks[i], jobs[i] = Task{Version: plan.next.ID, ID: j.Key.String(), Data: data}, j
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	r.making, r.own = plan.next.ID, make(map[string]job, len(jobs))
	for i := range jobs {
		r.own[tasks[i].ID] = jobs[i]
	}
	return tasks, nil
}

// wait works until all tasks of a version are done.
func (r *Refresher) wait(ctx context.Context, version string, want int) (map[string][]byte, error) {
	deadline := time.Now().Add(r.p.opts.Abandon)
	var trouble error
	for {
		results, err := r.queue.Results(ctx, version, want)
		if err != nil {
			return nil, fmt.Errorf("read the results of version %s: %w", version, err)
		}
		if results != nil {
			return results, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("%w: %s was not finished in %s", ErrAbandoned, version, r.p.opts.Abandon), trouble)
		}
		if time.Since(r.p.renewed) > min(10*time.Second, r.p.opts.Interval/3) {
			if err := r.p.acquire(ctx); err != nil {
				return nil, err
			}
		}
		if _, err := r.Work(ctx, 100*time.Millisecond); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			trouble = err // the tasks come again
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

// Work takes tasks that any publisher put on the queue and builds their details, for as long as there are
// more of them, and at most for about a second. It returns how many it did; none if none came in time.
func (r *Refresher) Work(ctx context.Context, wait time.Duration) (int, error) {
	var did atomic.Int64
	until := time.Now().Add(wait + time.Second)
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(workers())
	var err error
	for within.Err() == nil && time.Now().Before(until) {
		var claims []Claim
		var jobs []job
		if claims, jobs, err = r.take(within, wait); err != nil || len(claims) == 0 {
			break
		}
		wait = 0 // while the last ones of these are built, the next ones are fetched
		for from := 0; from < len(jobs); from += together {
			to := min(from+together, len(jobs))
			g.Go(func() error {
				n, err := r.finish(within, claims[from:to], jobs[from:to])
				did.Add(int64(n))
				return err
			})
		}
	}
	if failed := g.Wait(); failed != nil {
		err = failed // what was taken meanwhile was told to end for that
	}
	return int(did.Load()), err
}

// take takes tasks, and fetches what they are built from.
func (r *Refresher) take(ctx context.Context, wait time.Duration) ([]Claim, []job, error) {
	claims, err := r.queue.Take(ctx, r.p.opts.Holder, r.p.opts.Batch, wait)
	if err != nil {
		return nil, nil, fmt.Errorf("take tasks: %w", err)
	}
	jobs := make([]job, len(claims))
	for i, c := range claims {
		if j, own := r.own[c.ID]; own && c.Version == r.making {
			jobs[i], jobs[i].Health = j, slices.Clone(j.Health) // which get their documents
		} else if err := json.Unmarshal(c.Data, &jobs[i]); err != nil {
			return nil, nil, fmt.Errorf("read task %s: %w", c.ID, err)
		}
	}
	if err := before(ctx, r.p.store, jobs); err != nil {
		return nil, nil, err
	}
	var lacking []*discovery.Health
	for i := range jobs {
		lacking = append(lacking, jobs[i].lacking()...)
	}
	if len(lacking) > 0 {
		if err := r.source.Documents(ctx, lacking); err != nil {
			return nil, nil, fmt.Errorf("fetch documents: %w", err)
		}
	}
	return claims, jobs, r.recall(ctx, jobs)
}

// recall fetches what services said last that do not answer, if the detail from before is gone.
func (r *Refresher) recall(ctx context.Context, jobs []job) error {
	source, ok := r.source.(Recaller)
	if !ok {
		return nil
	}
	var silent []discovery.Key
	for i := range jobs {
		silent = append(silent, jobs[i].silent()...)
	}
	if len(silent) == 0 {
		return nil
	}
	last, err := source.Last(ctx, silent)
	if err != nil {
		return fmt.Errorf("fetch last documents: %w", err)
	}
	for i := range jobs {
		jobs[i].last = last
	}
	return nil
}

// finish builds some details, writes them, and only then says so.
func (r *Refresher) finish(ctx context.Context, claims []Claim, jobs []job) (int, error) {
	details, err := buildAll(jobs)
	if err != nil {
		return 0, err
	}
	defer details.free()
	if err := r.p.store.Put(ctx, details.blobs); err != nil {
		return 0, fmt.Errorf("write the detail of %s and others: %w", jobs[0].Key, err)
	}
	done := make([]Done, len(claims))
	for i := range claims {
		done[i] = Done{Claim: claims[i], Result: []byte(details.blobs[i].Key)}
	}
	first, err := r.queue.Finish(ctx, done)
	if err != nil {
		return 0, fmt.Errorf("finish task %s and others: %w", claims[0].ID, err)
	}
	return first, nil
}
