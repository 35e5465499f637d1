package web

import (
	"cmp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/depgraph"
)

// A box is one alert of the graph, or several of one name that the same causes explain and that explain
// nothing themselves.
type box struct {
	nodes   []*depgraph.DrawnNode
	causes  []*box // in the order of the boxes
	lines   map[*box]line
	layer   int // how many causes stand above it at most
	x, y    int
	bundled bool
}

// A line leads to a box from one of its causes.
type line struct {
	rules    []string
	settling bool // no cause fires any more
}

// bundleFrom is how many alerts that look alike are drawn as one.
const bundleFrom = 3

// boxesOf makes the boxes of a graph: those that stand for the most first, which puts every cause before
// what it explains. It keeps so many of them, and counts the alerts of the others.
func boxesOf(g depgraph.Drawing, most int) (kept []*box, left int) {
	above := map[model.Fingerprint][]depgraph.DrawnEdge{}
	for _, e := range g.Edges { // sorted by cause
		above[e.Impact] = append(above[e.Impact], e)
	}
	boxes, of := gather(g.Nodes, above)
	slices.SortStableFunc(boxes, func(a, b *box) int {
		return cmp.Or(cmp.Compare(b.weight(), a.weight()), orderOf(a.bundled)-orderOf(b.bundled))
	})
	for _, b := range boxes[min(len(boxes), most):] {
		left += len(b.nodes)
	}
	kept = boxes[:min(len(boxes), most)]
	for _, b := range kept {
		for _, e := range above[b.nodes[0].Fingerprint] { // the same for all of a bundle, but for the rules
			if cause := of[e.Cause]; cause != b && slices.Contains(kept, cause) {
				b.link(cause, e)
			}
		}
	}
	layer(kept)
	return kept, left
}

func orderOf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// gather bundles the ends of chains that look alike.
func gather(nodes []depgraph.DrawnNode, above map[model.Fingerprint][]depgraph.DrawnEdge) ([]*box, map[model.Fingerprint]*box) {
	type look struct{ name, causes string }
	looks := map[look][]*depgraph.DrawnNode{}
	lookOf := func(n *depgraph.DrawnNode) look {
		l := look{}
		if n.Alert != nil {
			l.name = n.Alert.Name()
		}
		var causes strings.Builder
		last := model.Fingerprint(0)
		for _, e := range above[n.Fingerprint] {
			if e.Cause != last { // by several rules
				causes.WriteString(e.Cause.String())
				last = e.Cause
			}
		}
		l.causes = causes.String()
		return l
	}
	for i := range nodes {
		if n := &nodes[i]; n.Explains == 0 {
			l := lookOf(n)
			looks[l] = append(looks[l], n)
		}
	}
	var boxes []*box
	of := map[model.Fingerprint]*box{}
	for i := range nodes {
		n := &nodes[i]
		if of[n.Fingerprint] != nil {
			continue // in a bundle already
		}
		b := &box{nodes: []*depgraph.DrawnNode{n}}
		if n.Explains == 0 {
			if alike := looks[lookOf(n)]; len(alike) >= bundleFrom {
				b.nodes, b.bundled = alike, true
			}
		}
		for _, member := range b.nodes {
			of[member.Fingerprint] = b
		}
		boxes = append(boxes, b)
	}
	return boxes, of
}

// weight is how many alerts hang on a box.
func (b *box) weight() int {
	if b.bundled {
		return len(b.nodes)
	}
	return b.nodes[0].Explains
}

func (b *box) link(cause *box, e depgraph.DrawnEdge) {
	if b.lines == nil {
		b.lines = map[*box]line{}
	}
	l, known := b.lines[cause]
	if !known {
		b.causes = append(b.causes, cause)
		l.settling = true
	}
	if e.Rule != "" && !slices.Contains(l.rules, e.Rule) {
		l.rules = append(l.rules, e.Rule)
	}
	l.settling = l.settling && e.Settling
	b.lines[cause] = l
}

// maxLayers bounds the layers. Rules form no cycle; what verdicts of two instants say may.
const maxLayers = 20

// layer puts each box below all of its causes.
func layer(boxes []*box) {
	for range boxes {
		moved := false
		for _, b := range boxes {
			for _, cause := range b.causes {
				if to := min(cause.layer+1, maxLayers-1); b.layer < to {
					b.layer, moved = to, true
				}
			}
		}
		if !moved {
			return
		}
	}
}

// place gives each box a row: what it explains stands beside it and below. A box that several explain
// stands with the nearest of them. It returns how many rows and layers there are.
func place(boxes []*box) (rows, layers int) {
	below := map[*box][]*box{}
	var tops []*box
	for _, b := range boxes {
		var home *box
		for _, cause := range b.causes {
			if cause.layer < b.layer && (home == nil || cause.layer > home.layer) {
				home = cause
			}
		}
		if home == nil {
			tops = append(tops, b)
		} else {
			below[home] = append(below[home], b)
		}
	}
	var put func(b *box)
	put = func(b *box) {
		b.x, b.y, layers = b.layer, rows, max(layers, b.layer+1)
		for _, next := range below[b] {
			put(next)
		}
		if len(below[b]) == 0 {
			rows++
		}
	}
	for _, b := range tops {
		put(b)
	}
	return rows, layers
}
