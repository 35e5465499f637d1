package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/depgraph"
)

// A Rollup turns many weak alerts into one that states the impact.
type Rollup struct {
	// Name is unique, and the name of the alert that is raised, unless its labels give another.
	Name string `yaml:"name"`

	// Match says which alerts are counted; of a list all have to match.
	Match []matcher.Matchers `yaml:"match"`

	// By are the labels by whose values they are counted apart.
	By []model.LabelName `yaml:"by"`

	// Of says how many there are: a number, {label: replicas}, or {topology: ['kind="node"']}. Defaults
	// to nobody knows.
	Of Pool `yaml:"of"`

	// Tolerate is how many may fire, as 1 or 25%. Defaults to none.
	Tolerate Tolerance `yaml:"tolerate"`

	// Raise is what is raised beyond that.
	Raise Raise `yaml:"raise"`

	// Steps raise differently: the last whose tolerance is exceeded counts.
	Steps []RollupStep `yaml:"steps"`
}

// A Raise gives labels and templates of annotations.
type Raise struct {
	Labels      model.LabelSet `yaml:"labels"`
	Annotations model.LabelSet `yaml:"annotations"`
}

// A RollupStep raises differently from a share on.
type RollupStep struct {
	Above Tolerance `yaml:"above"`
	Raise Raise     `yaml:"raise"`
}

// A Pool says how many there are of something.
type Pool depgraph.Pool

func (p *Pool) decodeNode(d *decoder, n *yaml.Node, path string) {
	const remedy = `write a number, {label: replicas}, or {topology: ['kind="node"']}`
	if n.Kind == yaml.ScalarNode {
		number, err := strconv.Atoi(n.Value)
		if err != nil || number < 1 {
			d.refuse(n, path, fmt.Sprintf("%q is no size", n.Value), remedy)
			return
		}
		p.Number = number
		return
	}
	var keys struct {
		Label    model.LabelName    `yaml:"label"`
		Topology []matcher.Matchers `yaml:"topology"`
	}
	d.mapping(n, path, reflect.ValueOf(&keys).Elem())
	if keys.Label == "" && len(keys.Topology) == 0 {
		d.refuse(n, path, "it says nothing", remedy)
	}
	p.Label, p.Topology = keys.Label, all(keys.Topology)
}

// A Tolerance is a number, or a share such as 25%.
type Tolerance depgraph.Tolerance

func (t *Tolerance) decodeNode(d *decoder, n *yaml.Node, path string) {
	const remedy = "write a number such as 1, or a share such as 25%"
	if n.Kind != yaml.ScalarNode {
		d.refuse(n, path, "a single value is wanted, not "+describe(n), remedy)
		return
	}
	if share, ok := strings.CutSuffix(n.Value, "%"); ok {
		percent, err := strconv.ParseFloat(share, 64)
		if err != nil || !(percent >= 0 && percent < 100) {
			d.refuse(n, path, fmt.Sprintf("%q is no share below 100%%", n.Value), remedy)
			return
		}
		t.Percent = percent
		return
	}
	count, err := strconv.Atoi(n.Value)
	if err != nil || count < 0 {
		d.refuse(n, path, fmt.Sprintf("%q is no number", n.Value), remedy)
		return
	}
	t.Count = count
}

func (r Raise) raise() depgraph.Raise {
	out := depgraph.Raise{Labels: r.Labels}
	for name, text := range r.Annotations {
		if out.Annotations == nil {
			out.Annotations = map[model.LabelName]string{}
		}
		out.Annotations[name] = string(text)
	}
	return out
}

func (r *Rollup) rollup() depgraph.Rollup {
	out := depgraph.Rollup{
		Name: r.Name, Match: all(r.Match), By: r.By, Of: depgraph.Pool(r.Of),
		Tolerate: depgraph.Tolerance(r.Tolerate), Raise: r.Raise.raise(),
	}
	for _, s := range r.Steps {
		out.Steps = append(out.Steps, depgraph.Step{Above: depgraph.Tolerance(s.Above), Raise: s.Raise.raise()})
	}
	return out
}

// Rollups returns the roll-ups in their order.
func (c *Config) Rollups() []depgraph.Rollup {
	var rollups []depgraph.Rollup
	for i := range c.Tocsin.Rollups {
		rollups = append(rollups, c.Tocsin.Rollups[i].rollup())
	}
	return rollups
}

