package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A document is the text of one file together with its tree, which knows the lines.
type document struct {
	name  string
	lines []string // each with its line break

	// root is the value of the first document, or nil if the text is empty or is no YAML; then err
	// says why. second is the value of the second document, which nobody reads.
	root, second *yaml.Node
	err          error
}

func newDocument(name string, text []byte) *document {
	d := &document{name: name, lines: splitLines(string(text))}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	d.root, d.err = nextDocument(dec)
	if d.root != nil {
		d.second, _ = nextDocument(dec)
	}
	return d
}

func nextDocument(dec *yaml.Decoder) (*yaml.Node, error) {
	var n yaml.Node
	switch err := dec.Decode(&n); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if n.Kind != yaml.DocumentNode || len(n.Content) != 1 {
		return nil, nil
	}
	return n.Content[0], nil
}

// splitLines splits at every line break that YAML 1.1 knows, so that a yaml.Node's Line is an index.
func splitLines(text string) []string {
	var lines []string
	start := 0
	for i := 0; i < len(text); i++ {
		width := 0
		switch rest := text[i:]; {
		case strings.HasPrefix(rest, "\r\n"):
			width = 2
		case rest[0] == '\n', rest[0] == '\r':
			width = 1
		case strings.HasPrefix(rest, "\u0085"):
			width = 2
		case strings.HasPrefix(rest, "\u2028"), strings.HasPrefix(rest, "\u2029"):
			width = 3
		default:
			continue
		}
		i += width - 1
		lines = append(lines, text[start:i+1])
		start = i + 1
	}
	if start < len(text) {
		lines = append(lines, text[start:])
	}
	return lines
}

// problem makes a problem at a node.
func (d *document) problem(n *yaml.Node, path, what, remedy string) Problem {
	p := Problem{File: d.name, Path: path, What: what, Remedy: remedy}
	if n != nil {
		p.Line = n.Line
	}
	return p
}

// A span is a range of lines, from 1, without to.
type span struct{ from, to int }

// end returns the line after the last of the first document.
func (d *document) end() int {
	for i := d.root.Line; i < len(d.lines); i++ { // the line after the root's first
		line := strings.TrimRight(d.lines[i], "\r\n")
		for _, mark := range []string{"---", "..."} {
			if line == mark || strings.HasPrefix(line, mark+" ") || strings.HasPrefix(line, mark+"\t") {
				return i + 1
			}
		}
	}
	return len(d.lines) + 1
}

// spans returns the lines of each entry of a block mapping or sequence that ends before the line
// end, or nil if the entries are not on lines of their own.
func (d *document) spans(n *yaml.Node, end int) []span {
	if n.Style&yaml.FlowStyle != 0 {
		return nil
	}
	step := 1
	switch n.Kind {
	case yaml.MappingNode:
		step = 2
	case yaml.SequenceNode:
	default:
		return nil
	}
	var spans []span
	least := 1
	for i := 0; i < len(n.Content); i += step {
		from := n.Content[i].Line
		for n.Kind == yaml.SequenceNode && from > least && !strings.HasPrefix(strings.TrimLeft(d.lines[from-1], " "), "-") {
			from-- // the dash stands on a line before its entry
		}
		if from < least || from >= end {
			return nil
		}
		if len(spans) > 0 {
			spans[len(spans)-1].to = from
		}
		spans = append(spans, span{from, end})
		least = from + 1
	}
	return spans
}

// entry is one key of a mapping.
type entry struct{ key, value *yaml.Node }

// entries returns the keys of a mapping in their order; of anything else, none.
func entries(n *yaml.Node) []entry {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	es := make([]entry, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		es = append(es, entry{n.Content[i], n.Content[i+1]})
	}
	return es
}

// items returns the entries of a sequence; of anything else, none.
func items(n *yaml.Node) []*yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// get returns the value of a key, or nil.
func get(n *yaml.Node, key string) *yaml.Node {
	for _, e := range entries(n) {
		if e.key.Value == key {
			return resolve(e.value)
		}
	}
	return nil
}

// text returns a scalar's value, or nothing.
func text(n *yaml.Node) string {
	if n = resolve(n); n == nil || n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	return n.Value
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// join appends a key, or an index such as [3], to a path.
func join(path, key string) string {
	if path == "" || strings.HasPrefix(key, "[") {
		return path + key
	}
	return path + "." + key
}

func index(i int) string { return fmt.Sprintf("[%d]", i) }
