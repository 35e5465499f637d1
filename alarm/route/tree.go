package route

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A Tree is a routing tree that was checked and is ready to be asked.
type Tree struct {
	root   *node
	crews  []crew
	byID   map[string]*node
	groups *groups
}

var _ alarm.Router = (*Tree)(nil)

// A node is one route with everything that it inherited.
type node struct {
	index     int // among all nodes, in the order of the tree
	match     Match
	receivers []string // match.Receiver alone
	matchers  matcher.Matchers
	goOn      bool              // Continue
	groupBy   []model.LabelName // sorted
	times     times

	children []*node
	wide     *matcher.Index[*node] // the same children, if they are many
}

// wideFrom is the number of children from which on an Index finds those that match sooner than trying
// one after the other does, as BenchmarkWide shows.
const wideFrom = 8

// New checks a tree and makes it ready. The intervals are those that the routes may name. Teams stand
// beside the tree: an alert goes to every team that owns it, and to the root only if neither a team nor
// another route takes it. The error joins everything that is wrong, each an [*InvalidError].
func New(root Route, intervals map[string][]timeinterval.TimeInterval, teams ...Team) (*Tree, error) {
	if problems := append(root.problems(intervals), teamProblems(teams)...); len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	t := &Tree{byID: map[string]*node{}, groups: newGroups()}
	base := Match{
		GroupBy: []model.LabelName{}, Labels: model.LabelSet{},
		Wait: DefaultWait, Interval: DefaultInterval, Repeat: DefaultRepeat,
	}
	t.root = t.grow(&root, base, "", intervals)
	t.enlist(teams)
	return t, nil
}

// grow makes the node of r and those below it. Above is what r inherits, and position where it
// stands among its siblings, as its ID shows it.
func (t *Tree) grow(r *Route, above Match, position string, intervals map[string][]timeinterval.TimeInterval) *node {
	sorted := r.Matchers.Sorted()
	m := inherit(r, above)
	m.Path = append(slices.Clip(above.Path), sorted.String())
	if len(m.Path) == 1 {
		m.Key, m.RouteID = sorted.String(), sorted.String()
	} else {
		m.Key = above.Key + "/" + sorted.String()
		m.RouteID = above.RouteID + "/" + sorted.String() + "/" + position
	}
	n := &node{
		index:     len(t.byID),
		match:     m,
		receivers: []string{m.Receiver},
		matchers:  sorted,
		goOn:      r.Continue,
		groupBy:   slices.Sorted(slices.Values(m.GroupBy)),
		times:     newTimes(r.MuteTimeIntervals, r.ActiveTimeIntervals, intervals),
	}
	t.byID[m.RouteID] = n
	for i := range r.Routes {
		n.children = append(n.children, t.grow(&r.Routes[i], m, strconv.Itoa(i), intervals))
	}
	if len(n.children) >= wideFrom {
		n.wide = new(matcher.Index[*node])
		for _, child := range n.children {
			n.wide.Add(child.matchers, child)
		}
	}
	return n
}

// inherit returns what holds at r: its own, or what is above.
func inherit(r *Route, above Match) Match {
	m := above
	m.Receiver = cmp.Or(r.Receiver, above.Receiver)
	switch {
	case r.GroupBy != nil:
		m.GroupBy, m.GroupByAll = r.GroupBy, false
	case r.GroupByAll:
		m.GroupBy, m.GroupByAll = nil, true
	}
	m.Wait = valueOr(r.Wait, above.Wait)
	m.Interval = valueOr(r.Interval, above.Interval)
	m.Repeat = valueOr(r.Repeat, above.Repeat)
	if len(r.Labels) > 0 {
		m.Labels = above.Labels.Merge(r.Labels)
	}
	m.MuteTimeIntervals, m.ActiveTimeIntervals = r.MuteTimeIntervals, r.ActiveTimeIntervals
	return m
}

func valueOr(own *time.Duration, inherited time.Duration) time.Duration {
	if own != nil {
		return *own
	}
	return inherited
}

// ends appends the nodes at which a label set that matches n ends up.
func (n *node) ends(ls model.LabelSet, found []*node) []*node {
	before := len(found)
	if n.wide != nil {
		for child := range n.wide.Matching(ls) {
			found = child.ends(ls, found)
			if !child.goOn {
				break
			}
		}
	} else {
		for _, child := range n.children {
			if !child.matchers.Matches(ls) {
				continue
			}
			found = child.ends(ls, found)
			if !child.goOn {
				break
			}
		}
	}
	if len(found) == before {
		found = append(found, n)
	}
	return found
}

// Route returns the group of the label set at each route where it ends up, in the order of the tree.
// A group is the same value each time, as long as anybody holds it. Route must be called by one
// goroutine at a time.
func (t *Tree) Route(ls model.LabelSet) []*alarm.Group {
	var few [8]*node // on the stack
	ends := t.ends(ls, few[:0])
	all := make([]*alarm.Group, len(ends))
	for i, n := range ends {
		all[i] = t.groups.of(n, ls)
	}
	return all
}

// Receivers returns the receiver of each route at which the label set ends up, in the order of the
// tree; the same one can occur several times.
func (t *Tree) Receivers(ls model.LabelSet) []string {
	var few [8]*node
	ends := t.ends(ls, few[:0])
	if len(ends) == 1 {
		return ends[0].receivers
	}
	all := make([]string, len(ends))
	for i, n := range ends {
		all[i] = n.match.Receiver
	}
	return all
}

// Muted says by which time intervals the route is muted at now, and when that can be different: the
// answer is the same until next, and need not differ then. Next is zero if it is the same for ever. A
// route that the tree does not have is not muted.
func (t *Tree) Muted(routeID string, now time.Time) (by []string, next time.Time) {
	n := t.byID[routeID]
	if n == nil {
		return nil, time.Time{}
	}
	return n.times.muted(now)
}

// newGroup makes the group of a label set at n.
func (n *node) newGroup(ls model.LabelSet) *alarm.Group {
	labels := ls
	if !n.match.GroupByAll {
		labels = make(model.LabelSet, len(n.groupBy))
		for _, name := range n.groupBy {
			if value, ok := ls[name]; ok {
				labels[name] = value
			}
		}
	}
	return &alarm.Group{
		RouteID:     n.match.RouteID,
		Key:         fmt.Sprintf("%s:%s", n.match.Key, labels),
		Receiver:    n.match.Receiver,
		Team:        n.match.Team,
		Labels:      labels,
		Path:        n.match.Path,
		RouteLabels: n.match.Labels,
		Wait:        n.match.Wait,
		Interval:    n.match.Interval,
		Repeat:      n.match.Repeat,
	}
}
