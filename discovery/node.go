package discovery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// NotGiven is the value of a duration or a count that a document does not give.
const NotGiven = -1

// A Node is one dependency in a health document, or a part of one.
type Node struct {
	Name      string        `json:"name"`             // unique among its siblings
	Shared    string        `json:"shared,omitempty"` // the name in the document, if siblings have it too
	Kind      string        `json:"kind,omitempty"`   // datastore, responseTime, sql, ...
	State     State         `json:"state"`
	RawStatus string        `json:"status,omitempty"`  // the document's word
	Message   string        `json:"message,omitempty"` // for people
	Error     string        `json:"error,omitempty"`   // unless it is the message
	Duration  time.Duration `json:"duration"`          // or NotGiven
	CheckedAt time.Time     `json:"checkedAt,omitzero"`
	Value     string        `json:"value,omitempty"` // what was measured, as JSON
	Unit      string        `json:"unit,omitempty"`
	Tags      []string      `json:"tags,omitempty"`
	Data      []KV          `json:"data,omitempty"` // sorted by key
	Children  []Node        `json:"children,omitempty"`

	// Absent counts the reports in a row that left the dependency out, though they are complete. See
	// [Carry].
	Absent int `json:"absent,omitempty"`
}

// A KV is one scalar of a node's data. Keys of nested data are joined by dots.
type KV struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// Worst returns the worst state among nodes and their children, or None if none of them has one.
func Worst(nodes []Node) State {
	worst := None
	for i := range nodes {
		worst = max(worst, nodes[i].State, Worst(nodes[i].Children))
	}
	return worst
}

// Walk calls visit for each node with its path, parents before their children. A path is the names
// joined by slashes; a slash or per cent sign in a name is written as %2F or %25. It is what a
// dependency is known by in comparisons between environments and over time.
func Walk(nodes []Node, visit func(path string, n *Node)) {
	walk("", nodes, visit)
}

func walk(parent string, nodes []Node, visit func(string, *Node)) {
	for i := range nodes {
		path := pathElement(nodes[i].Name)
		if parent != "" {
			path = parent + "/" + path
		}
		visit(path, &nodes[i])
		walk(path, nodes[i].Children, visit)
	}
}

func pathElement(name string) string {
	if !strings.ContainsAny(name, "/%") {
		return name
	}
	return strings.NewReplacer("%", "%25", "/", "%2F").Replace(name)
}

// Find returns the node with this path, or nil.
func Find(nodes []Node, path string) *Node {
	for i := range nodes {
		element := pathElement(nodes[i].Name)
		if path == element {
			return &nodes[i]
		}
		if rest, ok := strings.CutPrefix(path, element+"/"); ok {
			if n := Find(nodes[i].Children, rest); n != nil {
				return n
			}
		}
	}
	return nil
}

// arrange sorts siblings by name, and makes the names of those that share one unique: x, x#2, x#3.
func arrange(nodes []Node) {
	slices.SortStableFunc(nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	again := false
	for i := 0; i < len(nodes); {
		end := i + 1
		for end < len(nodes) && nodes[end].Name == nodes[i].Name {
			nodes[end].Shared = nodes[i].Name
			nodes[end].Name = fmt.Sprintf("%s#%d", nodes[i].Name, end-i+1)
			end++
		}
		if end > i+1 {
			nodes[i].Shared = nodes[i].Name
			again = true
		}
		i = end
	}
	if !again {
		return
	}
	for again { // one that is called x#2 by itself stays; the one that was made so moves on
		again = false
		slices.SortStableFunc(nodes, func(a, b Node) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Shared, b.Shared))
		})
		for i := 1; i < len(nodes); i++ {
			if nodes[i].Name == nodes[i-1].Name {
				nodes[i].Name += "'"
				again = true
			}
		}
	}
}
