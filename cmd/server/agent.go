package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/promslog"
	promslogflag "github.com/prometheus/common/promslog/flag"
	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/discovery"
)

// helperFlags are what agent and worker are told on the command line.
type helperFlags struct {
	config, listen, storage string
}

// addHelper adds a subcommand that runs beside the server.
func addHelper(app *kingpin.Application, name, help string, commands map[string]func(context.Context) error, stderr io.Writer, run func(context.Context, *helperFlags, *slog.Logger) error) {
	cmd := app.Command(name, help)
	f := &helperFlags{}
	cmd.Flag("config.file", "A file with the section health, at its top or below tocsin.").Required().StringVar(&f.config)
	cmd.Flag("web.listen-address", "Where metrics, /-/healthy and /-/ready are.").Default(":9095").StringVar(&f.listen)
	cmd.Flag("storage.path", "The folder in which results wait while VictoriaLogs is away.").Default("data/").StringVar(&f.storage)
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		log, err := commonLogger(app, stderr)
		if err != nil {
			return err
		}
		return run(ctx, f, log)
	}
}

// commonLogger is what the flags of the log, which all subcommands have in common, ask for.
func commonLogger(app *kingpin.Application, stderr io.Writer) (*slog.Logger, error) {
	c := promslog.Config{Level: promslog.NewLevel(), Format: promslog.NewFormat(), Writer: stderr}
	for name, set := range map[string]func(string) error{promslogflag.LevelFlagName: c.Level.Set, promslogflag.FormatFlagName: c.Format.Set} {
		if value := app.GetFlag(name).Model().Value.String(); value != "" {
			if err := set(value); err != nil {
				return nil, &usageError{fmt.Sprintf("--%s: %v", name, err)}
			}
		}
	}
	return newLogger(&c), nil
}

// addAgent adds agent: it asks the services of one cluster, and writes what it finds to VictoriaLogs.
func addAgent(app *kingpin.Application, commands map[string]func(context.Context) error, stderr io.Writer) {
	addHelper(app, "agent", "Finds and asks the health endpoints of one cluster, and writes what it finds to VictoriaLogs.", commands, stderr, runAgent)
}

// addWorker adds worker: it keeps the cache in Redis up to date.
func addWorker(app *kingpin.Application, commands map[string]func(context.Context) error, stderr io.Writer) {
	addHelper(app, "worker", "Reads what agents found from VictoriaLogs, and keeps the cache in Redis up to date with other workers.", commands, stderr, runWorker)
}

// An agent asks, under one configuration after another.
type agent struct {
	latest[*config.Config]
	flags    *helperFlags
	log      *slog.Logger
	targets  atomic.Pointer[[]discovery.Target]
	registry atomic.Pointer[prometheus.Registry]
	current  atomic.Pointer[config.Config]
	failed   context.CancelCauseFunc
}

func runAgent(ctx context.Context, f *helperFlags, log *slog.Logger) error {
	before := contentOf([]string{f.config})
	c, err := config.LoadHealth(f.config)
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	a := &agent{latest: newLatest[*config.Config](), flags: f, log: log, failed: fail}
	if err := a.accept(c); err != nil {
		return err
	}
	active := ""
	if before == contentOf([]string{f.config}) {
		active = contentOf(c.Files())
	}
	watch := newWatcher(a.reload, func() []string { return a.current.Load().Files() }, active, log)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return watch.Run(ctx) })
	g.Go(func() error {
		a.follow(ctx, a.ask)
		return nil
	})
	g.Go(func() error { return serveHelper(ctx, f.listen, log, &a.registry) })
	if err := g.Wait(); err != nil {
		return err
	}
	return failure(ctx)
}

// accept has a configuration in force. New targets alone interrupt nothing.
func (a *agent) accept(c *config.Config) error {
	h := c.Tocsin.Health
	switch {
	case h.VictoriaLogs == nil:
		return errors.New("health.victorialogs: an agent writes what it finds there: write its URL, or run tocsin serve, which needs none")
	case h.Kubernetes == nil && len(h.Targets) == 0 && len(h.TargetFiles) == 0:
		return errors.New("health: nothing is asked: write kubernetes:, targets: or target_files:")
	}
	targets := c.HealthTargets()
	a.targets.Store(&targets)
	before := a.current.Swap(c)
	if before == nil || !reflect.DeepEqual(before.Tocsin.Health.Settings(), h.Settings()) {
		a.want(c)
	}
	return nil
}

func (a *agent) reload(context.Context) error {
	c, err := config.LoadHealth(a.flags.config)
	if err == nil {
		err = a.accept(c)
	}
	if err != nil {
		a.log.Error("the configuration is bad: the old one stays in force", "err", err)
		return err
	}
	a.log.Info("configuration loaded", "file", a.flags.config)
	return nil
}

// ask asks until ctx ends, and sends what waits for a little longer.
func (a *agent) ask(ctx context.Context, c *config.Config) {
	if err := a.run(ctx, c); err != nil && ctx.Err() == nil {
		a.failed(err)
	}
}

func (a *agent) run(ctx context.Context, c *config.Config) error {
	registry := prometheus.NewRegistry()
	h := c.Tocsin.Health
	w, err := newHealthWriter(h, filepath.Join(a.flags.storage, "health-spool"), a.log, registry)
	if err != nil {
		return err
	}
	r := &healthRun{writer: w, log: a.log, splitter: newSplitter(h)}
	prober, found, err := newHealthProber(h, func() []discovery.Target { return *a.targets.Load() }, r.result, a.log, registry)
	if err != nil {
		return err
	}
	a.registry.Store(registry)
	g, ctx := errgroup.WithContext(ctx)
	if found != nil {
		g.Go(func() error { return found.Run(ctx) })
	}
	g.Go(func() error { return w.Run(ctx) })
	g.Go(func() error {
		return prober.Run(ctx, func(ctx context.Context, c discovery.Cycle) { r.write(ctx, c) })
	})
	return g.Wait()
}

func runWorker(ctx context.Context, f *helperFlags, log *slog.Logger) error {
	c, err := config.LoadHealth(f.config)
	if err != nil {
		return err
	}
	h := c.Tocsin.Health
	if h.VictoriaLogs == nil || h.Cache == nil || h.Cache.Redis == "" {
		return errors.New("health: a worker reads from victorialogs: and writes to cache.redis: write both")
	}
	s, err := newHealthState(h, nil, log)
	if err != nil {
		return err
	}
	defer s.close()
	var registry atomic.Pointer[prometheus.Registry]
	registry.Store(s.metrics)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.refresher.Run(ctx) })
	g.Go(func() error { return serveHelper(ctx, f.listen, log, &registry) })
	return g.Wait()
}

// serveHelper answers for metrics and for who asks whether we live, until ctx ends.
func serveHelper(ctx context.Context, address string, log *slog.Logger, registry *atomic.Pointer[prometheus.Registry]) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("--web.listen-address: %w", err)
	}
	log.Info("Listening on", "address", l.Addr().String()) //nolint:sloglint // as the server says it
	own := prometheus.NewRegistry()
	own.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "OK") }
	mux.HandleFunc("/-/healthy", ok)
	mux.HandleFunc("/-/ready", ok)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		all := prometheus.Gatherers{own, cmp.Or(registry.Load(), prometheus.NewRegistry())}
		promhttp.HandlerFor(all, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}
