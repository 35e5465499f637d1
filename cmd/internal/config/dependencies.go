package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/depgraph"
)

// A Dependency says which alerts explain which others.
type Dependency struct {
	// Name is unique. State is kept by it.
	Name string `yaml:"name"`

	// Cause and Impact match the alerts on both sides; of a list all have to match.
	Cause  []matcher.Matchers `yaml:"cause"`
	Impact []matcher.Matchers `yaml:"impact"`

	// On are the labels whose values have to be the same on both sides.
	On []LabelPair `yaml:"on"`

	// Via is topology if the cause is about something that what the impact is about depends on.
	Via string `yaml:"via"`

	// Require says how many causes it takes: any, which is the default, all, or {at_least: 2}.
	Require Requirement `yaml:"require"`

	// Of says which entities of the topology Require counts. Defaults to those whose labels do not
	// contradict cause.
	Of []matcher.Matchers `yaml:"of"`

	// AnySeverity lets a cause explain what is more severe than itself. Defaults to false.
	AnySeverity bool `yaml:"any_severity"`

	// CauseSilenced is explain, which is the default, or pass: then a cause that is silenced explains
	// nothing.
	CauseSilenced string `yaml:"cause_silenced"`

	// CloseOpen closes an impact that is open at a level-triggered receiver. Defaults to true.
	CloseOpen bool `yaml:"close_open"`

	// HoldBack is how long an impact waits for a cause that comes later. Defaults to 0.
	HoldBack time.Duration `yaml:"hold_back"`

	// Settle is how long an impact stays withheld after what explained it is over. Defaults to 0.
	Settle time.Duration `yaml:"settle"`

	// Max is how long an impact that goes on firing is withheld. Defaults to as long as somebody knows
	// of the cause.
	Max time.Duration `yaml:"max"`
}

func (d *Dependency) setDefaults() { d.CloseOpen = true }

// A LabelPair is written as the name of a label that both sides have, or as a mapping.
type LabelPair depgraph.Pair

// pairKeys is the mapping form of a LabelPair. If one name is missing it is the other's.
type pairKeys struct {
	Impact    string `yaml:"impact"`
	Cause     string `yaml:"cause"`
	StripPort bool   `yaml:"strip_port"`
	Optional  bool   `yaml:"optional"`
}

func (p *LabelPair) decodeNode(d *decoder, n *yaml.Node, path string) {
	var keys pairKeys
	if n.Kind == yaml.ScalarNode {
		keys.Impact = n.Value
	} else {
		d.mapping(n, path, reflect.ValueOf(&keys).Elem())
		if keys.Impact == "" && keys.Cause == "" {
			d.refuse(n, path, "no label is named", "write {impact: instance, cause: node}")
			return
		}
	}
	if keys.Impact == "" {
		keys.Impact = keys.Cause
	}
	if keys.Cause == "" {
		keys.Cause = keys.Impact
	}
	for _, name := range []string{keys.Impact, keys.Cause} {
		if !matcher.ValidName(name) {
			d.refuse(n, path, fmt.Sprintf("%q is no label name", name), "write one such as cluster")
			return
		}
	}
	*p = LabelPair(keys)
}

// A Requirement says how many causes it takes to explain an impact.
type Requirement struct {
	Require depgraph.Require
	Least   int
}

const requireRemedy = "write any, all or {at_least: 2}"

func (r *Requirement) decodeNode(d *decoder, n *yaml.Node, path string) {
	if n.Kind != yaml.ScalarNode {
		var keys struct {
			AtLeast int `yaml:"at_least"`
		}
		wrong := len(d.problems)
		d.mapping(n, path, reflect.ValueOf(&keys).Elem())
		if keys.AtLeast < 1 && len(d.problems) == wrong {
			d.refuse(n, path, "so few are no requirement", requireRemedy)
		}
		*r = Requirement{depgraph.AtLeast, keys.AtLeast}
		return
	}
	switch require := depgraph.Require(n.Value); require {
	case depgraph.Any, depgraph.All:
		r.Require = require
	default:
		d.refuse(n, path, fmt.Sprintf("%q is no requirement", n.Value), requireRemedy)
	}
}

// all joins matchers that all have to match.
func all(list []matcher.Matchers) matcher.Matchers { return slices.Concat(list...) }

func (d *Dependency) rule() depgraph.Rule {
	r := depgraph.Rule{
		Name: d.Name, Kind: depgraph.Dependency, Cause: all(d.Cause), Impact: all(d.Impact),
		Via: d.Via != "", Require: d.Require.Require, Least: d.Require.Least, Of: all(d.Of),
		AnySeverity: d.AnySeverity, SilencedPass: d.CauseSilenced == "pass", KeepOpen: !d.CloseOpen,
		HoldBack: d.HoldBack, Settle: d.Settle, Max: d.Max,
	}
	for _, p := range d.On {
		r.On = append(r.On, depgraph.Pair(p))
	}
	return r
}

