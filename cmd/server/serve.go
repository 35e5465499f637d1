package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/metrics"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/amreceiver"
)

// addServe adds serve, which is what runs without a subcommand.
func addServe(app *kingpin.Application, commands map[string]func(context.Context) error, stderr io.Writer, o *options) {
	cmd := app.Command("serve", "Runs the server. It takes Alertmanager's command line.").Default()
	f := addServeFlags(app, cmd)
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		if err := f.check(); err != nil {
			return err
		}
		f.log.Writer = stderr
		log := newLogger(&f.log)
		matcher.Use(log, matcher.Mode{Classic: f.enabled(featureClassic), UTF8Strict: f.enabled(featureUTF8Strict)})
		return serve(ctx, f, o, log)
	}
}

// A server is everything that runs.
type server struct {
	flags    *serveFlags
	log      *slog.Logger
	registry *prometheus.Registry
	metrics  *configMetrics
	sources  []namedSource // of those who embed the server
	pullers  *pullers
	keepers  *keepers
	health   *healthKeeper
	pulse    pulse
	accounts accounts

	member    *member
	lease     *lease     // if this term leads
	follower  *follower  // if it follows
	mirroring sync.Mutex // held by whoever changes what a follower shows

	db         *sqlstore.DB
	engine     *alarm.Engine
	deliverer  *notify.Deliverer
	external   string
	instance   string // who we are, for as long as the database lives
	generation int64  // of the lease
	current    atomic.Pointer[assembly]
	problem    atomic.Pointer[string] // of the configuration on disk, if it is not the one in force
	stopping   atomic.Bool
	content    string // of the files that the configuration was read from at the start
}

// files are those that the configuration in force is made of.
func (s *server) files() []string { return s.current.Load().config.Files() }

// serve runs the server until ctx ends. It returns nil when it was told to end and did.
func serve(ctx context.Context, f *serveFlags, o *options, log *slog.Logger) error {
	log.Info("starting tocsin", "version", version.Info(), "build_context", version.BuildContext())
	limitGarbage()
	if f.enabled(featureMemlimit) {
		if _, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(f.memlimit),
			memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem))); err != nil {
			log.Warn("set GOMEMLIMIT", "err", err)
		}
	}
	if f.enabled(featureEvents) {
		log.Warn("the feature event-recorder is accepted and has no effect: history is recorded in the database")
	}
	before := contentOf([]string{f.configFile, f.tocsinFile})
	c, err := config.Load(f.configFile, f.tocsinFile)
	if err != nil {
		return err
	}
	listeners, err := listen(f)
	if err != nil {
		return err
	}
	external, err := externalURL(f.externalURL, listeners[0].Addr().String())
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	db, err := openDatabase(ctx, f.storagePath, ownName(f, listeners), c.Tocsin.Storage)
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	defer func() {
		if err := db.Close(); err != nil {
			log.Error("close database", "err", err)
		}
	}()
	m := &member{
		flags: f, log: log, sources: o.sources, listeners: listeners, external: external.String(),
		shared: c.Tocsin.Storage.Server() != "", db: db, front: newFront(log), drained: make(chan struct{}), config: c,
	}
	defer m.front.forward.CloseIdleConnections()
	if m.instance, err = db.InstanceID(ctx); err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	if before == contentOf([]string{f.configFile, f.tocsinFile}) { // else it changed meanwhile: the watcher notices
		m.content = contentOf(c.Files())
	}
	return m.run(ctx)
}

// assembleParts makes everything that needs the configuration, and starts nothing.
func (s *server) assembleParts(c *config.Config, generation int64) error {
	s.generation, s.accounts = generation, accounts{}
	s.health = newHealthKeeper(s.flags.storagePath, s.log.With("component", "health"))
	a, err := s.assemble(c)
	if err != nil {
		return err
	}
	s.current.Store(a)
	s.metrics.loaded(a, time.Now())
	offer, observer := &lateOffer{}, metrics.New(s.registry)
	s.engine, err = alarm.NewEngine(alarm.EngineOptions{
		Store: s.db, Generation: generation, Build: a.build, Offer: offer.offer, History: s.db,
		StartDelay: s.flags.startDelay, Retention: s.flags.retention,
		Logger: s.log.With("component", "engine"), Observer: observer,
	})
	if err != nil {
		return err
	}
	observer.Watch(s.engine)
	s.keepers, s.health.silences = newKeepers(s), s.engine
	s.pullers = newPullers(s.engine.Submit, s.log.With("component", "source"))
	s.deliverer, err = notify.New(s.engine, a.receivers, notify.Options{
		Logger: s.log.With("component", "notify"), Registerer: s.registry,
		Until: s.until, Workers: workers, Kinds: amreceiver.Kinds(), ReceiverNames: s.flags.enabled(featureReceiverNames),
	})
	if err != nil {
		return err
	}
	offer.to = s.deliverer.Offer
	return nil
}

