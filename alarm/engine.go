package alarm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
)

// EngineOptions configures an Engine. Store and Build are required.
type EngineOptions struct {
	// Store keeps the state; Generation is that of the lease that this engine runs under.
	Store      Store
	Generation int64

	// Build makes the engine's parts, until a Reload brings another.
	Build Build

	// Offer is called with intentions to deliver: after each commit that made some, and at the
	// start with those that were open. It is called by the engine's goroutine and must not block.
	// Nil delivers nothing.
	Offer func([]Intention)

	// History answers Explain. Nil leaves the history out.
	History Historian

	// StartDelay is how long after the start no group is flushed (--dispatch.start-delay).
	StartDelay time.Duration

	// Retention is how long an expired silence, and what was told of a group that is gone, are
	// remembered (--data.retention). Defaults to 120 h.
	Retention time.Duration

	// Keep is how long a resolved alert is remembered at least, so that its sender's repeats are
	// known for what they are. Defaults to 15 min.
	Keep time.Duration

	// Logger defaults to discarding.
	Logger *slog.Logger

	// Observer counts what the engine does; package alarm/metrics has one for Prometheus. Defaults to
	// nobody.
	Observer Observer
}

// An Engine is the one writer. It takes everything that was submitted, decides, commits the plan in
// one transaction and only then answers. It waits for no source and sends nothing: collecting and
// delivering are the business of others.
type Engine struct {
	opts EngineOptions
	log  *slog.Logger

	queue    chan *request
	outcomes chan *request // of deliveries, which nobody but the Deliverer waits for
	ready    chan struct{} // closed when the state was loaded
	stopped  chan struct{} // closed when Run has returned

	// due is the earliest deadline of any part, in Unix nanoseconds, so that readers can tell
	// whether what they would read is still true. Zero: there is none.
	due atomic.Int64

	// trouble is why the last commit failed, or nil.
	trouble atomic.Pointer[error]

	// outage is when the store could last not be written, or nil.
	outage atomic.Pointer[outage]

	// mu guards the fields below. Run's goroutine alone writes them.
	mu       sync.RWMutex
	under    *commitment // that everything else here depends on, or nil
	build    Build
	parts    Parts
	alerts   map[model.Fingerprint]*entry
	byHash   map[uint64]*entry // the same, as notification logs name them
	labels   labelIndex        // the same, as those who read ask for them
	order    kept[*entry]      // the same, by fingerprint
	silences map[string]*Silence
	told     map[IntentionKey]*Told
	rows     map[rowKey][]byte
	groups   map[string]*group // by Group.ID
	channels map[IntentionKey][]*channel
	open     map[IntentionKey]*Intention
	retired  map[IntentionKey]*Group // what groups of orphaned keys looked like

	groupOrder kept[*group] // those of groups that readers are shown, in Alertmanager's order

	// The fields below belong to Run's goroutine.
	flushes      flushQueue
	resolved     []*entry // that nobody waits for, in the order in which they ended
	presenceNext time.Time
	judgeNext    []time.Time
	unjudged     bool // the suppressors are new: everything is to be judged
	sweepNext    time.Time
	explained    explained
	shadowed     map[model.Fingerprint]Change // raised alerts whose labels a source reports
	dead         map[IntentionKey]*DeadLetter
	started      time.Time
	cycles       int64
	lastID       int64
	offered      map[int64]bool // open intentions that the Deliverer knows
	broken       error          // why the state in memory is not what is stored
	brokenUntil  time.Time      // when the store is tried again
	brokenTimes  int            // how often it failed one after another
	turned       time.Time      // the last turn
	leap         time.Duration  // by how much the clock was set since the state was loaded
	plan         *Plan          // of the cycle under way, or begun by load
}

type rowKey struct{ part, key string }

// request is an Input on its way, and where its sender waits.
type request struct {
	in   Input
	err  error
	done chan error
}

