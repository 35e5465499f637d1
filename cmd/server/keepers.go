package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/opsgenie"
)

// keepers are what runs beside the engine for as long as a configuration is in force: reconcilers and
// heartbeats. Their metrics are those of the configuration in force.
type keepers struct {
	latest[*assembly]
	server      *server
	log         *slog.Logger
	registry    atomic.Pointer[prometheus.Registry]
	reconcilers atomic.Pointer[[]*notify.Reconciler]
}

func newKeepers(s *server) *keepers {
	return &keepers{latest: newLatest[*assembly](), server: s, log: s.log}
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
		r, err := k.reconciler(a, account, registry)
		if err != nil {
			k.log.Error("what is open at a remote is not compared with what fires", "err", err)
			continue
		}
		reconcilers = append(reconcilers, r)
		wg.Go(func() { _ = r.Run(ctx) }) // it never fails
	}
	for _, h := range a.config.Tocsin.Heartbeats {
		loop, err := k.heartbeat(a, h, registry)
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
	if og.Backend == "jsm" && og.CloudID == "" {
		return nil, opsgenie.ErrNoOperations
	}
	d := &desk{engine: k.server.engine, remotes: a.remotes, account: r.account, severities: a.config.Severities()}
	return notify.NewReconciler(&recorded{r.client, k.server.engine.Submit}, d, notify.ReconcilerOptions{
		Name: r.receiver,
		Policy: notify.Policy{
			Interval: og.ReconcileInterval, Reopen: og.Reopen.ByPriority, ReopenDefault: og.Reopen.Default,
			GuardShare: float64(og.CloseAtMost) / 100,
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

// adopted is the name under which the database remembers that a receiver took over.
const adopted = "adopt:"

// adopt closes, once, the incidents that Alertmanager's own integration left open: at once, or when
// ours are open in their place.
func (k *keepers) adopt(ctx context.Context, a *assembly) {
	for i := range a.remotes {
		r := &a.remotes[i]
		if r.config.Adopt == "" {
			continue
		}
		if done, err := k.server.db.Imported(ctx, adopted+r.receiver); err != nil || done {
			continue
		}
		for ctx.Err() == nil {
			err := k.adoptOne(ctx, r)
			if err == nil {
				break
			}
			k.log.Warn("Alertmanager's incidents are not taken over yet", "receiver", r.receiver, "err", err)
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
			}
		}
	}
}

var errNotOpenYet = errors.New("ours are not open in their place yet")

func (k *keepers) adoptOne(ctx context.Context, r *remote) error {
	if r.config.Adopt == "take" {
		standings, err := k.server.engine.Standings(ctx, r.receiver, incidents)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(standings, func(s alarm.Standing) bool { return s.Wanted && !s.Open && !s.Dead }) {
			return errNotOpenYet
		}
	}
	theirs, err := r.client.ListAlertmanager(ctx)
	if err != nil {
		return err
	}
	for _, in := range theirs {
		const note = "Closed by tocsin, which took over from Alertmanager: what still fires has an incident of its own."
		if err := k.server.engine.Submit(ctx, alarm.Input{Events: []alarm.Event{{Kind: "adopted", Name: in.Alias, Note: note}}}); err != nil {
			return err
		}
		if err := r.client.Close(ctx, in, note); err != nil {
			return err
		}
	}
	k.log.Info("took over from Alertmanager", "receiver", r.receiver, "incidents", len(theirs))
	_, err = k.server.db.Import(ctx, k.server.generation, adopted+r.receiver, &alarm.Plan{At: time.Now()})
	return err
}
