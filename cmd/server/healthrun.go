package server

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/kube"
	"github.com/tocsin/tocsin/discovery/probe"
	"github.com/tocsin/tocsin/discovery/vlogs"
)

// healthAgent is who asks.
func healthAgent(h *config.Health) discovery.AgentKey {
	k := discovery.AgentKey{Cluster: "targets", Agent: h.Agent}
	if h.Kubernetes != nil {
		k.Cluster = h.Kubernetes.Cluster
	}
	return k
}

// A healthRun asks endpoints, reads what others found, and hands on both.
type healthRun struct {
	*healthState
	settings *healthSettings
	silences healthSilences
	wake     func()
	log      *slog.Logger
	kube     *kube.Discovery // nil: none
	prober   *probe.Prober   // nil: nothing is asked here
	writer   *vlogs.Writer   // nil: results stay here
	splitter *splitter
	agents   *[]discovery.AgentKey // that were heard, as they are stored
	topology *liveTopology

	following sync.Mutex                 // held by whoever has alarms follow what was found
	trees     map[discovery.Key]readTree // of documents that were read for the topology
}

// newHealthRun makes everything that the settings ask for, over what is known already, if anything is.
func newHealthRun(h *healthKeeper, settings *healthSettings, known *healthState, registry *prometheus.Registry) (r *healthRun, err error) {
	if !known.fits(&settings.Health) {
		if known, err = newHealthState(&settings.Health, h.api.Prepare, h.log); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				known.close()
			}
		}()
	}
	r = &healthRun{healthState: known, settings: settings, silences: h.silences, wake: h.wake, log: h.log, agents: &h.agents, topology: &h.topology, trees: map[discovery.Key]readTree{}, splitter: newSplitter(&settings.Health)}
	board, err := r.newBoard()
	if err != nil {
		return nil, err
	}
	targets := func() []discovery.Target { return *h.targets.Load() }
	if settings.VictoriaLogs == nil || settings.Kubernetes != nil || settings.asks {
		if settings.VictoriaLogs != nil {
			if r.writer, err = newHealthWriter(&settings.Health, filepath.Join(h.storage, "health-spool"), h.log, registry); err != nil {
				return nil, err
			}
		}
		if r.prober, r.kube, err = newHealthProber(&settings.Health, targets, r.result, h.log, registry); err != nil {
			return nil, err
		}
	}
	if err := registry.Register(healthCollector{r.reader, settings.Metrics}); err != nil {
		return nil, err
	}
	known.board.Store(board)
	return r, nil
}

// expected are the agents that have to be heard: who asks here, and, if others write too, those that did.
func (r *healthRun) expected() []discovery.AgentKey {
	if r.logs == nil {
		return []discovery.AgentKey{r.origin.agent}
	}
	return *r.agents
}

// newBoard makes a board that knows what was found before.
func (r *healthRun) newBoard() (*discovery.Board, error) {
	extra := func(severity, priority string) model.LabelSet {
		return model.LabelSet{r.settings.severity: model.LabelValue(severity), "priority": model.LabelValue(priority)}
	}
	b, err := discovery.NewBoard(discovery.BoardOptions{
		Agents: r.expected(), TreesApart: r.logs != nil, Aliases: r.settings.Names(),
		Active:  extra("critical", r.settings.Priority.Active),
		Passive: extra("warning", r.settings.Priority.Passive),
	})
	if err != nil {
		return nil, err
	}
	cycles, err := r.direct.Cycles(context.Background(), time.Now()) // from memory
	if err != nil {
		return nil, err
	}
	for _, c := range cycles {
		b.Observe(time.Now(), c)
	}
	return b, nil
}

// Run asks, and reads what others found, until ctx ends.
func (r *healthRun) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.reader.Run(ctx) })
	if r.kube != nil {
		g.Go(func() error { return r.kube.Run(ctx) })
	}
	if r.writer != nil {
		g.Go(func() error { return r.writer.Run(ctx) })
	}
	if r.prober != nil {
		g.Go(func() error { return r.prober.Run(ctx, r.deliver) })
	}
	if r.logs != nil {
		g.Go(func() error { return r.refresher.Run(ctx) })
		g.Go(func() error { return r.read(ctx) })
	}
	return g.Wait()
}

// result takes a document as it comes.
func (r *healthRun) result(ctx context.Context, h discovery.Health) {
	if r.writer == nil {
		r.direct.Result(ctx, h)
		return
	}
	if err := r.writer.Document(ctx, h); err != nil {
		r.log.Warn("a document was not written", "service", h.Target.Key().String(), "err", err)
	}
}

// deliver hands on what was found here: to alarms first.
func (r *healthRun) deliver(ctx context.Context, c discovery.Cycle) {
	now := time.Now()
	if r.writer != nil { // pages come from there
		r.observe(ctx, now, r.write(ctx, c)...)
		return
	}
	r.observe(ctx, now, c)
	r.direct.Observe(ctx, c)
	late, cancel := context.WithTimeout(ctx, r.settings.Probe.Interval)
	defer cancel()
	switch _, err := r.refresher.Cycle(late, now); {
	case err == nil, ctx.Err() != nil:
	case errors.Is(err, cache.ErrPartial):
		r.log.Warn("pages show what was known before", "err", err)
	default:
		r.log.Error("pages are not refreshed", "err", err)
	}
}

// write writes what was found here, and returns it as it was written.
func (r *healthRun) write(ctx context.Context, c discovery.Cycle) []discovery.Cycle {
	parts := r.splitter.split(c)
	for _, part := range parts {
		if err := r.writer.Write(ctx, part); err != nil {
			r.log.Error("results were not written", "cluster", part.Cluster, "err", err)
		}
	}
	return parts
}

// observe has alarms follow what agents found.
func (r *healthRun) observe(ctx context.Context, now time.Time, cycles ...discovery.Cycle) {
	board := r.board.Load()
	for _, c := range cycles {
		board.Observe(now, c)
	}
	r.following.Lock()
	defer r.following.Unlock()
	r.followTopology(ctx, now, board, cycles)
	if err := r.keepQuiet(ctx, now, board.Environments()); err != nil && ctx.Err() == nil {
		r.log.Error("silences of environments that nobody uses were not kept", "err", err)
	}
	r.wake()
}

// read follows what all agents wrote to VictoriaLogs.
func (r *healthRun) read(ctx context.Context) error {
	tick := time.NewTicker(max(time.Second, r.settings.Probe.Interval/3))
	defer tick.Stop()
	failing := false
	for {
		cycles, err := r.logs.Cycles(ctx, time.Now())
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			r.log.Error("what agents found cannot be read: their services are unknown before long", "err", err)
		case err == nil && failing:
			r.log.Info("what agents found is read again")
		}
		if failing = err != nil; failing {
			r.board.Load().Deaf(now, err)
			r.wake()
		} else {
			r.board.Load().Hears(now)
			r.observe(ctx, now, cycles...)
			r.keepAgents(ctx, r.board.Load().Agents())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
