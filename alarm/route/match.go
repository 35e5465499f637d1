package route

import (
	"time"

	"github.com/prometheus/common/model"
)

// A Match is one route at which a label set ends up, with everything that holds there.
type Match struct {
	RouteID string   // unique in the tree
	Key     string   // what the group keys of the route begin with
	Path    []string // the matchers from the root to the route, each node's as one string

	Team       string // if the match is a team's
	Receiver   string
	GroupBy    []model.LabelName // nil if GroupByAll
	GroupByAll bool
	Labels     model.LabelSet // own and inherited

	Wait     time.Duration // group_wait
	Interval time.Duration // group_interval
	Repeat   time.Duration // repeat_interval

	MuteTimeIntervals   []string
	ActiveTimeIntervals []string
}

// Match explains how a label set is routed: one Match for each route at which it ends up, in the
// order of the tree.
func (t *Tree) Match(ls model.LabelSet) []Match {
	ends := t.ends(ls, nil)
	all := make([]Match, len(ends))
	for i, n := range ends {
		all[i] = n.match
	}
	return all
}
