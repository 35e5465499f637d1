package alarm

import "github.com/prometheus/common/model"

// An Entity is one thing that alerts are about and that others depend on: a node, a database, a service.
type Entity struct {
	// Name is unique within a topology, such as "node/n1".
	Name string

	// Kind is what sort of thing it is, such as "node". It may be empty.
	Kind string

	// Labels are those by which an alert names the entity: an alert that has all of them is about it. Of
	// several entities an alert is about the one with the most labels, and of these the first. An entity
	// without labels is never named; it may still stand between others.
	Labels model.LabelSet

	// DependsOn are the names of the entities that this one cannot do without.
	DependsOn []string
}

// A Topology says what there is and what depends on what. It is met by a file, by what a cluster says of
// itself, and by anything that an importer knows.
type Topology interface {
	// Entities returns all of it, in an order that is the same whenever it holds the same. Whoever
	// asks does not modify it. If a name occurs twice the first counts, and the dependencies of both
	// do; a dependency that is not there is an entity without labels.
	Entities() []Entity
}

// Entities are a Topology that does not change.
type Entities []Entity

// Entities returns e.
func (e Entities) Entities() []Entity { return e }

// Topologies are several as one, in their order.
type Topologies []Topology

// Entities returns those of each.
func (ts Topologies) Entities() []Entity {
	var all []Entity
	for _, t := range ts {
		all = append(all, t.Entities()...)
	}
	return all
}
