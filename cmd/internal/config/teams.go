package config

import (
	"fmt"
	"slices"

	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

// A Team is responsible for some alerts, and is told of them beside where the routes lead.
type Team struct {
	// Name is unique among the teams.
	Name string `yaml:"name"`

	// Matchers must all hold for the team's alerts.
	Matchers []matcher.Matchers `yaml:"matchers"`

	// Clusters are the values of the label cluster that are the team's. Defaults to all.
	Clusters []string `yaml:"clusters"`

	// AlertGroups are the values of the label alertgroup, which vmalert sets, that are the team's.
	// Defaults to all.
	AlertGroups []string `yaml:"alert_groups"`

	// Receiver and Receivers are told, with the grouping and the timers of the root route.
	Receiver  string   `yaml:"receiver"`
	Receivers []string `yaml:"receivers"`
}

// Teams returns the teams as the routing tree takes them.
func (c *Config) Teams() []route.Team {
	teams := make([]route.Team, 0, len(c.Tocsin.Teams))
	for _, t := range c.Tocsin.Teams {
		teams = append(teams, route.Team{
			Name: t.Name, Matchers: slices.Concat(t.Matchers...), Clusters: t.Clusters, AlertGroups: t.AlertGroups,
			Receivers: t.told(),
		})
	}
	return teams
}

func (t *Team) told() []string {
	if t.Receiver == "" {
		return t.Receivers
	}
	return slices.Concat([]string{t.Receiver}, t.Receivers)
}

func (v validator) teams(teams []Team, receivers []string) {
	seen := map[string]bool{}
	for i := range teams {
		t := &teams[i]
		path := join(v.root, "teams"+index(i))
		if isNull(v.at("teams", i)) {
			continue // refused already
		}
		switch {
		case t.Name == "":
			v.refuse(v.at("teams", i), join(path, "name"), "no name is given", "name the team")
		case seen[t.Name]:
			v.refuse(v.at("teams", i, "name"), join(path, "name"), fmt.Sprintf("%q is given twice", t.Name), "join the two entries")
		}
		seen[t.Name] = true
		if len(slices.Concat(t.Matchers...)) == 0 && len(t.Clusters) == 0 && len(t.AlertGroups) == 0 {
			v.refuse(v.at("teams", i), path, "nothing says which alerts are the team's", `write matchers: ['team="`+t.Name+`"'], clusters or alert_groups`)
		}
		told := t.told()
		if len(told) == 0 {
			v.refuse(v.at("teams", i), path, "nobody would be told", "write receiver: and one of the receivers")
		}
		for k, name := range told {
			switch {
			case !slices.Contains(receivers, name):
				v.refuse(v.at("teams", i, "receiver"), join(path, "receiver"), fmt.Sprintf("no receiver %q", name), known(name, receivers))
			case slices.Contains(told[:k], name):
				v.refuse(v.at("teams", i, "receivers"), join(path, "receivers"), fmt.Sprintf("%q is given twice", name), "remove one")
			}
		}
	}
}