// Rules returns the dependencies in their order, and after them the inhibit rules.
func (c *Config) Rules() []depgraph.Rule {
	var rules []depgraph.Rule
	for i := range c.Tocsin.Dependencies {
		rules = append(rules, c.Tocsin.Dependencies[i].rule())
	}
	return append(rules, c.InhibitRules()...)
}

// GraphOptions returns what the rules refer to. Live is what health says of the topology.
func (c *Config) GraphOptions(live alarm.Entities) depgraph.Options {
	return depgraph.Options{Severities: c.Severities(), Topology: c.Topology(live), Rollups: c.Rollups()}
}

func (v validator) dependencies(t *Tocsin) {
	seen := map[string]bool{}
	for i := range t.Dependencies {
		d := &t.Dependencies[i]
		path := join(v.root, "dependencies"+index(i))
		at := func(key string) *yaml.Node { return v.at("dependencies", i, key) }
		if isNull(v.at("dependencies", i)) {
			continue // refused already
		}
		wrong := len(v.problems)
		switch {
		case d.Name == "":
			v.refuse(at("name"), join(path, "name"), "no name is given", "give it one: reasons and state have it")
		case seen[d.Name]:
			v.refuse(at("name"), join(path, "name"), fmt.Sprintf("%q is given twice", d.Name), "choose another name")
		}
		seen[d.Name] = true
		if matchesEverything(all(d.Cause)) {
			v.refuse(at("cause"), join(path, "cause"), "every alert would be a cause", `write cause: ['alertname="NodeDown"']`)
		}
		if len(d.Impact) == 0 {
			v.refuse(at("impact"), join(path, "impact"), "every alert would be an impact", `write impact: ['alertname="TargetDown"']`)
		}
		switch {
		case d.Via != "" && d.Via != "topology":
			v.refuse(at("via"), join(path, "via"), fmt.Sprintf("no way via %q", d.Via), "write via: topology")
		case d.Via != "" && !t.Topology.given():
			v.refuse(at("via"), join(path, "via"), "there is no topology", "write topology: {files: [topology.yml]}, or {health: true}")
		case d.Via == "" && len(d.On) == 0:
			v.refuse(at("on"), join(path, "on"), "nothing says which cause belongs to which impact", "write on: [cluster], or via: topology")
		}
		if !slices.Contains([]string{"", "explain", "pass"}, d.CauseSilenced) {
			v.refuse(at("cause_silenced"), join(path, "cause_silenced"), fmt.Sprintf("no way to %q", d.CauseSilenced), "write explain or pass")
		}
		v.lengths(d, at, path)
		if len(v.problems) > wrong {
			continue
		}
		rule := d.rule()
		for _, err := range joined(rule.Validate(depgraph.Options{Topology: alarm.Entities{}})) {
			v.refuse(v.at("dependencies", i), path, err.Error(), "")
		}
	}
}

// lengths refuses times that would never come to an end, for Max ends them.
func (v validator) lengths(d *Dependency, at func(string) *yaml.Node, path string) {
	for _, l := range []struct {
		key    string
		length time.Duration
	}{{"hold_back", d.HoldBack}, {"settle", d.Settle}} {
		if d.Max > 0 && l.length > d.Max {
			v.refuse(at(l.key), join(path, l.key), fmt.Sprintf("longer than max, which is %s", model.Duration(d.Max)), "write less, or a longer max")
		}
	}
}

// matchesEverything says that surely every alert matches. Every alert has a name.
func matchesEverything(ms matcher.Matchers) bool {
	return !slices.ContainsFunc(ms, func(m *matcher.Matcher) bool {
		values := []string{"x", "Ω ☃", "-0.1:/"} // which nobody means, all three
		if m.Name != model.AlertNameLabel {
			values = append(values, "")
		}
		missed := slices.ContainsFunc(values, func(value string) bool { return !m.Matches(value) })
		return missed || (m.Type == matcher.NotEqual || m.Type == matcher.NotRegexp) && m.Value != ""
	})
}

// circles refuses dependencies and roll-ups that explain each other. It is called last: what is wrong
// otherwise comes first.
func (v validator) circles(t *Tocsin) {
	if len(v.problems) > 0 {
		return
	}
	var rules []depgraph.Rule
	for i := range t.Dependencies {
		rules = append(rules, t.Dependencies[i].rule())
	}
	o := depgraph.Options{Topology: alarm.Entities{}}
	for i := range t.Rollups {
		o.Rollups = append(o.Rollups, t.Rollups[i].rollup())
	}
	_, err := depgraph.New(rules, o)
	for _, err := range joined(err) {
		key, i := "dependencies", 0
		if circle, ok := errors.AsType[*depgraph.CycleError](err); ok {
			i = slices.IndexFunc(t.Dependencies, func(d Dependency) bool { return d.Name == circle.Rules[0] })
			if i < 0 {
				key, i = "rollups", slices.IndexFunc(t.Rollups, func(r Rollup) bool { return r.Name == circle.Rules[0] })
			}
		}
		v.refuse(v.at(key, max(i, 0)), join(v.root, key+index(max(i, 0))), err.Error(), "")
	}
}

// joined returns the parts of an error that errors.Join made.
func joined(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}
