package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
)

// An Outbox is where intentions come from and outcomes go. *alarm.Engine is one. Its methods are
// called concurrently.
type Outbox interface {
	// Render says what an intention is to tell now. No Delivery and no error means that nothing is left
	// to say, an error that what is to be said cannot be known now: Render is called again a second
	// later, unless the error wraps alarm.ErrStopped. The Delivery belongs to the caller.
	Render(now time.Time, in alarm.Intention) (*alarm.Delivery, error)

	// Done returns after the outcome was committed. An error means that it may not have been: Done
	// is called again with the same outcome, unless the error wraps alarm.ErrStopped.
	Done(ctx context.Context, o alarm.Outcome) error
}

var _ Outbox = (*alarm.Engine)(nil)

// Options configures a Deliverer. The zero value works.
type Options struct {
	// Workers is how many deliveries of one integration of one receiver are under way at once.
	// Defaults to 16.
	Workers int

	// Timeout bounds one attempt of an integration that names no timeout of its own. Defaults to
	// 30 s.
	Timeout time.Duration

	// MinTimeout is what the last attempt has at least, however near the intention's deadline is.
	// Defaults to 10 s, Alertmanager's.
	MinTimeout time.Duration

	// Grace is how long attempts that are under way when Run's context ends may take to finish and
	// record their outcome. Defaults to 5 s; negative means none.
	Grace time.Duration

	// Until says when the right to deliver ends unless it is renewed, by the monotonic clock: no attempt
	// begins after that. The zero time is no end. It is asked before each attempt, by any goroutine.
	// Nil: there is no end.
	Until func() time.Time

	// Logger defaults to discarding.
	Logger *slog.Logger

	// Registerer collects the package's metrics. Nil registers none.
	Registerer prometheus.Registerer

	// Kinds are the kinds of integration, such as webhook, whose metrics are there from the start,
	// at 0. Those of the receivers always are. Defaults to none.
	Kinds []string

	// ReceiverNames adds the label receiver_name to the metrics that are named as Alertmanager's,
	// as its feature flag receiver-name-in-metrics does. Kinds has no effect then.
	ReceiverNames bool
}

