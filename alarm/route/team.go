package route

import (
	"fmt"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// A Team is who is responsible for some alerts, wherever these stand in the tree.
type Team struct {
	// Name is unique among the teams.
	Name string

	// Matchers, Clusters and AlertGroups say whose alerts they are. What is given must all hold: the
	// matchers, one of the values of the label cluster, one of the values of the label alertgroup,
	// which vmalert sets. At least one of them must be given.
	Matchers    matcher.Matchers
	Clusters    []string
	AlertGroups []string

	// Receivers are told, each with the grouping and the timers of the root.
	Receivers []string
}

// The labels by which an alert says where it belongs.
const (
	clusterLabel    = "cluster"
	alertGroupLabel = "alertgroup"
)

// Owns says whether the alert with these labels is the team's.
func (t *Team) Owns(ls model.LabelSet) bool {
	return oneOf(t.Clusters, ls[clusterLabel]) && oneOf(t.AlertGroups, ls[alertGroupLabel]) && t.Matchers.Matches(ls)
}

func oneOf(allowed []string, value model.LabelValue) bool {
	return len(allowed) == 0 || slices.Contains(allowed, string(value))
}

// teamProblems collects everything that is wrong with the teams.
func teamProblems(teams []Team) []error {
	var all []error
	add := func(i int, field, format string, args ...any) {
		all = append(all, &InvalidError{Path: fmt.Sprintf("teams[%d].%s", i, field), Problem: fmt.Sprintf(format, args...)})
	}
	for i := range teams {
		t := &teams[i]
		if t.Name == "" {
			add(i, "name", "a team needs a name")
		}
		if slices.ContainsFunc(teams[:i], func(o Team) bool { return o.Name == t.Name }) {
			add(i, "name", "there are two teams %q", t.Name)
		}
		if len(t.Matchers) == 0 && len(t.Clusters) == 0 && len(t.AlertGroups) == 0 {
			add(i, "matchers", "a team needs matchers, clusters or alert groups: without them it would own every alert")
		}
		if len(t.Receivers) == 0 {
			add(i, "receivers", "nobody would be told")
		}
		for k, name := range t.Receivers {
			if slices.Contains(t.Receivers[:k], name) {
				add(i, "receivers", "receiver %q occurs twice", name)
			}
		}
	}
	return all
}

// A crew is a team with a node for each of its receivers.
type crew struct {
	*Team
	nodes []*node
}

// enlist makes the nodes of the teams. They stand beside the tree, and inherit from its root.
func (t *Tree) enlist(teams []Team) {
	for i := range teams {
		c := crew{Team: &teams[i]}
		for _, receiver := range c.Receivers {
			m := t.root.match
			m.Team, m.Receiver = c.Name, receiver
			m.Key = m.Key + "/team:" + c.Name
			m.RouteID = m.Key + "/" + receiver
			m.Path = append(slices.Clip(m.Path), "team "+c.Name)
			n := &node{index: len(t.byID), match: m, receivers: []string{receiver}, groupBy: t.root.groupBy}
			t.byID[m.RouteID] = n
			c.nodes = append(c.nodes, n)
		}
		t.crews = append(t.crews, c)
	}
}

// ends appends the nodes at which a label set ends up: those of the tree, then those of its teams. The
// root is for what nobody else takes. A receiver that the tree leads to already is not told twice.
func (t *Tree) ends(ls model.LabelSet, found []*node) []*node {
	found = t.root.ends(ls, found)
	unclaimed := len(found) == 1 && found[0] == t.root
	for _, c := range t.crews {
		if !c.Owns(ls) {
			continue
		}
		if unclaimed {
			found, unclaimed = found[:0], false
		}
		for _, n := range c.nodes {
			if !slices.ContainsFunc(found, func(o *node) bool { return o.match.Receiver == n.match.Receiver }) {
				found = append(found, n)
			}
		}
	}
	return found
}

// Teams returns the names of the teams that own an alert, in their order.
func (t *Tree) Teams(ls model.LabelSet) []string {
	var names []string
	for _, c := range t.crews {
		if c.Owns(ls) {
			names = append(names, c.Name)
		}
	}
	return names
}

// Owned says whether a team or a route other than the root takes the alert.
func (t *Tree) Owned(ls model.LabelSet) bool {
	var few [8]*node
	ends := t.ends(ls, few[:0])
	return len(ends) != 1 || ends[0] != t.root
}
