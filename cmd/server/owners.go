package server

import (
	"sync/atomic"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/cmd/internal/web"
)

var _ web.Teams = (*owners)(nil)

// owners says who owns which alerts under the configuration in force.
type owners struct {
	config func() *config.Config
	tree   atomic.Pointer[ownersTree]
}

// An ownersTree is the routing tree of one configuration. It has one of its own, for the engine's is asked
// by the engine alone.
type ownersTree struct {
	config *config.Config
	*route.Tree
}

// Names returns the teams in the order of the configuration.
func (o *owners) Names() []string {
	var names []string
	for _, t := range o.config().Teams() {
		names = append(names, t.Name)
	}
	return names
}

// Of returns the teams that own an alert, and whether a team or a route other than the root takes it.
func (o *owners) Of(ls model.LabelSet) (teams []string, owned bool) {
	c := o.config()
	tree := o.tree.Load()
	if tree == nil || tree.config != c {
		made, err := route.New(c.Route(), c.TimeIntervals(), c.Teams()...)
		if err != nil {
			return nil, true // it is in force, so it is valid
		}
		tree = &ownersTree{c, made}
		o.tree.Store(tree)
	}
	return tree.Teams(ls), tree.Owned(ls)
}
