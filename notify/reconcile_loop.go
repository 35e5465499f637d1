package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Remote is where incidents are open. One goroutine calls it.
type Remote interface {
	// List returns everything that is open there under our tag and instance id. A list that may be
	// incomplete is an error.
	List(ctx context.Context) ([]Incident, error)

	// Read returns the open incident of an alias. If none is open it returns what is known of the
	// one that data (see [Belief]) was kept for, with Open false.
	Read(ctx context.Context, alias string, data []byte) (Incident, error)

	// Close closes an incident, with a note for people. One that is closed already is no error.
	Close(ctx context.Context, in Incident, note string) error
}

// A Desk is the engine's side. One goroutine calls it.
type Desk interface {
	// Beliefs returns what is held of every alias under the remote's instance id, at whatever remote,
	// and whether every source was read and is fresh.
	Beliefs(ctx context.Context) (believed []Belief, fresh bool, err error)

	// Apply takes note of steps that are the engine's: StepReopen (plan an Add with the reason as a
	// note), StepRemind (plan an Update with the reason [StillFiring]), StepAcknowledge and
	// StepClosedByHand (keep and show). It returns after they were committed.
	Apply(ctx context.Context, steps []Step) error
}

// ReconcilerOptions configures a Reconciler. The zero value works.
type ReconcilerOptions struct {
	Policy Policy

	// Name is the remote's word in metrics and logs. Defaults to remote.
	Name string

	// Timeout bounds one reconciliation. Defaults to 2 min.
	Timeout time.Duration

	// Logger defaults to discarding.
	Logger *slog.Logger

	// Registerer collects the metrics. Nil registers none.
	Registerer prometheus.Registerer
}

// A Reconciler makes a level-triggered remote agree with the engine, again and again. There is one
// for each account at the remote, whatever the number of receivers that use it.
type Reconciler struct {
	remote  Remote
	desk    Desk
	policy  Policy
	opts    ReconcilerOptions
	log     *slog.Logger
	metrics *reconcileMetrics
	wake    chan struct{}

	// Only Run uses these.
	latest   []Incident // the last list that was at least one interval after the one before
	latestAt time.Time
	before   []Incident // the last one that is at least one interval old
	beforeAt time.Time
	read     map[string]Incident // closed ones, by alias

	mu       sync.Mutex // guards what follows
	hints    map[string]bool
	approved bool
	status   ReconcileStatus
}

// A ReconcileStatus is what pages show of a reconciler.
type ReconcileStatus struct {
	At      time.Time // of the last one that was complete
	Err     error     // of the last one; nil: it was complete
	Drift   int       // differences that were found
	Guarded string    // why nothing is closed, or empty
	Steps   []Step    // what was decided, sorted by alias
}

// maxHints bounds what others can make the reconciler remember. Beyond it the next list finds out.
const maxHints = 1000

// NewReconciler returns a Reconciler. It starts nothing.
func NewReconciler(remote Remote, desk Desk, opts ReconcilerOptions) (*Reconciler, error) {
	if err := opts.Policy.validate(); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	if opts.Timeout < 0 {
		return nil, errors.New("timeout must not be negative")
	}
	if opts.Timeout == 0 {
		opts.Timeout = 2 * time.Minute
	}
	if opts.Name == "" {
		opts.Name = "remote"
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Reconciler{
		remote: remote,
		desk:   desk,
		policy: opts.Policy.withDefaults(),
		opts:   opts,
		log:    opts.Logger.With("remote", opts.Name),
		wake:   make(chan struct{}, 1),
		read:   map[string]Incident{},
		hints:  map[string]bool{},
	}
	var err error
	if r.metrics, err = newReconcileMetrics(opts); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return r, nil
}

// Hint says that something happened to an alias, as a webhook does: it is read at once. The hint
// itself is not believed. It does not block.
func (r *Reconciler) Hint(alias string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.hints) < maxHints {
		r.hints[alias] = true
	}
	r.ring()
}

// Name returns the remote's word.
func (r *Reconciler) Name() string { return r.opts.Name }

// Approve lets the next complete reconciliation close whatever it finds, past the guard, and asks
// for it at once.
func (r *Reconciler) Approve() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.approved = true
	r.ring()
}

func (r *Reconciler) ring() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Status returns what the last reconciliation found.
func (r *Reconciler) Status() ReconcileStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Run reconciles at once and then at each interval, until ctx ends. It returns nil then.
func (r *Reconciler) Run(ctx context.Context) error {
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		hints, approved := r.take()
		if now := time.Now(); approved || !now.Before(next) {
			next = now.Add(r.policy.Interval)
			if err := r.bounded(ctx, func(ctx context.Context) error { return r.all(ctx, now, approved) }); err != nil {
				var slow *ThrottledError
				if errors.As(err, &slow) {
					next = now.Add(max(r.policy.Interval, slow.After))
				}
				r.failed(ctx, err)
			}
		} else if len(hints) > 0 {
			if err := r.bounded(ctx, func(ctx context.Context) error { return r.some(ctx, now, hints) }); err != nil {
				r.failed(ctx, err)
			}
		}
		timer.Reset(time.Until(next))
	}
}

func (r *Reconciler) bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	return do(ctx)
}

func (r *Reconciler) take() (hints []string, approved bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	hints = slices.Sorted(maps.Keys(r.hints))
	clear(r.hints)
	approved, r.approved = r.approved, false
	return hints, approved
}

