package depgraph

import (
	"cmp"
	"maps"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A Drawing is the graph of what fires now, for a page: causes, what each explains, and how many.
type Drawing struct {
	Nodes []DrawnNode // those that explain the most come first
	Edges []DrawnEdge // between them, sorted by cause, impact and rule
	Left  int         // how many more nodes there are
}

// A DrawnNode is an alert that is a cause, an impact, or both.
type DrawnNode struct {
	Fingerprint model.Fingerprint
	Alert       *alarm.Alert // nil: a cause that nobody knows any more, whose impacts still settle
	Direct      int          // how many alerts it explains itself
	Explains    int          // and how many in all, those at the end of chains among them
	Root        bool         // nothing explains it
}

// A DrawnEdge leads from a cause to one of its impacts.
type DrawnEdge struct {
	Cause, Impact model.Fingerprint
	Rule          string
	Reason        alarm.Reason
	Settling      bool // the cause does not fire any more
}

// Draw returns the graph of what the verdicts of these alerts say: inhibitions, dependencies and
// roll-ups. It has at most so many nodes; 0 means 500. The order of the readings does not matter.
func Draw(readings []alarm.Reading, most int) Drawing {
	if most <= 0 {
		most = 500
	}
	alerts := make(map[model.Fingerprint]*alarm.Alert, len(readings))
	below := map[model.Fingerprint][]model.Fingerprint{}
	explained := map[model.Fingerprint]bool{}
	var edges []DrawnEdge
	for _, r := range readings {
		impact := r.Alert.Fingerprint()
		alerts[impact] = r.Alert
		if r.Verdict == nil || r.Alert.State == alarm.Resolved {
			continue
		}
		for _, why := range r.Verdict.Suppressions {
			switch why.Reason {
			case alarm.ReasonInhibition, alarm.ReasonDependency, alarm.ReasonRollup:
			default:
				continue
			}
			cause, err := model.ParseFingerprint(why.By)
			if err != nil || cause == impact {
				continue // it waits for a cause, or is tolerated
			}
			edges = append(edges, DrawnEdge{Cause: cause, Impact: impact, Rule: why.Rule, Reason: why.Reason})
			explained[impact] = true
			if list := below[cause]; len(list) == 0 || list[len(list)-1] != impact { // by several rules
				below[cause] = append(list, impact)
			}
		}
	}
	nodes := map[model.Fingerprint]*DrawnNode{}
	for i := range edges {
		e := &edges[i]
		e.Settling = alerts[e.Cause] == nil || alerts[e.Cause].State != alarm.Firing
		for _, fp := range []model.Fingerprint{e.Cause, e.Impact} {
			if nodes[fp] == nil {
				nodes[fp] = &DrawnNode{
					Fingerprint: fp, Alert: alerts[fp], Direct: len(below[fp]), Explains: reachable(below, fp), Root: !explained[fp],
				}
			}
		}
	}
	return crop(nodes, edges, most)
}

// reachable counts the alerts that one explains, directly or not.
func reachable(below map[model.Fingerprint][]model.Fingerprint, from model.Fingerprint) int {
	if len(below[from]) == 0 {
		return 0
	}
	seen := map[model.Fingerprint]struct{}{from: {}}
	queue := []model.Fingerprint{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, next := range below[at] {
			if _, again := seen[next]; !again {
				seen[next] = struct{}{}
				queue = append(queue, next)
			}
		}
	}
	return len(seen) - 1
}

// crop keeps the nodes that explain the most, and the edges between them.
func crop(nodes map[model.Fingerprint]*DrawnNode, edges []DrawnEdge, most int) Drawing {
	order := slices.SortedFunc(maps.Values(nodes), func(a, b *DrawnNode) int {
		return cmp.Or(cmp.Compare(b.Explains, a.Explains), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	d := Drawing{Left: max(0, len(order)-most)}
	kept := map[model.Fingerprint]struct{}{}
	for _, n := range order[:len(order)-d.Left] {
		kept[n.Fingerprint] = struct{}{}
		d.Nodes = append(d.Nodes, *n)
	}
	for _, e := range edges {
		_, from := kept[e.Cause]
		_, to := kept[e.Impact]
		if from && to {
			d.Edges = append(d.Edges, e)
		}
	}
	slices.SortFunc(d.Edges, func(a, b DrawnEdge) int {
		return cmp.Or(cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Impact, b.Impact), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Reason, b.Reason))
	})
	d.Edges = slices.Compact(d.Edges)
	return d
}
