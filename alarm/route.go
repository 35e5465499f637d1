package alarm

import (
	"time"

	"github.com/prometheus/common/model"
)

// A Router says which groups an alert belongs to.
type Router interface {
	// Route returns one Group for each route that the labels match, in the order of the tree. A
	// group that was returned before may be returned again as the same value. It must not be
	// modified.
	Route(model.LabelSet) []*Group

	// Muted says by which time intervals a route is muted at now, and when to ask again (the zero
	// time: the answer does not change).
	Muted(routeID string, now time.Time) (by []string, next time.Time)
}

// A Group is a set of alerts that is told together: those that match one route and agree in the
// labels that it groups by. Two groups are the same if RouteID and Labels are.
type Group struct {
	RouteID  string         // unique in the tree
	Key      string         // Alertmanager's group key, such as {}/{team="db"}:{alertname="X"}
	Receiver string         // who is told
	Team     string         // whose route it is, if it is a team's
	Labels   model.LabelSet // the values of the labels grouped by
	Path     []string       // the matchers from the root to the route, for people

	// RouteLabels are the labels that the route and its parents set; their values are templates.
	RouteLabels model.LabelSet

	Wait     time.Duration // group_wait
	Interval time.Duration // group_interval
	Repeat   time.Duration // repeat_interval
}

// ID identifies the group: two groups with the same key may stand at different routes.
func (g *Group) ID() string { return g.RouteID + "\x00" + g.Labels.Fingerprint().String() }
