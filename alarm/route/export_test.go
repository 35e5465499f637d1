package route

import (
	"maps"
	"slices"
)

// Remembered returns how many groups the tree knows of.
func (t *Tree) Remembered() int { return len(t.groups.made) }

// IDs returns the IDs of all routes, sorted.
func (t *Tree) IDs() []string { return slices.Sorted(maps.Keys(t.byID)) }
