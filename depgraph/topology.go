package depgraph

import (
	"slices"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A topology is an alarm.Topology, compiled. Entities are positions in it.
type topology struct {
	names     []string
	labels    []model.LabelSet // by which alerts name them
	facts     []model.LabelSet // labels, name and kind
	below     [][]int          // what each depends on, directly
	above     [][]int
	component []int // those that depend on each other are in the same
	byLabels  matcher.Index[int]
}

func newTopology(from alarm.Topology) *topology {
	t := &topology{}
	position := map[string]int{}
	add := func(e alarm.Entity) int {
		i, known := position[e.Name]
		if known {
			return i
		}
		i = len(t.names)
		position[e.Name] = i
		t.names, t.labels = append(t.names, e.Name), append(t.labels, e.Labels)
		t.facts = append(t.facts, model.LabelSet{"name": model.LabelValue(e.Name), "kind": model.LabelValue(e.Kind)}.Merge(e.Labels))
		if len(e.Labels) > 0 {
			t.byLabels.Add(matcher.FromLabels(e.Labels), i)
		}
		return i
	}
	entities := from.Entities()
	for _, e := range entities {
		add(e)
	}
	for _, e := range entities {
		for _, name := range e.DependsOn {
			add(alarm.Entity{Name: name})
		}
	}
	t.below, t.above = make([][]int, len(t.names)), make([][]int, len(t.names))
	for _, e := range entities {
		from := position[e.Name]
		for _, name := range e.DependsOn {
			if to := position[name]; !slices.Contains(t.below[from], to) {
				t.below[from] = append(t.below[from], to)
				t.above[to] = append(t.above[to], from)
			}
		}
	}
	t.component = components(t.below)
	return t
}

// about returns the entity that an alert is about, or -1.
func (t *topology) about(labels model.LabelSet) int {
	best := -1
	for i := range t.byLabels.Matching(labels) {
		if best < 0 || len(t.labels[i]) > len(t.labels[best]) {
			best = i
		}
	}
	return best
}

// reach returns all that can be reached from an entity by the edges, but for those that it can be
// reached from, too.
func (t *topology) reach(edges [][]int, from int) []int {
	var reached []int
	seen := map[int]struct{}{from: {}}
	queue := []int{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, next := range edges[at] {
			if _, again := seen[next]; again {
				continue
			}
			seen[next] = struct{}{}
			queue = append(queue, next)
			if t.component[next] != t.component[from] {
				reached = append(reached, next)
			}
		}
	}
	return reached
}

// dependents are the entities that cannot do without this one.
func (t *topology) dependents(of int) []int { return t.reach(t.above, of) }

// known returns how many of the entities that this one depends on count as possible causes of a rule.
func (t *topology) known(r *rule, of int) int {
	n := 0
	for _, i := range t.reach(t.below, of) {
		if t.counts(r, i) {
			n++
		}
	}
	return n
}

// counts says whether a rule's requirement counts an entity.
func (t *topology) counts(r *rule, entity int) bool {
	if len(r.Of) > 0 {
		return r.Of.Matches(t.facts[entity])
	}
	if len(t.labels[entity]) == 0 {
		return false // no alert is ever about it
	}
	for _, m := range r.Cause {
		if value, ok := t.labels[entity][model.LabelName(m.Name)]; ok && !m.Matches(string(value)) {
			return false
		}
	}
	return true
}

// components numbers the vertices of a graph so that those that reach each other have the same number
// (Tarjan, "Depth-first search and linear graph algorithms", 1972), without recursion.
func components(edges [][]int) []int {
	const none = -1
	n := len(edges)
	number, low, component := make([]int, n), make([]int, n), make([]int, n)
	for i := range n {
		number[i], component[i] = none, none
	}
	type frame struct{ vertex, edge int }
	var stack []int
	count, numbered := 0, 0
	for root := range n {
		if number[root] != none {
			continue
		}
		path := []frame{{root, 0}}
		for len(path) > 0 {
			f := &path[len(path)-1]
			v := f.vertex
			if f.edge == 0 {
				number[v], low[v] = numbered, numbered
				numbered++
				stack = append(stack, v)
			}
			if f.edge < len(edges[v]) {
				next := edges[v][f.edge]
				f.edge++
				if number[next] == none {
					path = append(path, frame{next, 0})
				} else if component[next] == none {
					low[v] = min(low[v], number[next])
				}
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				parent := path[len(path)-1].vertex
				low[parent] = min(low[parent], low[v])
			}
			if low[v] == number[v] {
				for {
					last := stack[len(stack)-1]
					stack = stack[:len(stack)-1]
					component[last] = count
					if last == v {
						break
					}
				}
				count++
			}
		}
	}
	return component
}
