package server

import (
	"log/slog"
	"net/url"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/dedupe"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/amreceiver"
)

// buildOptions is what the parts need that is not in the configuration.
type buildOptions struct {
	sources    []namedSource // beside those of the configuration
	previous   []namedSource // of the configuration in force
	accounts   accounts      // at Opsgenie and JSM; nil makes new ones
	instance   string        // who we are, in what is told
	unread     bool          // a secret's file that is not there is no problem: nothing is told
	alertLimit int
	restore    func(*alarm.Stored) alarm.Entities // what is stored of health, and says of the topology; or nil
	swallowed  func(dedupe.Swallower)
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
	remotes   []remote        // that keep incidents
}

// assemble turns a configuration into parts. It has no effect on anything that runs.
func assemble(c *config.Config, external *url.URL, o buildOptions) (*assembly, error) {
	specs, receivers, err := amreceiver.Build(c.Alertmanager, external, o.log)
	if err != nil {
		return nil, err
	}
	addLogs(c, specs, receivers, o.log)
	remotes, err := addRemotes(c, external, o, specs, receivers)
	if err != nil {
		return nil, err
	}
	if err := checkParts(c); err != nil {
		return nil, err
	}
	pulled, senders, err := sources(c, o)
	if err != nil {
		return nil, err
	}
	standing := standingOf(c, pulled)
	p := parts{config: c, standing: standing, specs: specs, alertLimit: max(o.alertLimit, 0), restore: o.restore, limited: o.limited, swallowed: o.swallowed}
	return &assembly{config: c, build: p.build, receivers: receivers, sources: pulled, senders: senders, remotes: remotes}, nil
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
