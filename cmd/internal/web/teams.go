package web

import (
	"slices"

	"github.com/prometheus/common/model"
)

// Teams says who is responsible for which alerts, under the configuration in force.
type Teams interface {
	// Names returns the teams in the configuration's order.
	Names() []string

	// Of returns the teams that own an alert, and whether anybody does: a team, or a route other than
	// the root.
	Of(ls model.LabelSet) (teams []string, owned bool)
}

// ownedBy returns the test for what a team owns, or for what nobody owns. Nil: whoever owns it.
func ownedBy(teams Teams, name string) func(model.LabelSet) bool {
	switch {
	case teams == nil || name == "":
		return nil
	case name == unowned:
		return func(ls model.LabelSet) bool {
			_, owned := teams.Of(ls)
			return !owned
		}
	default:
		return func(ls model.LabelSet) bool {
			names, _ := teams.Of(ls)
			return slices.Contains(names, name)
		}
	}
}

// teams are those of the configuration in force, or nil if it has none: then everything that the root
// takes would be unowned, which says nothing.
func (h *handler) teams() Teams {
	if h.opts.Teams == nil || len(h.opts.Teams.Names()) == 0 {
		return nil
	}
	return h.opts.Teams
}

// teamChoices are the teams, what nobody owns, and what was chosen.
func teamChoices(teams Teams, chosen string) []choice {
	var names []string
	if teams != nil {
		names = teams.Names()
	}
	choices := []choice{{Text: "all"}, {Value: unowned, Text: "unowned", Chosen: chosen == unowned}}
	for _, name := range names[:min(len(names), maxReceivers)] {
		choices = append(choices, choice{Value: name, Text: clip(name, shortText), Chosen: name == chosen})
	}
	if chosen != "" && chosen != unowned && !slices.Contains(names, chosen) {
		choices = append(choices, choice{Value: chosen, Text: clip(chosen, shortText), Chosen: true})
	}
	return choices
}
