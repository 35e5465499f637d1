package server

import (
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/alarm/silence"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/dedupe"
	"github.com/tocsin/tocsin/depgraph"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/amreceiver"
)

// buildOptions is what the parts need that is not in the configuration.
type buildOptions struct {
	sources    []namedSource // beside those of the configuration
	previous   []namedSource // of the configuration in force
	alertLimit int
	limited    func(alertname string)
	log        *slog.Logger
	registry   prometheus.Registerer // of the sources' metrics; nil for none
}

// An assembly is a configuration, turned into what runs.
type assembly struct {
	config    *config.Config
	build     alarm.Build
	receivers notify.Receivers
	sources   []namedSource   // that are asked
	senders   []config.Source // that push, and are told apart
}

// assemble turns a configuration into parts. It has no effect on anything that runs.
func assemble(c *config.Config, external *url.URL, o buildOptions) (*assembly, error) {
	specs, receivers, err := amreceiver.Build(c.Alertmanager, external, o.log)
	if err != nil {
		return nil, err
	}
	addLogs(c, specs, receivers, o.log)
	root, intervals, teams, edges := c.Route(), c.TimeIntervals(), c.Teams(), c.InhibitRules()
	if _, err := route.New(root, intervals, teams...); err != nil {
		return nil, fmt.Errorf("route: %w", err)
	}
	if _, err := depgraph.New(edges); err != nil {
		return nil, fmt.Errorf("inhibit_rules: %w", err)
	}
	pulled, senders, err := sources(c, o)
	if err != nil {
		return nil, err
	}
	standing := standingOf(c, pulled)
	build := func(now time.Time, s *alarm.Stored) (alarm.Parts, error) {
		presence, err := dedupe.NewPresence(now, s, dedupe.Options{
			ResolveTimeout: c.ResolveTimeout(), StartupGrace: c.Tocsin.StartupGrace,
			ReplicaLabels: c.Tocsin.ReplicaLabels, Sources: standing.names,
			Expect: standing.expect, MaxStaleOf: standing.maxStale,
			PerAlertnameLimit: max(o.alertLimit, 0), Limited: o.limited,
		})
		if err != nil {
			return alarm.Parts{}, err
		}
		graph, err := depgraph.New(edges)
		if err != nil {
			return alarm.Parts{}, err
		}
		tree, err := route.New(root, intervals, teams...)
		if err != nil {
			return alarm.Parts{}, err
		}
		return alarm.Parts{
			Presence:    presence,
			Suppressors: []alarm.Suppressor{silence.NewSuppressor(now, s.Silences), graph.Suppressor()},
			Router:      tree,
			Receivers:   specs,
		}, nil
	}
	return &assembly{config: c, build: build, receivers: receivers, sources: pulled, senders: senders}, nil
}

// addLogs adds the receivers of the section tocsin: to Alertmanager's of the same names.
func addLogs(c *config.Config, specs []alarm.ReceiverSpec, receivers notify.Receivers, log *slog.Logger) {
	for _, r := range c.Tocsin.Receivers {
		n := slices.IndexFunc(specs, func(s alarm.ReceiverSpec) bool { return s.Name == r.Name })
		if n < 0 || r.Log == nil {
			continue
		}
		const name = "log[0]"
		specs[n].Integrations = append(slices.Clip(specs[n].Integrations),
			alarm.IntegrationSpec{Name: name, SendResolved: r.Log.SendResolved, Level: true})
		receivers[r.Name] = append(receivers[r.Name],
			notify.Integration{Name: name, Receiver: notify.NewLog(log, r.Log.Level)})
	}
}
