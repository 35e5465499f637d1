package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

// A member is one process among those that share a database, for as long as it lives. It serves one term
// after another: it follows while another leads, and leads once it has the lease. All that runs in a term
// is made for it, its metrics too, and ends with it. With SQLite there is one term, and it leads.
type member struct {
	flags     *serveFlags
	log       *slog.Logger
	sources   []namedSource // of those who embed the server
	listeners []net.Listener
	external  string
	instance  string
	shared    bool // the database is one that others may lead
	db        *sqlstore.DB
	front     *front
	life      context.Context //nolint:containedctx // of the process, which requests outlive no term of
	fail      context.CancelCauseFunc
	http      sync.Once
	drained   chan struct{} // closed when no request will come any more

	// What a term hands on to the next one.
	config  *config.Config
	content string // of the files that config was read from
	problem *string
}

// newTerm returns a server that has nothing yet but its metrics.
func (m *member) newTerm() *server {
	s := &server{
		flags: m.flags, log: m.log, member: m, sources: m.sources, registry: prometheus.NewRegistry(),
		db: m.db, external: m.external, instance: m.instance, content: m.content,
	}
	s.problem.Store(m.problem)
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tocsin_leader", Help: "1 if this server leads: it alone asks sources, decides and delivers.",
		}, func() float64 {
			if s.leads() {
				return 1
			}
			return 0
		}))
	s.metrics = newConfigMetrics(s.registry)
	return s
}

// handOn keeps what the next term begins with.
func (m *member) handOn(s *server, w *watcher) {
	if a := s.current.Load(); a != nil {
		m.config = a.config
	}
	m.problem = s.problem.Load()
	m.content = w.tried()
}

// run serves one term after another until ctx ends, or something does that has no next one.
func (m *member) run(ctx context.Context) error {
	generation, err := m.acquire(ctx)
	if err != nil {
		return err
	}
	ctx, m.fail = context.WithCancelCause(ctx)
	m.life = ctx
	defer m.fail(nil)
	defer m.awaitHTTP()
	for ctx.Err() == nil {
		if generation == 0 {
			if generation, err = m.follow(ctx); err != nil || generation == 0 {
				return errors.Join(err, failure(ctx))
			}
		}
		err = m.lead(ctx, generation)
		if !m.shared || !errors.Is(err, alarm.ErrLeaseLost) || ctx.Err() != nil {
			return err
		}
		m.log.Warn("another server leads: following it from now on", "err", err)
		generation = 0
	}
	return failure(ctx)
}

// failure is why ctx ended, unless it was told to.
func failure(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// acquire takes the lease. It returns 0 if another server has it, and may.
func (m *member) acquire(ctx context.Context) (generation int64, err error) {
	generation, err = m.db.Acquire(ctx)
	var held *sqlstore.HeldError
	if m.shared && errors.As(err, &held) {
		return 0, nil
	}
	return generation, err
}

// lead runs a term that leads until ctx ends or the lease is lost.
func (m *member) lead(ctx context.Context, generation int64) error {
	s := m.newTerm()
	ctx, lease := keepLease(ctx, m.db, generation, m.log)
	defer lease.stop()
	s.lease = lease
	failpoint.Here("term-won")
	if err := importAlertmanager(ctx, m.db, generation, m.flags, m.log); err != nil {
		return err
	}
	failpoint.Here("term-imported")
	if err := s.assembleParts(m.config, generation); err != nil {
		return err
	}
	failpoint.Here("term-assembled")
	if m.shared {
		m.log.Info("leading", "generation", generation, "address", ownName(m.flags, m.listeners))
	}
	return s.run(ctx)
}

// run starts everything and stops it in the right order: first those who bring work, then the
// deliverer, which still records what became of its attempts, and the engine last.
func (s *server) run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	watch := newWatcher(s.reload, s.files, s.content, s.log)
	handler, err := s.handler(s.member.listeners, watch)
	if err != nil {
		return err
	}
	stopEngine := background(fail, s.engine.Run)
	stopDeliverer := background(fail, s.deliverer.Run)
	if err := s.configureWindows(ctx); err != nil {
		return errors.Join(err, stopDeliverer(), stopEngine())
	}
	failpoint.Here("term-windows")
	s.member.front.show(&term{handler: handler, leads: true, prefix: s.prefix(), barred: s.barred, certain: s.certain})
	s.member.serve()

	var work errgroup.Group
	work.Go(func() error { return watch.Run(ctx) })
	work.Go(func() error { return s.reloadOnHangup(ctx, watch) })
	work.Go(func() error {
		return prune(ctx, s.db, func() time.Duration { return s.current.Load().config.Tocsin.Retention }, s.log)
	})
	s.pullers.want(s.current.Load().sources)
	work.Go(func() error { return s.pullers.Run(ctx) })
	s.keepers.want(s.current.Load())
	work.Go(func() error { return s.keepers.Run(ctx) })
	s.health.configure(s.current.Load().config)
	work.Go(func() error { return s.health.Run(ctx) })
	work.Go(func() error { return s.pulse.Run(ctx, s.engine.Pulse) })

	<-ctx.Done()
	s.stopping.Store(true)
	if errors.Is(context.Cause(ctx), alarm.ErrLeaseLost) {
		s.member.front.show(nil) // what is here is not the truth any more
	} else {
		s.log.Info("stopping", "cause", context.Cause(ctx))
		s.member.fail(nil)
		s.member.awaitHTTP()
	}
	err = work.Wait()
	s.member.handOn(s, watch)
	err = errors.Join(err, stopDeliverer(), stopEngine())
	if errors.Is(context.Cause(ctx), alarm.ErrLeaseLost) {
		return context.Cause(ctx)
	}
	if err == nil {
		err = failure(ctx)
	}
	return err
}

