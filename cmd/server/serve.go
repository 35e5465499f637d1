package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/alecthomas/kingpin/v2"
	"github.com/coreos/go-systemd/v22/activation"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/alarm"
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
	pulse    pulse
	accounts accounts

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
	s := &server{flags: f, log: log, sources: o.sources, registry: prometheus.NewRegistry()}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.metrics = newConfigMetrics(s.registry)

	db, generation, err := openStore(ctx, f, c, log)
	if err != nil {
		return err
	}
	s.db = db
	defer func() {
		if err := db.Close(); err != nil {
			log.Error("close database", "err", err)
		}
	}()
	ctx, stopKeeping := keepLease(ctx, db, generation, log)
	defer stopKeeping()
	if s.instance, err = db.InstanceID(ctx); err != nil {
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
	s.external = external.String()
	if err := s.assembleParts(c, generation); err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	if before == contentOf([]string{f.configFile, f.tocsinFile}) { // else it changed meanwhile: the watcher notices
		s.content = contentOf(s.files())
	}
	return s.run(ctx, listeners)
}

// assembleParts makes everything that needs the configuration, and starts nothing.
func (s *server) assembleParts(c *config.Config, generation int64) error {
	s.generation, s.accounts = generation, accounts{}
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
	s.keepers = newKeepers(s)
	s.pullers = newPullers(s.engine.Submit, s.log.With("component", "source"))
	s.deliverer, err = notify.New(s.engine, a.receivers, notify.Options{
		Logger: s.log.With("component", "notify"), Registerer: s.registry,
		Workers: workers, Kinds: amreceiver.Kinds(), ReceiverNames: s.flags.enabled(featureReceiverNames),
	})
	if err != nil {
		return err
	}
	offer.to = s.deliverer.Offer
	return nil
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
		sources: append(slices.Clone(s.sources), s.own()), alertLimit: s.flags.alertLimit, limited: s.metrics.limited, swallowed: s.metrics.swallowed, log: s.log, registry: s.registry,
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
		problem: func() string {
			if text := s.problem.Load(); text != nil {
				return *text
			}
			return ""
		},
	}}
}

// run starts everything and stops it in the right order: first those who bring work, then the
// deliverer, which still records what became of its attempts, and the engine last.
func (s *server) run(ctx context.Context, listeners []net.Listener) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	stopEngine := background(fail, s.engine.Run)
	stopDeliverer := background(fail, s.deliverer.Run)
	if err := s.configureWindows(ctx); err != nil {
		return errors.Join(err, stopDeliverer(), stopEngine(), closeAll(listeners))
	}
	var work errgroup.Group
	watch := newWatcher(s.reload, s.files, s.content, s.log)
	work.Go(func() error { return watch.Run(ctx) })
	work.Go(func() error { return s.reloadOnHangup(ctx, watch) })
	work.Go(func() error {
		return prune(ctx, s.db, func() time.Duration { return s.current.Load().config.Tocsin.Retention }, s.log)
	})
	s.pullers.want(s.current.Load().sources)
	work.Go(func() error { return s.pullers.Run(ctx) })
	s.keepers.want(s.current.Load())
	work.Go(func() error { return s.keepers.Run(ctx) })
	work.Go(func() error { return s.pulse.Run(ctx, s.engine.Pulse) })
	work.Go(func() error {
		err := s.serveHTTP(ctx, listeners, watch)
		if err != nil {
			fail(err)
		}
		return err
	})

	<-ctx.Done()
	s.stopping.Store(true)
	s.log.Info("stopping", "cause", context.Cause(ctx))
	err := work.Wait()
	err = errors.Join(err, stopDeliverer(), stopEngine())
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
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
	// The deliverer learns of new receivers before anything is to be told to them. If the engine
	// then refuses, it has the old ones back.
	old := s.current.Load()
	if err := s.deliverer.Replace(a.receivers); err != nil {
		return err
	}
	if err := s.engine.Reload(ctx, a.build, "configuration "+c.Hash); err != nil {
		err = errors.Join(err, s.deliverer.Replace(old.receivers))
		if errors.Is(err, alarm.ErrNotStored) || errors.Is(err, alarm.ErrStopped) || ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", errLater, err)
		}
		return err
	}
	s.current.Store(a)
	s.problem.Store(nil)
	s.pullers.want(a.sources)
	s.keepers.want(a)
	if err := s.configureWindows(ctx); err != nil {
		return fmt.Errorf("%w: %w", errLater, err)
	}
	s.metrics.loaded(a, time.Now())
	s.log.Info("configuration loaded", "file", s.flags.configFile, "hash", c.Hash)
	return nil
}

// listen opens the listeners first, so that the port is known and nobody else has it.
func listen(f *serveFlags) ([]net.Listener, error) {
	if *f.web.WebSystemdSocket {
		listeners, err := activation.Listeners()
		if err == nil && len(listeners) == 0 {
			err = errors.New("no socket was passed by systemd")
		}
		return listeners, err
	}
	var listeners []net.Listener
	for _, address := range *f.web.WebListenAddresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--web.listen-address: %w", err), closeAll(listeners))
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) error {
	var err error
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

// drainTimeout is how long requests that are under way at the end may take.
const drainTimeout = 10 * time.Second

// serveHTTP answers requests until ctx ends.
func (s *server) serveHTTP(ctx context.Context, listeners []net.Listener, w *watcher) error {
	handler, err := s.handler(listeners, w)
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- web.ServeMultiple(listeners, srv, s.flags.web, s.log) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		s.log.Warn("requests were still under way", "err", err)
		_ = srv.Close() // they have had their time
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}
