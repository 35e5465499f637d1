package depgraph

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// Options are what the rules of a Graph refer to. The zero value works.
type Options struct {
	// Severities say what is more severe than what. Without any all alerts are equal.
	Severities alarm.Severities

	// Topology says what depends on what, for rules that go via it. It is read by New: when it has
	// changed, make a new Graph. Nil is none.
	Topology alarm.Topology

	// Rollups are those that judge the same alerts, so that loops through both are found. The Graph
	// does nothing else with them.
	Rollups []Rollup

	// Untold bounds how long a rule without a Max withholds an impact while nobody knows of any cause
	// in the chain above it: none was told, is muted by a person or a plan, is inhibited, or is one of so
	// few that a roll-up tolerates them. A cause may be held back as a transient, or be routed to nobody.
	// Defaults to 1 h.
	Untold time.Duration
}

// A Graph holds rules, ready to be asked.
type Graph struct {
	rules      []rule
	causes     matcher.Index[int] // positions in rules
	impacts    matcher.Index[*side]
	topology   *topology // nil: none
	severities alarm.Severities
	untold     time.Duration
}

// A rule is a Rule, compiled.
type rule struct {
	Rule
	key     string // by which its state is found again
	impact  *side
	classes int // of severity
}

func (r *rule) inhibits() bool { return r.Kind == Inhibition }

// A side is what rules with the same impacts have in common: whom they match, and the labels by
// whose values these are told apart.
type side struct {
	id       int
	pairs    []Pair
	via      bool
	loose    bool          // a missing label is an empty one
	holdBack time.Duration // the longest of its rules
	holder   int           // the first rule that has it
}

// New returns the graph of these rules, or everything that is wrong with them: rules whose impacts are
// each other's causes are a [*CycleError].
func New(rules []Rule, o Options) (*Graph, error) {
	g := &Graph{rules: make([]rule, len(rules)), severities: o.Severities, untold: o.Untold}
	if g.untold == 0 {
		g.untold = time.Hour
	}
	if o.Topology != nil {
		g.topology = newTopology(o.Topology)
	}
	sides, named := map[string]*side{}, map[string]int{}
	var wrong []error
	for i := range rules {
		if err := rules[i].Validate(o); err != nil {
			wrong = append(wrong, fmt.Errorf("rule %d %q: %w", i, rules[i].Name, err))
			continue
		}
		g.add(i, rules[i], sides, named)
	}
	if o.Untold < 0 {
		wrong = append(wrong, fmt.Errorf("untold: %s is less than no time", o.Untold))
	}
	if len(wrong) == 0 {
		wrong = findCycles(rules, o.Rollups)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return g, nil
}

// add compiles the i-th rule.
func (g *Graph) add(i int, r Rule, sides map[string]*side, named map[string]int) {
	if r.Kind == "" {
		r.Kind = Dependency
	}
	compiled := rule{Rule: r, key: r.Name, classes: 1}
	if n := named[r.Name]; n > 0 || r.Name == "" {
		compiled.key = fmt.Sprintf("%s#%d", r.Name, n)
	}
	named[r.Name]++
	if !r.AnySeverity && !compiled.inhibits() {
		compiled.classes = len(g.severities.Values) + 1
	}
	key := fmt.Sprintf("%s %v %v", r.Impact.Sorted(), r.Via, compiled.inhibits())
	for _, p := range r.On {
		key += fmt.Sprintf(" %q %v %v", p.Impact, p.StripPort, p.Optional)
	}
	s := sides[key]
	if s == nil {
		s = &side{id: len(sides), pairs: slices.Clone(r.On), via: r.Via, loose: compiled.inhibits(), holder: i}
		sides[key] = s
		g.impacts.Add(r.Impact, s)
	}
	if r.HoldBack > s.holdBack {
		s.holdBack, s.holder = r.HoldBack, i
	}
	compiled.impact = s
	g.rules[i] = compiled
	g.causes.Add(r.Cause, i)
}

// class returns the severity of an alert as a position: 0 is the worst, and the last one is none.
func (g *Graph) class(labels model.LabelSet) int {
	if rank, ok := g.severities.Rank(labels); ok {
		return rank
	}
	return len(g.severities.Values)
}

// entity returns which entity an alert is about, or -1.
func (g *Graph) entity(labels model.LabelSet) int {
	if g.topology == nil {
		return -1
	}
	return g.topology.about(labels)
}