func (o Options) withDefaults() (Options, error) {
	if o.Workers < 0 || o.Timeout < 0 || o.MinTimeout < 0 {
		return o, errors.New("workers and timeouts must not be negative")
	}
	if o.Workers == 0 {
		o.Workers = 16
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MinTimeout == 0 {
		o.MinTimeout = 10 * time.Second
	}
	if o.Grace == 0 {
		o.Grace = 5 * time.Second
	}
	if o.Until == nil {
		o.Until = func() time.Time { return time.Time{} }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// A Deliverer delivers what it is offered. See the package documentation for what it promises.
type Deliverer struct {
	out     Outbox
	opts    Options
	log     *slog.Logger
	metrics *metrics
	wake    chan struct{} // holds a value when inbox may hold something
	began   time.Time

	mu        sync.Mutex // guards what follows
	receivers Receivers
	limits    map[endpoint]*limit
	last      map[endpoint]LastAttempts
	open      map[int64]alarm.Intention // offered, outcome not stored
	inbox     []alarm.Intention         // offered, not yet seen by Run
	progress  time.Time                 // when an attempt last ended
	ended     bool
}

// New returns a Deliverer for these receivers. It starts nothing. The receivers must not be modified
// afterwards.
func New(out Outbox, receivers Receivers, opts Options) (*Deliverer, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	d := &Deliverer{
		out:    out,
		opts:   opts,
		log:    opts.Logger,
		wake:   make(chan struct{}, 1),
		began:  time.Now(),
		limits: map[endpoint]*limit{},
		last:   map[endpoint]LastAttempts{},
		open:   map[int64]alarm.Intention{},
	}
	if d.metrics, err = newMetrics(opts, d.Depths); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return d, d.Replace(receivers)
}

// Offer hands over intentions to deliver. It does not block. What is offered again before its outcome
// was stored is ignored; afterwards it must not be offered again.
func (d *Deliverer) Offer(intentions []alarm.Intention) {
	failpoint.Here("deliverer-offered")
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	for _, in := range intentions {
		if _, known := d.open[in.ID]; !known {
			d.open[in.ID] = in
			d.inbox = append(d.inbox, in)
		}
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Replace takes other receivers, as after a reload. Attempts under way finish with the old ones; all
// later attempts use the new ones. If these are not valid it changes nothing and returns why.
func (d *Deliverer) Replace(receivers Receivers) error {
	if err := receivers.validate(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.metrics.replace(d.receivers, receivers)
	d.receivers = receivers
	for e := range d.limits {
		if _, err := receivers.find(e); err != nil {
			delete(d.limits, e)
		}
	}
	for e := range d.last {
		if _, err := receivers.find(e); err != nil {
			delete(d.last, e)
		}
	}
	return nil
}

// Run delivers until ctx ends. Attempts under way then get a grace period to finish and to be
// recorded, and are cancelled after it; what was not recorded stays in the outbox. Run returns nil
// then, and an error that wraps alarm.ErrStopped if the outbox ended first. It may be called once.
func (d *Deliverer) Run(ctx context.Context) error {
	defer d.end()
	run, stop := context.WithCancel(ctx)
	defer stop()
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)

	agenda := newAgenda(d.opts.Workers)
	results := make(chan result)
	timer := time.NewTimer(0)
	defer timer.Stop()
	running := 0
	var fatal error
	for ctx.Err() == nil && fatal == nil {
		for _, in := range d.take() {
			agenda.add(in)
		}
		timer.Stop()
		if d.opts.barred(time.Now()) {
			timer.Reset(barredFor)
		} else {
			for _, j := range agenda.start(time.Now()) {
				running++
				go func() { results <- d.work(run, work, j) }()
			}
			if at, ok := agenda.next(); ok {
				timer.Reset(time.Until(at))
			}
		}
		select {
		case <-ctx.Done():
		case <-d.wake:
		case <-timer.C:
		case r := <-results:
			running--
			fatal = r.fatal
			now := time.Now()
			d.progressed(now)
			agenda.settle(now, r)
		}
	}

	failpoint.Here("deliverer-stopping")
	stop()
	grace := time.NewTimer(max(d.opts.Grace, 0))
	defer grace.Stop()
	for running > 0 {
		select {
		case <-results:
			running--
		case <-grace.C:
			cancel(errShutdown)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return fatal
}

// settle takes note of what came of a job.
func (a *agenda) settle(now time.Time, r result) {
	if !r.pause.IsZero() {
		a.pause(endpointOf(r.job.Key), r.pause)
	}
	if r.tried {
		a.fared(now, endpointOf(r.job.Key), r.err)
	}
	if r.again.IsZero() {
		a.finish(r.job)
	} else {
		a.retry(r.job, r.again)
	}
}

func (d *Deliverer) progressed(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress = now
}

// take empties the inbox.
func (d *Deliverer) take() []alarm.Intention {
	d.mu.Lock()
	defer d.mu.Unlock()
	in := d.inbox
	d.inbox = nil
	return in
}

// end forgets everything: the outbox still has it.
func (d *Deliverer) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended, d.inbox = true, nil
	clear(d.open)
}

// closed takes note that an outcome was stored.
func (d *Deliverer) closed(id int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, id)
}

// lookup returns the integration that is to deliver j, and what bounds its rate, if anything does.
func (d *Deliverer) lookup(j *job) (Integration, *limit, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := endpointOf(j.Key)
	in, err := d.receivers.find(e)
	if err != nil || in.Limit == 0 {
		return in, nil, err
	}
	l := d.limits[e]
	if l == nil || !l.fits(in) {
		l = newLimit(in)
		d.limits[e] = l
	}
	return in, l, nil
}
