package server

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/alarm/silence"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/dedupe"
	"github.com/tocsin/tocsin/depgraph"
)

// parts make the engine's parts out of a configuration, as often as the engine wants them.
type parts struct {
	config     *config.Config
	standing   standing
	specs      []alarm.ReceiverSpec
	alertLimit int
	restore    func(*alarm.Stored) alarm.Entities
	limited    func(alertname string)
	swallowed  func(dedupe.Swallower)
}

// checkParts says what is wrong with a configuration beyond what its file shows.
func checkParts(c *config.Config) error {
	if _, err := route.New(c.Route(), c.TimeIntervals(), c.Teams()...); err != nil {
		return fmt.Errorf("route: %w", err)
	}
	if _, err := depgraph.New(c.Rules(), c.GraphOptions(nil)); err != nil {
		return fmt.Errorf("inhibit_rules and tocsin.dependencies: %w", err)
	}
	if _, err := depgraph.NewRollups(c.Rollups(), c.RollupOptions(nil)); err != nil {
		return fmt.Errorf("tocsin.rollups: %w", err)
	}
	return nil
}

// build is the alarm.Build of the configuration.
func (p *parts) build(now time.Time, s *alarm.Stored) (alarm.Parts, error) {
	c := p.config
	presence, err := dedupe.NewPresence(now, s, dedupe.Options{
		ResolveTimeout: c.ResolveTimeout(), StartupGrace: c.Tocsin.StartupGrace,
		ReplicaLabels: c.Tocsin.ReplicaLabels, Sources: p.standing.names,
		Expect: p.standing.expect, MaxStaleOf: p.standing.maxStale,
		PerAlertnameLimit: p.alertLimit, Limited: p.limited,
		Linger: c.Linger(), Flap: c.Flap(), Swallowed: p.swallowed,
	})
	if err != nil {
		return alarm.Parts{}, err
	}
	tree, err := route.New(c.Route(), c.TimeIntervals(), c.Teams()...)
	if err != nil {
		return alarm.Parts{}, err
	}
	suppressors, err := p.suppressors(now, s, tree)
	if err != nil {
		return alarm.Parts{}, err
	}
	return alarm.Parts{Presence: presence, Suppressors: suppressors, Router: tree, Receivers: p.specs}, nil
}

// suppressors are in the order in which they judge: people and plans, what explains what, what may be
// transient, and what is too much at once.
func (p *parts) suppressors(now time.Time, s *alarm.Stored, tree *route.Tree) ([]alarm.Suppressor, error) {
	c := p.config
	var live alarm.Entities
	if p.restore != nil {
		live = p.restore(s)
	}
	all := []alarm.Suppressor{silence.NewSuppressor(now, s.Silences)}
	if len(c.Tocsin.Rollups) > 0 {
		rollups, err := depgraph.NewRollups(c.Rollups(), c.RollupOptions(live))
		if err != nil {
			return nil, err
		}
		all = append(all, rollups.Suppressor())
	}
	graph, err := depgraph.New(c.Rules(), c.GraphOptions(live))
	if err != nil {
		return nil, err
	}
	all = append(all, graph.Suppressor(s.Rows...))
	if opts, ok := c.Hold(); ok {
		opts.Swallowed = p.swallowed
		hold, err := dedupe.NewHold(s, opts)
		if err != nil {
			return nil, err
		}
		all = append(all, hold)
	}
	if opts, ok := c.Flood(func(ls model.LabelSet) string { return audience(tree, ls) }); ok {
		opts.Owner = func(ls model.LabelSet) string { return owner(tree, ls) }
		opts.Swallowed = p.swallowed
		flood, err := dedupe.NewFlood(s, opts)
		if err != nil {
			return nil, err
		}
		all = append(all, flood)
	}
	return all, nil
}

// audience is everybody whom an alert reaches.
func audience(tree *route.Tree, ls model.LabelSet) string {
	receivers := slices.Compact(slices.Sorted(slices.Values(tree.Receivers(ls))))
	all := strings.Join(receivers, ", ")
	if teams := tree.Teams(ls); len(teams) > 0 {
		all += " of " + strings.Join(teams, ", ")
	}
	return all
}

// owner is the team that owns an alert, or empty unless there is exactly one.
func owner(tree *route.Tree, ls model.LabelSet) string {
	if teams := tree.Teams(ls); len(teams) == 1 {
		return teams[0]
	}
	return ""
}