func (r *Reconciler) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	r.metrics.failed()
	r.log.Warn("reconciliation failed, nothing is assumed from it", "err", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Err = err
}

// all is one complete reconciliation. The beliefs are older than the list, so what changes between
// them is either busy, or settles before it counts.
func (r *Reconciler) all(ctx context.Context, now time.Time, approved bool) error {
	believed, fresh, err := r.desk.Beliefs(ctx)
	if err != nil {
		return fmt.Errorf("ask what is believed open: %w", err)
	}
	listed, err := r.remote.List(ctx)
	if err != nil {
		return fmt.Errorf("list what is open: %w", err)
	}
	due := now.Sub(r.latestAt) >= r.policy.Interval
	if due {
		r.before, r.beforeAt = r.latest, r.latestAt
	}
	s := Situation{
		Now: now, Fresh: fresh, Believed: believed, Approved: approved,
		Listed: listed, Before: r.before, BeforeAt: r.beforeAt, Read: r.known(believed, listed),
	}
	plan, err := r.decide(ctx, s, r.policy)
	if err != nil {
		return err
	}
	if err := r.act(ctx, plan.Steps); err != nil {
		return err
	}
	if due {
		r.latest, r.latestAt = listed, now
	}
	r.record(now, plan)
	return nil
}

// some looks at a few aliases only. It closes nothing: that needs lists. It asks for single incidents, which
// do not lag behind as lists do, so that what was told a moment ago is looked at as well.
func (r *Reconciler) some(ctx context.Context, now time.Time, aliases []string) error {
	believed, fresh, err := r.desk.Beliefs(ctx)
	if err != nil {
		return fmt.Errorf("ask what is believed open: %w", err)
	}
	believed = slices.DeleteFunc(believed, func(b Belief) bool { return !slices.Contains(aliases, b.Alias) })
	s := Situation{Now: now, Fresh: fresh, Believed: believed, Read: map[string]Incident{}}
	p := r.policy
	p.Settle = time.Nanosecond
	plan, err := r.decide(ctx, s, p)
	if err != nil {
		return err
	}
	return r.act(ctx, plan.Steps)
}

// known returns what was read before and still counts: a closed incident never opens again, and one
// that takes its place is listed.
func (r *Reconciler) known(believed []Belief, listed []Incident) map[string]Incident {
	kept := map[string]Incident{}
	for i := range believed {
		b := &believed[i]
		if in, ok := r.read[b.Alias]; ok && b.Open && !b.ToldAt.After(in.ClosedAt) {
			kept[b.Alias] = in
		}
	}
	for i := range listed {
		delete(kept, listed[i].Alias)
	}
	r.read = maps.Clone(kept)
	return kept
}

// decide reads what must be read, until the decision needs nothing more.
func (r *Reconciler) decide(ctx context.Context, s Situation, p Policy) (Reconciliation, error) {
	for {
		plan := Reconcile(s, p)
		asked := 0
		for _, step := range plan.Steps {
			if step.Action != StepRead {
				continue
			}
			asked++
			in, err := r.remote.Read(ctx, step.Alias, step.Belief.Data)
			if err != nil {
				return plan, fmt.Errorf("read incident %s: %w", step.Alias, err)
			}
			if !in.Open && in.ClosedAt.IsZero() {
				in.ClosedAt = s.Now
				if known, again := r.read[step.Alias]; again {
					in.ClosedAt = known.ClosedAt
				}
			}
			s.Read[step.Alias] = in
			if !in.Open {
				r.read[step.Alias] = in
			}
		}
		if asked == 0 {
			return plan, nil
		}
	}
}

// act closes what is to be closed, and hands the rest to the engine. What fails is found again.
func (r *Reconciler) act(ctx context.Context, steps []Step) error {
	var all []error
	var engines []Step
	for _, step := range steps {
		switch step.Action {
		case StepWait, StepRead:
			continue
		case StepClose:
			if err := r.remote.Close(ctx, step.Incident, "Closed by tocsin: "+step.Reason+"."); err != nil {
				all = append(all, fmt.Errorf("close incident %s: %w", step.Alias, err))
				continue
			}
		default:
			engines = append(engines, step)
		}
		r.metrics.stepped(step.Action)
		r.log.Info("reconciled", "action", step.Action.String(), "alias", step.Alias, "reason", step.Reason)
	}
	if len(engines) > 0 {
		if err := r.desk.Apply(ctx, engines); err != nil {
			return errors.Join(append(all, fmt.Errorf("apply: %w", err))...)
		}
		for _, step := range engines {
			if step.Action == StepReopen || step.Action == StepClosedByHand {
				delete(r.read, step.Alias)
			}
		}
	}
	return errors.Join(all...)
}

func (r *Reconciler) record(now time.Time, plan Reconciliation) {
	drift := 0
	for i := range plan.Steps {
		if plan.Steps[i].drift() {
			drift++
		}
	}
	r.metrics.completed(now, drift, plan.Guarded != "")
	r.mu.Lock()
	defer r.mu.Unlock()
	if plan.Guarded != "" && plan.Guarded != r.status.Guarded {
		r.log.Error("reconciliation stopped by its guard", "reason", plan.Guarded)
	}
	r.status = ReconcileStatus{At: now, Drift: drift, Guarded: plan.Guarded, Steps: plan.Steps}
}