// NewEngine validates the options and returns an engine that does nothing until Run.
func NewEngine(opts EngineOptions) (*Engine, error) {
	if opts.Store == nil {
		return nil, fmt.Errorf("engine: no store")
	}
	if opts.Build == nil {
		return nil, fmt.Errorf("engine: no build function")
	}
	if opts.Retention <= 0 {
		opts.Retention = 120 * time.Hour
	}
	if opts.Keep <= 0 {
		opts.Keep = 15 * time.Minute
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Offer == nil {
		opts.Offer = func([]Intention) {}
	}
	if opts.Observer == nil {
		opts.Observer = nobody{}
	}
	e := &Engine{
		opts:     opts,
		log:      opts.Logger,
		build:    opts.Build,
		queue:    make(chan *request, 1024),
		outcomes: make(chan *request, 1024),
		ready:    make(chan struct{}),
		stopped:  make(chan struct{}),
		offered:  map[int64]bool{},
	}
	return e, nil
}

// Ready is closed when the state was loaded and the engine takes input.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Submit hands in an input and returns after it was committed. The input must not be modified
// afterwards. If ctx ends first, the input may be committed all the same.
func (e *Engine) Submit(ctx context.Context, in Input) error { return e.submit(ctx, e.queue, in) }

func (e *Engine) submit(ctx context.Context, queue chan<- *request, in Input) error {
	r := &request{in: in, done: make(chan error, 1)}
	select {
	case queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.stopped:
		return ErrStopped
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-e.stopped:
		select {
		case err := <-r.done: // answered just before the end
			return err
		default:
			return ErrStopped
		}
	}
}

// Done reports what became of an intention, and returns after that was committed.
func (e *Engine) Done(ctx context.Context, o Outcome) error {
	return e.submit(ctx, e.outcomes, Input{Outcomes: []Outcome{o}})
}

// Reload replaces the configuration: all parts are built anew and all groups start over. An error
// of build leaves everything as it was.
func (e *Engine) Reload(ctx context.Context, build Build, note string) error {
	return e.Submit(ctx, Input{Reload: &Reload{Build: build, Note: note}})
}

// settle runs a cycle if anything fell due, so that a reading is true at the moment of reading. A
// store that cannot be written does not keep anybody from reading.
func (e *Engine) settle(ctx context.Context) error {
	select {
	case <-e.ready:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.stopped:
		return nil
	}
	due := e.due.Load()
	if due == 0 || time.Now().UnixNano() < due || e.trouble.Load() != nil {
		return nil
	}
	_ = e.Submit(ctx, Input{})
	return ctx.Err()
}

// maxBatch bounds how many requests one cycle takes, so that the first of them does not wait for
// ever.
const maxBatch = 256

// maxTold bounds of how many alerts the outcomes of one cycle tell, more or less: each is written into the
// history, and whoever submits something waits for that.
const maxTold = 2000

// Run loads the state and works until ctx ends or the lease is lost. It returns nil when ctx ended,
// and an error that wraps ErrLeaseLost in the other case. Run may be called once.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.stopped)
	e.started = time.Now()
	e.turned = e.started
	e.lastID = e.started.UnixMicro()
	if err := e.load(ctx, e.started); err != nil {
		return err
	}
	close(e.ready)

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var batch []*request
		select {
		case <-ctx.Done():
			return nil
		case r := <-e.queue:
			batch = e.drain(r)
		case r := <-e.outcomes:
			batch = e.drain(r)
		case <-timer.C:
		}
		if err := e.turn(ctx, time.Now(), batch); err != nil {
			return err
		}
		if due := e.due.Load(); due != 0 {
			timer.Reset(time.Until(time.Unix(0, due)))
		} else {
			timer.Stop()
		}
	}
}

// drain takes what else is queued: that is the group commit. Outcomes take half of it at most, so that nobody
// waits for the crowd of the others.
func (e *Engine) drain(first *request) []*request {
	batch, told := []*request{first}, first.told()
	for told < maxTold && len(batch) < maxBatch/2 {
		r := next(e.outcomes)
		if r == nil {
			break
		}
		batch, told = append(batch, r), told+r.told()
	}
	for len(batch) < maxBatch {
		r := next(e.queue)
		if r == nil {
			break
		}
		batch = append(batch, r)
	}
	return batch
}

// next takes what waits in a queue, or returns nil.
func next(queue <-chan *request) *request {
	select {
	case r := <-queue:
		return r
	default:
		return nil
	}
}

// told is of how many alerts the outcomes of a request tell.
func (r *request) told() (n int) {
	for i := range r.in.Outcomes {
		n += len(r.in.Outcomes[i].Told.Firing) + len(r.in.Outcomes[i].Told.Resolved)
	}
	return n
}

// Trouble says why the engine refuses what is submitted, or returns nil if it takes it.
func (e *Engine) Trouble() error {
	select {
	case <-e.stopped:
		return ErrStopped
	case <-e.ready:
	default:
		return errNotLoaded
	}
	if p := e.trouble.Load(); p != nil {
		return *p
	}
	return nil
}

var errNotLoaded = errors.New("the state is still being loaded")
