package route

import (
	"encoding/binary"
	"slices"
	"weak"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// groups remembers the groups that were made and that somebody still holds, so that one group is one
// value. What nobody holds is dropped: group labels that come and go, such as the names of pods, do
// not pile up.
type groups struct {
	made  map[string]weak.Pointer[alarm.Group]
	sweep int // the size at which dead entries are looked for

	key   []byte            // scratch
	names []model.LabelName // scratch
}

const firstSweep = 1024

func newGroups() *groups {
	return &groups{made: map[string]weak.Pointer[alarm.Group]{}, sweep: firstSweep}
}

// of returns the group of a label set at n.
func (g *groups) of(n *node, ls model.LabelSet) *alarm.Group {
	g.key = g.appendKey(g.key[:0], n, ls)
	if group := g.made[string(g.key)].Value(); group != nil {
		return group
	}
	group := n.newGroup(ls)
	if len(g.made) >= g.sweep {
		for key, made := range g.made {
			if made.Value() == nil {
				delete(g.made, key)
			}
		}
		g.sweep = max(firstSweep, 2*len(g.made))
	}
	g.made[string(g.key)] = weak.Make(group)
	return group
}

// appendKey writes the node and the labels grouped by. Lengths come first, so that no value can look
// like two.
func (g *groups) appendKey(b []byte, n *node, ls model.LabelSet) []byte {
	b = binary.AppendUvarint(b, uint64(n.index))
	if !n.match.GroupByAll {
		for _, name := range n.groupBy { // the node says which these are
			value, ok := ls[name]
			if !ok {
				b = append(b, 0)
				continue
			}
			b = binary.AppendUvarint(b, uint64(len(value))+1)
			b = append(b, value...)
		}
		return b
	}
	g.names = g.names[:0]
	for name := range ls {
		g.names = append(g.names, name)
	}
	slices.Sort(g.names)
	for _, name := range g.names {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
		b = binary.AppendUvarint(b, uint64(len(ls[name])))
		b = append(b, ls[name]...)
	}
	return b
}
