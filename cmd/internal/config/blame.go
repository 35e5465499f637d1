package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	yamlv2 "gopkg.in/yaml.v2"
)

// A piece is a part of the file that Alertmanager can judge by itself: a section, one receiver, one
// route without those below it, one rule. head is the rest of a minimal configuration around it.
type piece struct {
	path string
	node *yaml.Node
	head string
	span span
	drop []cutout
}

// A cutout is lines that are left out of a piece, for which with is written instead.
type cutout struct {
	span
	with string
}

// blame shows the file to Alertmanager in pieces and returns what it says of each.
func blame(d *document) Problems {
	if hasAlias(d.root) {
		return nil // a piece may need an anchor that stands elsewhere
	}
	var problems Problems
	var global string // what receivers need not say themselves
	var globalErr error
	for _, p := range pieces(d) {
		if strings.HasPrefix(p.path, "receivers") {
			p.head = global + p.head
		}
		err := p.judge(d)
		if p.path == "global" {
			global, globalErr = p.body(d), err
		} else if err != nil && globalErr != nil && err.Error() == globalErr.Error() {
			continue // said already
		}
		if err != nil && !strings.Contains(err.Error(), stubName) { // what is wrong with our stub is not the file's fault
			problems = append(problems, p.problems(d, err)...)
		}
	}
	return problems
}

func hasAlias(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return true
	}
	for _, c := range n.Content {
		if hasAlias(c) {
			return true
		}
	}
	return false
}

// A minimal configuration: nobody else will call a receiver so.
const (
	stubName  = "tocsin's stub"
	stubRoute = `route: {receiver: "` + stubName + `"}` + "\n"
	stub      = stubRoute + `receivers: [{name: "` + stubName + `"}]` + "\n"
)

// pieces takes the file apart. The section global comes first.
func pieces(d *document) []piece {
	var global, others []piece
	top := entries(d.root)
	for i, s := range d.spans(d.root, d.end()) {
		key, value := top[i].key.Value, top[i].value
		lists := map[string]string{
			"receivers":           stubRoute + "receivers:\n- name: " + stubName + "\n",
			"inhibit_rules":       stub + "inhibit_rules:\n",
			"time_intervals":      stub + "time_intervals:\n",
			"mute_time_intervals": stub + "mute_time_intervals:\n",
		}
		switch head, isList := lists[key]; {
		case key == Key:
		case key == "global":
			global = append(global, piece{path: key, node: value, head: stub, span: s})
		case key == "route":
			others = append(others, routePieces(d, value, key, "", s)...)
		case isList && d.spans(value, s.to) != nil:
			for j, item := range d.spans(value, s.to) {
				others = append(others, piece{path: key + index(j), node: value.Content[j], head: head, span: item})
			}
		case key == "receivers":
			if ns := names(value); len(ns) > 0 {
				head := fmt.Sprintf("route: {receiver: %q}\n", ns[0])
				others = append(others, piece{path: key, node: value, head: head, span: s})
			}
		default:
			others = append(others, piece{path: key, node: value, head: stub, span: s})
		}
	}
	return append(global, others...)
}

// routePieces returns a piece for a route, without those below it, and then one for each of these.
func routePieces(d *document, route *yaml.Node, path, head string, s span) []piece {
	own := piece{path: path, node: route, head: define(route) + head, span: s}
	var below []piece
	children := d.spans(route, s.to)
	for i, e := range entries(route) {
		if e.key.Value != "routes" || children == nil {
			continue
		}
		routes := d.spans(e.value, children[i].to)
		if routes == nil {
			continue
		}
		own.drop = append(own.drop, d.without(e.key, children[i], len(children) == 1))
		for j, child := range routes {
			below = append(below, routePieces(d, e.value.Content[j], join(path, "routes"+index(j)), "route:\n receiver: "+stubName+"\n routes:\n", child)...)
		}
	}
	return append([]piece{own}, below...)
}

// define defines the receivers and time intervals that a route and those below it name. Whether
// they really are is checked across the file.
func define(route *yaml.Node) string {
	receivers, intervals := []string{stubName}, []string{}
	visitRoutes(route, "", func(route *yaml.Node, _ string) {
		receivers = append(receivers, text(get(route, "receiver")))
		for _, key := range []string{"mute_time_intervals", "active_time_intervals"} {
			for _, n := range items(get(route, key)) {
				intervals = append(intervals, text(n))
			}
		}
	})
	return "receivers: " + named(receivers) + "\ntime_intervals: " + named(intervals) + "\n"
}

// named returns a list of mappings with only a name, each name once, as JSON, which is YAML.
func named(names []string) string {
	type item struct {
		Name string `json:"name"`
	}
	list := []item{}
	for _, n := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if n != "" {
			list = append(list, item{n})
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings always can be marshaled
	}
	return string(b)
}

// without leaves out one entry of a mapping or sequence. A dash before it stays.
func (d *document) without(n *yaml.Node, s span, only bool) cutout {
	c := cutout{span: s, with: "#\n"}
	line := d.lines[s.from-1]
	if prefix := line[:min(n.Column-1, len(line))]; n.Line == s.from && strings.TrimSpace(prefix) != "" {
		c.with = prefix + "\n"
		if only {
			c.with = prefix + "{}\n"
		}
	}
	return c
}

// body returns the lines of the piece, as many as it has in the file.
func (p piece) body(d *document) string {
	var b strings.Builder
	for n := p.span.from; n < p.span.to; n++ {
		line := d.lines[n-1]
		for _, c := range p.drop {
			if n == c.from {
				line = c.with
			} else if n > c.from && n < c.to {
				line = "#\n"
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

// judge says what Alertmanager thinks of the piece.
func (p piece) judge(d *document) error {
	_, err := load(p.head + p.body(d) + "\n")
	return err
}

// problems says where in the piece an error is.
func (p piece) problems(d *document, err error) Problems {
	if _, ok := errors.AsType[*yamlv2.TypeError](err); ok {
		return typeProblems(d, err, p.span, p.span.from-1-strings.Count(p.head, "\n"))
	}
	path, line := p.narrow(d, err)
	return Problems{{File: d.name, Line: line, Path: path, What: err.Error()}}
}

// narrow leaves out one entry after another: without the one that is wrong the error is gone, or at
// least another one.
func (p piece) narrow(d *document, err error) (path string, line int) {
	path, line = p.path, max(p.node.Line, p.span.from)
	node, end := p.node, p.span.to
	for {
		step := 1
		if node.Kind == yaml.MappingNode {
			step = 2
		}
		children := d.spans(node, end)
		without := make([]error, len(children))
		for i, s := range children {
			less := p
			less.drop = append(slices.Clone(p.drop), d.without(node.Content[i*step], s, len(children) == 1))
			without[i] = less.judge(d)
		}
		culprit := slices.Index(without, nil)
		if culprit < 0 {
			culprit = slices.IndexFunc(without, func(other error) bool { return other.Error() != err.Error() })
		}
		if culprit < 0 {
			return path, line
		}
		name := index(culprit)
		if step == 2 {
			name = node.Content[2*culprit].Value
		}
		path, line, end = join(path, name), children[culprit].from, children[culprit].to
		node = node.Content[culprit*step+step-1]
	}
}
