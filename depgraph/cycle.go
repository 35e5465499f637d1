package depgraph

import (
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// A CycleError says that rules may explain alerts by each other in a circle, so that all of them would be
// withheld for each other's sake. It is returned by [New].
type CycleError struct {
	// Rules are the names of the rules, and roll-ups, along the circle; the first is the last as well.
	Rules []string
}

// Error names the path.
func (e *CycleError) Error() string {
	quoted := make([]string, len(e.Rules))
	for i, name := range e.Rules {
		quoted[i] = strconv.Quote(name)
	}
	return "rules explain alerts in a circle, for an impact of each may be a cause of the next: " + strings.Join(quoted, " -> ") +
		"; narrow the matchers of one so that they exclude it"
}

// A vertex is a rule in the graph of rules: an edge leads from it to each whose causes its impacts may be.
type vertex struct {
	name    string
	causes  []matcher.Matchers // any of them
	impact  matcher.Matchers
	ordered bool // its edges follow the topology, which has no circles
	rollup  bool
}

// findCycles returns an error for each set of rules that may explain alerts in a circle. Inhibitions may:
// in Alertmanager two alerts can mute each other. So may one rule alone, for an alert that matches both
// of its sides is explained by none of which that is true as well.
func findCycles(rules []Rule, rollups []Rollup) []error {
	var vs []vertex
	for _, r := range rules {
		if r.Kind == Inhibition {
			continue
		}
		cause, impact := slices.Clone(r.Cause), slices.Clone(r.Impact)
		for _, p := range r.On {
			if !p.Optional {
				cause, impact = append(cause, has(p.Cause)), append(impact, has(p.Impact))
			}
		}
		vs = append(vs, vertex{name: r.Name, causes: []matcher.Matchers{cause}, impact: impact, ordered: r.Via})
	}
	for _, r := range rollups {
		v := vertex{name: r.Name, impact: slices.Clone(r.Match), rollup: true}
		for _, by := range r.By {
			v.impact = append(v.impact, has(string(by)))
		}
		for _, raise := range r.raises() {
			ms := matcher.FromLabels(raise.labels(r.Name, model.LabelSet{}))
			for _, by := range r.By {
				ms = append(ms, has(string(by)))
			}
			v.causes = append(v.causes, ms)
		}
		vs = append(vs, v)
	}
	edges := connect(vs)
	var wrong []error
	done := map[int]bool{}
	component := components(edges)
	sizes := map[int]int{}
	for _, c := range component {
		sizes[c]++
	}
	for i := range vs {
		if c := component[i]; sizes[c] > 1 && !vs[i].ordered && !done[c] {
			done[c] = true
			wrong = append(wrong, &CycleError{Rules: circle(vs, edges, component, i)})
		}
	}
	return wrong
}

// has matches alerts that have the label.
func has(label string) *matcher.Matcher {
	return &matcher.Matcher{Type: matcher.NotEqual, Name: label}
}

// connect finds the edges. Causes are filed by what they require to be equal, so that most pairs are
// never looked at.
func connect(vs []vertex) [][]int {
	filed := map[string]map[string][]int{} // by label and value
	loose := map[string][]int{}            // what does not require the label to be equal to something
	for i := range vs {
		for _, ms := range vs[i].causes {
			for _, m := range ms {
				if m.Type == matcher.Equal && filed[m.Name] == nil {
					filed[m.Name] = map[string][]int{}
				}
			}
		}
	}
	for name := range filed { // the order does not show: each label has its own lists
		for i := range vs {
			if values := vs[i].required(name); values != nil {
				for _, v := range values {
					filed[name][v] = append(filed[name][v], i)
				}
			} else {
				loose[name] = append(loose[name], i)
			}
		}
	}
	edges := make([][]int, len(vs))
	for i := range vs {
		for _, k := range candidates(&vs[i], filed, loose, len(vs)) {
			if i != k && vs[i].leadsTo(&vs[k]) {
				edges[i] = append(edges[i], k)
			}
		}
	}
	return edges
}

// required returns the values that the label of a cause may have, or nil if it may have any.
func (v *vertex) required(label string) []string {
	var values []string
	for _, ms := range v.causes {
		n := slices.IndexFunc(ms, func(m *matcher.Matcher) bool { return m.Type == matcher.Equal && m.Name == label })
		if n < 0 {
			return nil
		}
		if !slices.Contains(values, ms[n].Value) {
			values = append(values, ms[n].Value)
		}
	}
	return values
}

// candidates returns the vertices that may follow v, sorted: the shortest list that a label gives.
func candidates(v *vertex, filed map[string]map[string][]int, loose map[string][]int, n int) []int {
	var best []int
	found := false
	for _, m := range v.impact {
		values, ok := filed[m.Name]
		if !ok || m.Type != matcher.Equal {
			continue
		}
		if list := slices.Concat(values[m.Value], loose[m.Name]); !found || len(list) < len(best) {
			best, found = list, true
		}
	}
	if !found {
		best = make([]int, n)
		for i := range best {
			best[i] = i
		}
	}
	slices.Sort(best)
	return slices.Compact(best)
}

// leadsTo says whether an impact of v may be a cause of w. A roll-up's impacts are alerts of sources, and
// its causes are raised: none is an impact of another.
func (v *vertex) leadsTo(w *vertex) bool {
	if v.rollup && w.rollup {
		return false
	}
	return slices.ContainsFunc(w.causes, func(cause matcher.Matchers) bool { return !disjoint(v.impact, cause) })
}

// circle returns a shortest way from a vertex back to itself.
func circle(vs []vertex, edges [][]int, component []int, start int) []string {
	from := map[int]int{}
	queue := []int{start}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, next := range edges[at] {
			if next == start {
				names := []string{vs[start].name}
				for ; at != start; at = from[at] {
					names = append(names, vs[at].name)
				}
				names = append(names, vs[start].name)
				slices.Reverse(names)
				return names
			}
			if _, seen := from[next]; !seen && component[next] == component[start] {
				from[next] = at
				queue = append(queue, next)
			}
		}
	}
	return []string{vs[start].name}
}
