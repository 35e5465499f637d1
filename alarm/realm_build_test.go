package alarm_test

import (
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/alarm/silence"
	"github.com/tocsin/tocsin/dedupe"
	"github.com/tocsin/tocsin/depgraph"
)

// A configuration of a realm is the set of the parts that it has.
type realmConfig uint

const (
	withRollups realmConfig = 1 << iota
	withDependencies
	withHold
	withFlood
	withLinger
	withFlap
	withTeams
	withEverything = 1<<iota - 1
)

// realmTolerates is how many of a cluster's nodes may be down until that is an outage.
const realmTolerates = 1

// realmReceivers have all kinds of integrations beside each other. What ops refuses for good, b is told.
func realmReceivers() []alarm.ReceiverSpec {
	webhook := alarm.IntegrationSpec{Name: "webhook[0]", SendResolved: true}
	ops := alarm.IntegrationSpec{Name: "ops[0]", SendResolved: true, Level: true}
	return []alarm.ReceiverSpec{
		{Name: "a", Integrations: []alarm.IntegrationSpec{webhook, ops}, Fallback: "b"},
		{Name: "b", Integrations: []alarm.IntegrationSpec{webhook}},
		{Name: "c", Integrations: []alarm.IntegrationSpec{ops, {Name: "slack[0]"}}},
	}
}

func realmSeverities() alarm.Severities {
	return alarm.Severities{Values: []alarm.Severity{{Name: "critical", Page: true}, {Name: "warning", Page: true}, {Name: "info"}}}
}

// realmRules explain along chains, alone and together, for a while and as long as somebody knows.
func realmRules() []depgraph.Rule {
	cluster := depgraph.Same("cluster")
	return []depgraph.Rule{
		{
			Name: "old", Kind: depgraph.Inhibition, On: []depgraph.Pair{cluster},
			Cause: matcher.MustParse(`alertname="ClusterDown"`), Impact: matcher.MustParse(`alertname="Disk"`),
		},
		{
			Name: "node", Cause: matcher.MustParse(`alertname="Node"`), Impact: matcher.MustParse(`alertname=~"Target|Latency"`),
			On:       []depgraph.Pair{cluster, {Impact: "instance", Cause: "node", StripPort: true}},
			HoldBack: 40 * time.Second, Settle: time.Minute, Max: 15 * time.Minute,
		},
		{
			Name: "cluster", Cause: matcher.MustParse(`alertname="ClusterDown"`), Impact: matcher.MustParse(`alertname=~"Node|Outage"`),
			On: []depgraph.Pair{cluster}, Settle: 30 * time.Second, AnySeverity: true, SilencedPass: true,
		},
		{
			Name: "outage", Cause: matcher.MustParse(`alertname="Outage"`), Impact: matcher.MustParse(`alertname="Target"`),
			On: []depgraph.Pair{cluster}, KeepOpen: true,
		},
		{
			Name: "disks", Cause: matcher.MustParse(`alertname="Disk"`), Impact: matcher.MustParse(`alertname="Cpu"`),
			On: []depgraph.Pair{cluster}, Require: depgraph.AtLeast, Least: 2, HoldBack: 20 * time.Second,
		},
	}
}

func realmRollups() []depgraph.Rollup {
	return []depgraph.Rollup{{
		Name: "Outage", Match: matcher.MustParse(`alertname="Node"`), By: []model.LabelName{"cluster"},
		Of: depgraph.Pool{Number: 4}, Tolerate: depgraph.Tolerance{Count: realmTolerates},
		Raise: depgraph.Raise{
			Labels:      model.LabelSet{"severity": "critical", "extent": "part"},
			Annotations: map[model.LabelName]string{"summary": "{{ .Count }} of {{ .Total }}"},
		},
		Steps: []depgraph.Step{{Above: depgraph.Tolerance{Percent: 60}, Raise: depgraph.Raise{Labels: model.LabelSet{"extent": "whole"}}}},
	}}
}

// build makes the parts as the server does.
func (c realmConfig) build(now time.Time, s *alarm.Stored) (alarm.Parts, error) {
	has := func(part realmConfig) bool { return c&part != 0 }
	presence := dedupe.Options{Sources: []string{"one", "two"}}
	if has(withLinger) {
		presence.Linger = 45 * time.Second
	}
	if has(withFlap) {
		presence.Flap = &dedupe.FlapOptions{HalfLife: 5 * time.Minute, Min: 2 * time.Minute, Max: 20 * time.Minute}
	}
	p, err := dedupe.NewPresence(now, s, presence)
	if err != nil {
		return alarm.Parts{}, err
	}
	wait, interval, repeat := 10*time.Second, time.Minute, 2*time.Hour
	root := route.Route{
		Receiver: "a", GroupBy: []model.LabelName{model.AlertNameLabel}, Wait: &wait, Interval: &interval, Repeat: &repeat,
		Routes: []route.Route{{Receiver: "c", Matchers: matcher.MustParse(`n="1"`), Continue: true}, {Matchers: matcher.MustParse(`n="2"`), GroupByAll: true}},
	}
	var teams []route.Team
	if has(withTeams) {
		teams = []route.Team{{Name: "zero", Clusters: []string{"0"}, Receivers: []string{"b"}}, {Name: "node", Matchers: matcher.MustParse(`alertname="Node"`), Receivers: []string{"c"}}}
	}
	tree, err := route.New(root, nil, teams...)
	if err != nil {
		return alarm.Parts{}, err
	}
	suppressors, err := c.suppressors(now, s, tree)
	return alarm.Parts{Presence: p, Suppressors: suppressors, Router: tree, Receivers: realmReceivers()}, err
}

func (c realmConfig) suppressors(now time.Time, s *alarm.Stored, tree *route.Tree) ([]alarm.Suppressor, error) {
	has := func(part realmConfig) bool { return c&part != 0 }
	all := []alarm.Suppressor{silence.NewSuppressor(now, s.Silences)}
	if has(withRollups) {
		rollups, err := depgraph.NewRollups(realmRollups(), depgraph.RollupOptions{})
		if err != nil {
			return nil, err
		}
		all = append(all, rollups.Suppressor())
	}
	rules := realmRules()
	if !has(withDependencies) {
		rules = rules[:1]
	}
	graph, err := depgraph.New(rules, depgraph.Options{Severities: realmSeverities(), Untold: 5 * time.Minute})
	if err != nil {
		return nil, err
	}
	all = append(all, graph.Suppressor(s.Rows...))
	if has(withHold) {
		hold, err := dedupe.NewHold(s, dedupe.HoldOptions{
			Severities: realmSeverities(), For: map[string]time.Duration{"warning": 30 * time.Second, "info": 2 * time.Minute}, Within: 15 * time.Minute,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, hold)
	}
	if has(withFlood) {
		flood, err := dedupe.NewFlood(s, dedupe.FloodOptions{
			Severities: realmSeverities(), Pages: 4, Within: 2 * time.Minute, Max: 20 * time.Minute,
			Team: func(ls model.LabelSet) string { return append(tree.Teams(ls), tree.Receivers(ls)[0])[0] },
		})
		if err != nil {
			return nil, err
		}
		all = append(all, flood)
	}
	return all, nil
}