// A lease is the right to lead, as far as this process knows.
type lease struct {
	until atomic.Pointer[time.Time] // by the monotonic clock; zero: as long as this process lives
	since atomic.Pointer[time.Time] // nil: not known yet
	stop  func()                    // ends the renewing, and waits for that
}

// Until returns when the lease ends unless it is renewed.
func (l *lease) Until() time.Time { return *l.until.Load() }

// holds says whether the lease surely holds now.
func (l *lease) holds() bool {
	until := l.Until()
	return until.IsZero() || time.Now().Before(until)
}

// errBarred is why a server that led does nothing that others can see.
var errBarred = errors.New("the lease was not renewed in time: another server may lead")

// barred says that nothing may be done that only the leader does: the lease has ended, and another server
// may lead. That is so, too, in the first moments after a pause that nobody could announce.
func (s *server) barred() error {
	if s.leads() {
		return nil
	}
	return errBarred
}

// certain says why an answer may not be true. A no follows from what is in memory, where a change shows before
// it is stored: whoever waits for the next cycle knows that it is.
func (s *server) certain(ctx context.Context, no bool) error {
	if no {
		if err := s.engine.Submit(ctx, alarm.Input{}); err != nil {
			return err
		}
	}
	return s.trouble()
}

// renewEvery is how often the lease of a server database is renewed: a quarter of its time.
const renewEvery = sqlstore.DefaultTTL / 4

// keepLease renews the lease until stop is called, and ends the returned context if another server has
// taken over. A database that cannot be reached ends nothing: while it is away nobody can take over, and
// every commit says whether we still lead.
func keepLease(ctx context.Context, db *sqlstore.DB, generation int64, log *slog.Logger) (leading context.Context, l *lease) {
	leading, lose := context.WithCancelCause(ctx)
	done, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it is kept while the server drains
	l = &lease{}
	now := time.Now() // it was acquired, but who knows how long ago
	l.until.Store(&now)
	asked := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.renew(done, db, generation, sync.OnceFunc(func() { close(asked) }), log); err != nil {
			lose(err)
		}
	})
	<-asked
	l.stop = func() {
		cancel()
		wg.Wait()
		lose(nil)
	}
	return leading, l
}

// renew returns nil when there is nothing left to renew, and an error if the lease is lost. It calls asked
// when it knows what the database says the first time.
func (l *lease) renew(ctx context.Context, db *sqlstore.DB, generation int64, asked func(), log *slog.Logger) error {
	defer asked()
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	failing := false
	for {
		until, err := db.Renew(ctx, generation)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, alarm.ErrLeaseLost):
			return fmt.Errorf("renew: %w", err)
		case err != nil && !failing:
			log.Error("renew the lease", "err", err)
		case err == nil && failing:
			log.Info("the lease is renewed again")
		}
		if failing = err != nil; !failing {
			l.until.Store(&until)
			if until.IsZero() {
				return nil // for as long as this process lives
			}
		}
		asked()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