// RollupOptions returns what the roll-ups refer to. Live is what health says of the topology.
func (c *Config) RollupOptions(live alarm.Entities) depgraph.RollupOptions {
	return depgraph.RollupOptions{Topology: c.Topology(live)}
}

func (v validator) rollups(t *Tocsin) {
	seen := map[string]bool{}
	for _, d := range t.Dependencies {
		seen[d.Name] = true // reasons are told apart by names
	}
	for i := range t.Rollups {
		r := &t.Rollups[i]
		path := join(v.root, "rollups"+index(i))
		if isNull(v.at("rollups", i)) {
			continue // refused already
		}
		wrong := len(v.problems)
		at := func(key string) *yaml.Node { return v.at("rollups", i, key) }
		switch {
		case r.Name == "":
			v.refuse(at("name"), join(path, "name"), "no name is given", "give it one that says what is out")
		case seen[r.Name]:
			v.refuse(at("name"), join(path, "name"), fmt.Sprintf("%q is given twice", r.Name), "choose another name")
		}
		seen[r.Name] = true
		if len(r.Match) == 0 {
			v.refuse(at("match"), join(path, "match"), "nothing says which alerts to count", `write match: ['alertname="NodeDown"']`)
		}
		if len(r.Of.Topology) > 0 && !t.Topology.given() {
			v.refuse(at("of"), join(path, "of"), "there is no topology", "write topology: {files: [topology.yml]}, or {health: true}")
		}
		v.tolerances(i, r, path)
		if len(v.problems) > wrong {
			continue
		}
		rollup := r.rollup()
		for _, err := range joined(rollup.Validate(depgraph.RollupOptions{Topology: alarm.Entities{}})) {
			v.refuse(v.at("rollups", i), path, err.Error(), "")
		}
	}
	if len(v.problems) > 0 {
		return
	}
	var rollups []depgraph.Rollup
	for i := range t.Rollups {
		rollups = append(rollups, t.Rollups[i].rollup())
	}
	if _, err := depgraph.NewRollups(rollups, depgraph.RollupOptions{Topology: alarm.Entities{}}); err != nil {
		v.refuse(v.at("rollups"), join(v.root, "rollups"), err.Error(), "let one of them raise other labels")
	}
}

// tolerances refuses what would never be raised: all of the pool is tolerated, or a step comes after one
// from a greater share on.
func (v validator) tolerances(i int, r *Rollup, path string) {
	if r.tolerated(r.Tolerate) >= float64(r.Of.Number) && r.Of.Number > 0 {
		v.refuse(v.at("rollups", i, "tolerate"), join(path, "tolerate"), fmt.Sprintf("all of the %d are tolerated, and nobody is ever told", r.Of.Number),
			fmt.Sprintf("write at most %d", r.Of.Number-1))
	}
	before := r.Tolerate
	for n := range r.Steps {
		above := r.Steps[n].Above
		node, at := v.at("rollups", i, "steps", n, "above"), join(path, "steps"+index(n)+".above")
		switch {
		case isNull(v.at("rollups", i, "steps", n)): // refused already
			continue
		case r.tolerated(above) >= float64(r.Of.Number) && r.Of.Number > 0:
			v.refuse(node, at, fmt.Sprintf("there are never more than all of the %d", r.Of.Number), fmt.Sprintf("write at most %d", r.Of.Number-1))
		case r.comparable(before, above) && r.tolerated(above) <= r.tolerated(before):
			v.refuse(node, at, "not above what comes before it, of which nobody would ever be told", "let each step be above the one before, and the first above tolerate")
		}
		before = above
	}
}

// tolerated is a tolerance as a number, if the size of the pool is one; else as it is written.
func (r *Rollup) tolerated(t Tolerance) float64 {
	switch {
	case t.Percent > 0 && r.Of.Number > 0:
		return t.Percent / 100 * float64(r.Of.Number)
	case t.Percent > 0:
		return t.Percent
	}
	return float64(t.Count)
}

// comparable says whether one of two tolerances is surely the greater one: none is the least.
func (r *Rollup) comparable(a, b Tolerance) bool {
	return r.Of.Number > 0 || (a.Percent > 0) == (b.Percent > 0) || a == Tolerance{} || b == Tolerance{}
}
