package discovery

import (
	"slices"
	"strings"
	"time"
)

// Health is what is known of one service at one time: what its endpoint answered, or why it did not.
type Health struct {
	Target   Target        `json:"target"`
	At       time.Time     `json:"at"`      // when it was asked, by the prober's clock
	Latency  time.Duration `json:"latency"` // until the answer was read, or NotGiven
	Activity Activity      `json:"activity,omitzero"`

	Report

	// Stale is when the dependencies were last reported, if this answer says nothing of them.
	Stale time.Time `json:"stale,omitzero"`

	// Raw is the document as it came, and ContentType its type. Who does not need the document any more
	// drops it: it may have a megabyte.
	Raw         []byte `json:"-"`
	ContentType string `json:"-"`
}

// NoAnswer is the health of a service whose endpoint gave no answer that can be read. It fails; if our
// own network is gone, or it was asked wrongly or not at all, nothing is known of it.
func NoAnswer(t Target, at time.Time, why Why, message string) Health {
	h := Health{Target: t, At: at, Latency: NotGiven, Activity: t.Activity}
	h.Report = Report{
		Format: NoFormat, State: Fail, Why: why, Message: prose(message),
		Duration: NotGiven, Operations: NotGiven, FailedOperations: NotGiven,
	}
	switch why {
	case WhyOwnNetwork, WhyConfiguration, WhyNotAsked:
		h.State = Unknown
	}
	h.Hash = hash(&h.Report)
	return h
}

// Grace is how many complete reports may leave a dependency out before it is taken off the tree.
const Grace = 3

// Carry completes what an answer says from what was known before; before may be nil.
//
// An answer without a report does not clear the dependencies: they stay, and Stale says since when they
// are old. A report that lists only what fails says that what was listed before is well. A dependency
// that a complete report leaves out is unknown for Grace reports, and then gone.
func Carry(before *Health, h Health) Health {
	if before == nil || len(before.Nodes) == 0 {
		return h
	}
	switch {
	case h.Format == NoFormat:
		h.Nodes, h.Stale = before.Nodes, before.Stale
		if h.Stale.IsZero() {
			h.Stale = before.At
		}
		return h // and the hash stays that of the answer
	case h.Format != before.Format && h.Format != Generic && h.Format != Text:
		return h // another program answers
	}
	nodes, changed := complete(before.Nodes, h.Nodes, h.Partial)
	if changed {
		h.Nodes = nodes
		h.Hash = hash(&h.Report)
	}
	return h
}

// complete adds to nodes what was there before and is missing. Both are sorted by name.
func complete(before, nodes []Node, partial bool) (all []Node, changed bool) {
	for i := range before {
		old := &before[i]
		at, found := slices.BinarySearchFunc(nodes, old.Name, func(n Node, name string) int { return strings.Compare(n.Name, name) })
		if found {
			if len(old.Children) == 0 {
				continue
			}
			if children, c := complete(old.Children, nodes[at].Children, partial); c {
				if !changed {
					nodes, changed = slices.Clone(nodes), true
				}
				nodes[at].Children = children
			}
			continue
		}
		left := Node{Name: old.Name, State: OK, Duration: NotGiven}
		switch {
		case partial:
		case old.Absent >= Grace:
			continue
		default:
			left = Node{Name: old.Name, Kind: old.Kind, State: Unknown, Duration: NotGiven, Message: "no longer reported", Absent: old.Absent + 1}
		}
		nodes, changed = slices.Insert(slices.Clone(nodes), at, left), true
	}
	return nodes, changed
}
