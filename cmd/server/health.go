package server

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/cmd/internal/health"
	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/vlogs"
)

// healthSource is the name of the source of failing services.
const healthSource = "health"

// healthSettings are what health runs by. Targets may change while they stay the same.
type healthSettings struct {
	config.Health
	severity model.LabelName
	asks     bool // there are targets, beside those of Kubernetes

	trees, workloads bool // what of health is topology
}

// healthKeeper runs what the section tocsin.health asks for, and is a source of alerts. A reload that changes
// targets alone interrupts nothing.
type healthKeeper struct {
	latest[*healthSettings]
	silences healthSilences

	once     sync.Once
	restored chan struct{}        // closed when agents are what is stored
	agents   []discovery.AgentKey // that were heard; from then on they belong to who runs
	topology liveTopology

	api     *health.API
	log     *slog.Logger
	changed chan struct{}

	wanted  bool            // something was wanted before
	inForce *healthSettings // what was wanted last; nil: nothing
	targets atomic.Pointer[[]discovery.Target]
	aliases atomic.Pointer[discovery.Aliases]

	storage  string // the folder that is ours
	state    atomic.Pointer[healthState]
	registry atomic.Pointer[prometheus.Registry]
}

// healthSilences keeps silences: the engine does.
type healthSilences interface {
	Submit(ctx context.Context, in alarm.Input) error
	Silences(ctx context.Context) ([]*alarm.Silence, error)
}

func newHealthKeeper(storage string, log *slog.Logger) *healthKeeper {
	h := &healthKeeper{storage: storage, latest: newLatest[*healthSettings](), log: log, changed: make(chan struct{}, 1), restored: make(chan struct{})}
	h.api = health.New(health.Options{Source: h.Source, Quiet: h.Quiet, Aliases: h.Aliases, Log: log})
	return h
}

// configure has in force what a configuration says. It is called by one goroutine at a time.
func (h *healthKeeper) configure(c *config.Config) {
	var settings *healthSettings
	if c.Tocsin.Health != nil {
		targets := c.HealthTargets()
		h.targets.Store(&targets)
		names := c.Tocsin.Health.Names()
		h.aliases.Store(&names)
		settings = &healthSettings{Health: c.Tocsin.Health.Settings(), severity: cmp.Or(c.Tocsin.SeverityLabel, "severity"), asks: len(c.Tocsin.Health.TargetFiles) > 0 || len(targets) > 0}
		settings.trees, settings.workloads = c.Tocsin.Topology.Health, c.Tocsin.Topology.Kubernetes
	}
	if h.wanted && reflect.DeepEqual(settings, h.inForce) {
		return
	}
	h.wanted, h.inForce = true, settings
	h.want(settings)
}

// Run does what is wanted until ctx ends.
func (h *healthKeeper) Run(ctx context.Context) error {
	defer h.replace(nil)
	h.follow(ctx, h.keep)
	return nil
}

// replace has another state, and closes the one before.
func (h *healthKeeper) replace(next *healthState) {
	if before := h.state.Swap(next); before != nil && before != next {
		before.close()
	}
}

// keep runs what the settings ask for until ctx ends. Nil asks for nothing.
func (h *healthKeeper) keep(ctx context.Context, settings *healthSettings) {
	if settings == nil {
		h.replace(nil)
		h.registry.Store(nil)
		if err := endQuiet(ctx, h.silences, time.Now()); err != nil && ctx.Err() == nil {
			h.log.Error("silences of environments that nobody uses were not ended", "err", err)
		}
		return
	}
	select {
	case <-h.restored:
	case <-ctx.Done():
		return
	}
	registry := prometheus.NewRegistry()
	r, err := newHealthRun(h, settings, h.state.Load(), registry)
	if err != nil {
		h.log.Error("health is not asked", "err", err)
		return
	}
	h.replace(r.healthState)
	h.registry.Store(registry)
	if err := r.Run(ctx); err != nil && ctx.Err() == nil {
		h.log.Error("health is no longer asked", "err", err)
	}
}

// Gather returns the metrics of what runs now.
func (h *healthKeeper) Gather() ([]*dto.MetricFamily, error) {
	r, s := h.registry.Load(), h.state.Load()
	if r == nil || s == nil {
		return nil, nil
	}
	return prometheus.Gatherers{r, s.metrics}.Gather()
}

// source is failing services as a source, if the configuration asks for health.
func (h *healthKeeper) source(c *config.Config) []namedSource {
	if c.Tocsin.Health == nil {
		return nil
	}
	return []namedSource{{name: healthSource, source: h, collect: alarm.CollectOptions{Interval: c.Tocsin.Health.Probe.Interval}}}
}

var _ alarm.Changer = (*healthKeeper)(nil)

// Alerts is what the board says. As long as there is none, nothing is known.
func (h *healthKeeper) Alerts(ctx context.Context) (alarm.Snapshot, error) {
	s := h.state.Load()
	if s == nil {
		return alarm.Snapshot{}, discovery.ErrNotHeard
	}
	return s.board.Load().Alerts(ctx)
}

// Changed delivers a value when Alerts may answer something new.
func (h *healthKeeper) Changed() <-chan struct{} { return h.changed }

func (h *healthKeeper) wake() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// Source is where pages and the API read; nil if health is not asked.
func (h *healthKeeper) Source() health.Source {
	if s := h.state.Load(); s != nil {
		return s.reader
	}
	return nil
}

// Quiet says which environments nobody uses.
func (h *healthKeeper) Quiet() health.Quiet {
	if s := h.state.Load(); s != nil {
		if q := s.quiet.Load(); q != nil {
			return *q
		}
	}
	return health.Quiet{}
}

// Aliases are names of services that mean the same.
func (h *healthKeeper) Aliases() discovery.Aliases {
	if names := h.aliases.Load(); names != nil {
		return *names
	}
	return nil
}

// handlers are the API.
func (h *healthKeeper) handlers() map[string]http.Handler {
	all := h.api.Handlers()
	all["DELETE health/agents/{cluster}/{agent}"] = http.HandlerFunc(h.serveForget)
	return all
}

// serveForget says that an agent is gone for good: all who read what agents write learn of it, and with it go its
// services and its alerts. That takes some seconds, and a refresh for pages.
func (h *healthKeeper) serveForget(w http.ResponseWriter, r *http.Request) {
	s := h.state.Load()
	if s == nil {
		http.Error(w, "no health is asked here", http.StatusNotFound)
		return
	}
	k := discovery.AgentKey{Cluster: r.PathValue("cluster"), Agent: r.PathValue("agent")}
	if !slices.Contains(s.board.Load().Agents(), k) {
		http.Error(w, "no such agent: it was forgotten already, or never there", http.StatusNotFound)
		return
	}
	if s.origin.logs == "" {
		http.Error(w, "this server asks by itself: what it asks no longer is gone at once", http.StatusConflict)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if err := vlogs.Dismiss(ctx, s.origin.logs, k, vlogs.WriterOptions{}); err != nil {
		h.log.Error("an agent was not forgotten", "cluster", k.Cluster, "agent", k.Agent, "err", err)
		http.Error(w, "VictoriaLogs takes nothing at the moment: try again", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