// until is when the right to deliver ends unless it is renewed.
func (s *server) until() time.Time {
	if s.lease == nil {
		return time.Unix(0, 0) // who follows delivers nothing
	}
	return s.lease.Until()
}

// workers is how many notifications of one integration are under way at once. It bounds what is
// repeated after a kill -9, and is many, for a remote that does not answer holds one each.
const workers = 256

// lateOffer passes intentions on to a deliverer that is made after the engine that it needs.
type lateOffer struct{ to func([]alarm.Intention) }

func (l *lateOffer) offer(in []alarm.Intention) { l.to(in) }

func (s *server) assemble(c *config.Config) (*assembly, error) {
	external, err := externalURL(s.external, "")
	if err != nil {
		return nil, err
	}
	var previous []namedSource
	if a := s.current.Load(); a != nil {
		previous = a.sources
	}
	return assemble(c, external, buildOptions{
		previous: previous, accounts: s.accounts, instance: s.instance,
		sources: append(append(slices.Clone(s.sources), s.own()), s.health.source(c)...), alertLimit: s.flags.alertLimit,
		restore: s.health.restore, limited: s.metrics.limited, swallowed: s.metrics.swallowed, log: s.log, registry: s.registry,
	})
}

// own is tocsin's own alerts as a source.
func (s *server) own() namedSource {
	return namedSource{name: ownSource, collect: alarm.CollectOptions{Interval: 5 * time.Second}, source: own{
		enabled: func() bool { return s.current.Load().config.HasTocsin },
		watched: func() map[string]bool {
			watched := map[string]bool{}
			for _, src := range s.current.Load().config.Tocsin.Sources {
				watched[src.Name] = true
			}
			return watched
		},
		sources: func() []alarm.SourceStatus { return s.engine.Sources() },
		blind:   func() map[string]error { return blind(s.current.Load().sources) },
		letters: func(ctx context.Context) ([]alarm.DeadLetter, error) { return s.engine.DeadLetters(ctx) },
		depths:  func() []notify.Depth { return s.deliverer.Depths() },
		outage:  func() (from, to time.Time) { return s.engine.Outage() },
		problem: func() string {
			if text := s.problem.Load(); text != nil {
				return *text
			}
			return ""
		},
	}}
}

// background runs f in a goroutine of its own until the returned function is called, which waits
// for it. If f ends with an error by itself, that ends the server.
func background(fail context.CancelCauseFunc, f func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	var (
		wg  sync.WaitGroup
		err error
	)
	wg.Go(func() {
		if err = f(ctx); err != nil {
			fail(err)
		}
	})
	return func() error {
		cancel()
		wg.Wait()
		return err
	}
}

// reloadOnHangup reloads at each SIGHUP.
func (s *server) reloadOnHangup(ctx context.Context, w *watcher) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			_ = w.Reload(ctx) // it has said what is wrong
		}
	}
}

// reload reads the configuration and swaps it in whole. A bad one keeps the old one running and
// says so in log, metric and page.
func (s *server) reload(ctx context.Context) (err error) {
	defer func() {
		if errors.Is(err, errLater) {
			s.log.Warn("reload", "err", err)
		} else if err != nil {
			text := err.Error()
			s.problem.Store(&text)
			s.metrics.failed()
			s.log.Error("the configuration is bad: the old one stays in force", "err", err)
		}
	}()
	c, err := config.Load(s.flags.configFile, s.flags.tocsinFile)
	if err != nil {
		return err
	}
	a, err := s.assemble(c)
	if err != nil {
		return err
	}
	failpoint.Here("reload-read")
	if s.follower != nil {
		err = s.reloadMirror(a)
	} else {
		err = s.reloadEngine(ctx, a)
	}
	if err != nil {
		return err
	}
	s.current.Store(a)
	s.problem.Store(nil)
	if s.follower == nil {
		s.pullers.want(a.sources)
		s.keepers.want(a)
		s.health.configure(c)
		if err := s.configureWindows(ctx); err != nil {
			return fmt.Errorf("%w: %w", errLater, err)
		}
	}
	s.metrics.loaded(a, time.Now())
	s.log.Info("configuration loaded", "file", s.flags.configFile, "hash", c.Hash)
	return nil
}

// reloadEngine has the engine and the deliverer work by another configuration.
func (s *server) reloadEngine(ctx context.Context, a *assembly) error {
	// The deliverer learns of new receivers before anything is to be told to them. If the engine
	// then refuses, it has the old ones back.
	old := s.current.Load()
	if err := s.deliverer.Replace(a.receivers); err != nil {
		return err
	}
	err := s.engine.Reload(ctx, a.build, "configuration "+a.config.Hash)
	if err == nil {
		return nil
	}
	err = errors.Join(err, s.deliverer.Replace(old.receivers))
	if errors.Is(err, alarm.ErrNotStored) || errors.Is(err, alarm.ErrStopped) || ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", errLater, err)
	}
	return err
}
