package server

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/opsgenie"
)

// keepers are what runs beside the engine for as long as a configuration is in force: reconcilers and
// heartbeats. Their metrics are those of the configuration in force.
type keepers struct {
	latest[*assembly]
	server      *server
	log         *slog.Logger
	began       time.Time
	registry    atomic.Pointer[prometheus.Registry]
	reconcilers atomic.Pointer[[]*notify.Reconciler]
}

func newKeepers(s *server) *keepers {
	return &keepers{latest: newLatest[*assembly](), server: s, log: s.log, began: time.Now()}
}

// Run keeps until ctx ends.
func (k *keepers) Run(ctx context.Context) error {
	k.follow(ctx, k.keep)
	return nil
}

// Gather returns the metrics of what runs now.
func (k *keepers) Gather() ([]*dto.MetricFamily, error) {
	if r := k.registry.Load(); r != nil {
		return r.Gather()
	}
	return nil, nil
}

// keep runs everything that a configuration asks for. What cannot be made is logged, and the rest runs.
func (k *keepers) keep(ctx context.Context, a *assembly) {
	select {
	case <-k.server.engine.Ready():
	case <-ctx.Done():
		return
	}
	registry := prometheus.NewRegistry()
	var wg sync.WaitGroup
	var reconcilers []*notify.Reconciler
	for _, account := range accountsOf(a.remotes) {
		wg.Go(func() { k.askLimits(ctx, account) })
		r, err := k.reconciler(a, account, registry)
		if err != nil {
			k.log.Error("what is open at a remote is not compared with what fires", "err", err)
			continue
		}
		reconcilers = append(reconcilers, r)
		wg.Go(func() { _ = r.Run(ctx) }) // it never fails
	}
	for i, h := range a.config.Tocsin.Heartbeats {
		loop, err := k.heartbeat(a, h, wordOf(a.config.Tocsin.Heartbeats, i), registry)
		if err != nil {
			k.log.Error("a heartbeat is not sent", "heartbeat", h.Name, "err", err)
			continue
		}
		wg.Go(func() { _ = loop.Run(ctx) }) // it never fails
	}
	k.registry.Store(registry)
	k.reconcilers.Store(&reconcilers)
	wg.Go(func() { k.adopt(ctx, a) })
	wg.Wait()
}

// accountsOf lists each account once, by the first of its receivers.
func accountsOf(remotes []remote) []remote {
	var firsts []remote
	for _, r := range remotes {
		if !slices.ContainsFunc(firsts, func(o remote) bool { return o.account == r.account }) {
			firsts = append(firsts, r)
		}
	}
	return firsts
}

func (k *keepers) reconciler(a *assembly, r remote, registry prometheus.Registerer) (*notify.Reconciler, error) {
	og := r.config
	if og.Backend == config.BackendJSM && og.CloudID == "" {
		return nil, opsgenie.ErrNoOperations
	}
	d := &desk{
		engine: k.server.engine, remotes: a.remotes, account: r.account, severities: a.config.Severities(),
		fresh: func() bool { return k.heard(a) == nil },
	}
	return notify.NewReconciler(&recorded{r.client, k.server.engine.Submit, k.server.barred}, d, notify.ReconcilerOptions{
		Name: r.receiver,
		Policy: notify.Policy{
			Interval: og.ReconcileInterval, Reopen: og.Reopen.ByPriority, ReopenDefault: og.Reopen.Default,
			GuardShare: float64(og.CloseAtMost) / 100,
			Settle:     min(time.Minute, og.ReconcileInterval),
			Remind:     -1, // the engine does, also where nothing can be read back
		},
		Logger: k.log.With("component", "reconcile"), Registerer: registry,
	})
}

// hint tells every reconciler that something happened to an alias. Those whose alias it is not find
// nothing.
func (k *keepers) hint(alias string) {
	if rs := k.reconcilers.Load(); rs != nil {
		for _, r := range *rs {
			r.Hint(alias)
		}
	}
}

// askLimits has the service say how many requests it allows, unless the configuration does. A service that
// does not say leaves them as they are.
func (k *keepers) askLimits(ctx context.Context, r remote) {
	if r.config.RequestsPerSecond > 0 || r.config.Backend != config.BackendOpsgenie {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := r.client.AskLimits(ctx); err != nil && ctx.Err() == nil {
		k.log.Info("a service does not say how many requests it allows: requests_per_second can", "receiver", r.receiver, "err", err)
	}
}
