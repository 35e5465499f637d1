package route_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

// twinOf makes Alertmanager's tree out of ours.
func twinOf(r route.Route) *dispatch.Route { return dispatch.NewRoute(configOf(r), nil) }

func configOf(r route.Route) *config.Route {
	c := &config.Route{
		Receiver: r.Receiver, GroupBy: r.GroupBy, GroupByAll: r.GroupByAll, Continue: r.Continue,
		Matchers:          amcommoncfg.Matchers(slices.Clone(r.Matchers)),
		MuteTimeIntervals: r.MuteTimeIntervals, ActiveTimeIntervals: r.ActiveTimeIntervals,
		GroupWait: (*model.Duration)(r.Wait), GroupInterval: (*model.Duration)(r.Interval), RepeatInterval: (*model.Duration)(r.Repeat),
		Labels: r.Labels,
	}
	for _, child := range r.Routes {
		c.Routes = append(c.Routes, configOf(child))
	}
	return c
}

// twinMatch says in our words what Alertmanager found.
func twinMatch(r *dispatch.Route, path []string) route.Match {
	o := r.RouteOpts
	m := route.Match{
		RouteID: r.ID(), Key: r.Key(), Path: path, Receiver: o.Receiver, GroupByAll: o.GroupByAll, Labels: o.Labels,
		Wait: o.GroupWait, Interval: o.GroupInterval, Repeat: o.RepeatInterval,
		MuteTimeIntervals: o.MuteTimeIntervals, ActiveTimeIntervals: o.ActiveTimeIntervals,
	}
	if !o.GroupByAll {
		m.GroupBy = slices.Sorted(maps.Keys(o.GroupBy))
	}
	return m
}

// twinGroup is the group that Alertmanager's dispatcher makes for an alert. Its getGroupLabels and
// GroupKey cannot be called from outside.
func twinGroup(m route.Match, ls model.LabelSet) *alarm.Group {
	labels := model.LabelSet{}
	for name, value := range ls {
		if m.GroupByAll || slices.Contains(m.GroupBy, name) {
			labels[name] = value
		}
	}
	return &alarm.Group{
		RouteID: m.RouteID, Key: fmt.Sprintf("%s:%s", m.Key, labels), Receiver: m.Receiver, Labels: labels, Path: m.Path,
		RouteLabels: m.Labels, Wait: m.Wait, Interval: m.Interval, Repeat: m.Repeat,
	}
}

// TestTwin holds random trees against Alertmanager's dispatch.
func TestTwin(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		root := randomRoute(r, 0)
		tree, err := route.New(root, names("i0", "i1", "i2"))
		require.NoError(t, err)
		twin := twinOf(root)
		paths := map[*dispatch.Route][]string{}
		remember(twin, nil, paths)

		for range 40 {
			ls := randomLabels(r)
			var want []route.Match
			var wantReceivers []string
			var wantGroups []*alarm.Group
			for _, found := range twin.Match(ls) {
				m := twinMatch(found, paths[found])
				want = append(want, m)
				wantReceivers = append(wantReceivers, m.Receiver)
				wantGroups = append(wantGroups, twinGroup(m, ls))
			}
			got := tree.Match(ls)
			for i := range got {
				if got[i].GroupBy != nil {
					got[i].GroupBy = slices.Sorted(slices.Values(got[i].GroupBy)) // Alertmanager's is a set
				}
				if want[i].GroupBy == nil && !want[i].GroupByAll {
					want[i].GroupBy = got[i].GroupBy[:0]
				}
			}
			require.Equal(t, want, got, "seed %d, %s", seed, ls)
			require.Equal(t, wantReceivers, tree.Receivers(ls))
			for range 2 { // made, and found again
				require.Equal(t, wantGroups, tree.Route(ls))
			}
		}
	}
}

func remember(r *dispatch.Route, above []string, paths map[*dispatch.Route][]string) {
	paths[r] = append(slices.Clone(above), r.Matchers.String())
	for _, child := range r.Routes {
		remember(child, paths[r], paths)
	}
}

func randomRoute(r *rand.Rand, depth int) route.Route {
	node := route.Route{}
	maybe := func() bool { return r.IntN(3) == 0 }
	if depth == 0 || maybe() {
		node.Receiver = fmt.Sprintf("receiver-%d", r.IntN(5))
	}
	switch r.IntN(5) {
	case 0:
		node.GroupBy = []model.LabelName{}
	case 1:
		node.GroupBy = []model.LabelName{"l1", "l0"}[:1+r.IntN(2)]
	case 2:
		node.GroupByAll = true
	}
	for _, timer := range []**time.Duration{&node.Wait, &node.Interval, &node.Repeat} {
		if maybe() {
			*timer = new(time.Duration(1+r.IntN(100)) * time.Second)
		}
	}
	if maybe() {
		node.Labels = model.LabelSet{model.LabelName(fmt.Sprintf("x%d", r.IntN(3))): model.LabelValue(fmt.Sprint(depth))}
	}
	if depth > 0 {
		node.Continue = maybe()
		node.Matchers = randomMatchers(r)
		if maybe() {
			node.MuteTimeIntervals = []string{fmt.Sprintf("i%d", r.IntN(3))}
		}
		if maybe() {
			node.ActiveTimeIntervals = []string{fmt.Sprintf("i%d", r.IntN(3))}
		}
	}
	if depth < 3 {
		for range r.IntN([...]int{20, 14, 4}[depth]) { // narrow nodes and wide ones
			node.Routes = append(node.Routes, randomRoute(r, depth+1))
		}
	}
	return node
}

func randomMatchers(r *rand.Rand) matcher.Matchers {
	var ms matcher.Matchers
	for range 1 + r.IntN(2) {
		values := []string{"", "a", "b", "a|b", `a"/{}`, "a.*", "|c"}
		kinds := []string{"=", "!=", "=~", "!~"}
		name := fmt.Sprintf("l%d", r.IntN(4))
		ms = append(ms, matcher.MustParse(fmt.Sprintf("%s%s%q", name, kinds[r.IntN(4)], values[r.IntN(len(values))]))...)
	}
	return ms
}

func randomLabels(r *rand.Rand) model.LabelSet {
	values := []model.LabelValue{"", "a", "b", "c", "ab", `a"/{}`}
	ls := model.LabelSet{}
	for range r.IntN(6) {
		ls[model.LabelName(fmt.Sprintf("l%d", r.IntN(5)))] = values[r.IntN(len(values))]
	}
	return ls
}

// TestTwinIDs compares the names of all routes, also of those where nothing ends up.
func TestTwinIDs(t *testing.T) {
	for seed := range uint64(8) {
		root := randomRoute(rand.New(rand.NewPCG(seed, 3)), 0)
		tree, err := route.New(root, names("i0", "i1", "i2"))
		require.NoError(t, err)
		var want []string
		twinOf(root).Walk(func(r *dispatch.Route) { want = append(want, r.ID()) })
		slices.Sort(want)
		assert.Equal(t, want, tree.IDs())
	}
}
