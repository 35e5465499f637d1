package route_test

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

func newTree(t testing.TB, root route.Route) *route.Tree {
	t.Helper()
	tree, err := route.New(root, nil)
	require.NoError(t, err)
	return tree
}

func TestRoute(t *testing.T) {
	tree := newTree(t, route.Route{
		Receiver: "ops", GroupBy: []model.LabelName{"alertname"}, Labels: model.LabelSet{"owner": "ops"},
		Routes: []route.Route{
			{Matchers: matcher.MustParse(`severity="critical"`), Receiver: "pager", GroupByAll: true, Wait: new(time.Duration(0)), Continue: true},
			{Matchers: matcher.MustParse(`team="db",env!="lab"`), Receiver: "db", GroupBy: []model.LabelName{"cluster", "alertname", "absent"}},
		},
	})
	ls := model.LabelSet{"alertname": "Down", "cluster": "eu-1", "severity": "critical", "team": "db"}
	got := tree.Route(ls)
	assert.Equal(t, []*alarm.Group{
		{
			RouteID: `{}/{severity="critical"}/0`, Receiver: "pager", Labels: ls,
			Key:  `{}/{severity="critical"}:{alertname="Down", cluster="eu-1", severity="critical", team="db"}`,
			Path: []string{`{}`, `{severity="critical"}`}, RouteLabels: model.LabelSet{"owner": "ops"},
			Wait: 0, Interval: 5 * time.Minute, Repeat: 4 * time.Hour,
		},
		{
			RouteID: `{}/{env!="lab",team="db"}/1`, Receiver: "db", Labels: model.LabelSet{"alertname": "Down", "cluster": "eu-1"},
			Key:  `{}/{env!="lab",team="db"}:{alertname="Down", cluster="eu-1"}`,
			Path: []string{`{}`, `{env!="lab",team="db"}`}, RouteLabels: model.LabelSet{"owner": "ops"},
			Wait: 30 * time.Second, Interval: 5 * time.Minute, Repeat: 4 * time.Hour,
		},
	}, got)
	assert.Equal(t, []string{"pager", "db"}, tree.Receivers(ls))

	ls["env"] = "lab"
	assert.Equal(t, []string{"pager"}, tree.Receivers(ls))
	assert.Equal(t, []string{"ops"}, tree.Receivers(nil))
	assert.Equal(t, `{}:{}`, tree.Route(nil)[0].Key)
}

func TestRouteGivesOneValuePerGroup(t *testing.T) {
	tree := newTree(t, route.Route{
		Receiver: "ops", GroupBy: []model.LabelName{"a", "b"},
		Routes: []route.Route{{Matchers: matcher.MustParse(`all="yes"`), GroupByAll: true}},
	})
	one := func(ls model.LabelSet) *alarm.Group { return tree.Route(ls)[0] }

	first := one(model.LabelSet{"a": "1", "b": "2", "c": "3"})
	assert.Same(t, first, one(model.LabelSet{"a": "1", "b": "2", "c": "4"}))
	for _, ls := range []model.LabelSet{
		{"a": "1"},
		{"b": "1"},
		{"a": "1", "b": ""}, // Alertmanager, too, tells empty from absent
		{"a": "", "b": "1"},
		{"a": "12"},
		{"a": "1\x022"},
		{},
		{"all": "yes", "a": "1", "b": "2"},
		{"all": "yes", "a": "1", "b": "2", "c": "3"},
		{"all": "yes", "a": "1", "ab": "2"},
		{"all": "yes", "a": "1\x02ab\x012"},
	} {
		g := one(ls)
		assert.NotSame(t, first, g)
		assert.Same(t, g, one(ls.Clone()))
		if ls["all"] == "" {
			want := model.LabelSet{}
			for _, name := range []model.LabelName{"a", "b"} {
				if value, ok := ls[name]; ok {
					want[name] = value
				}
			}
			assert.Equal(t, want, g.Labels)
		} else {
			assert.Equal(t, ls, g.Labels)
		}
	}
}

// TestGroupsDoNotPileUp makes groups that nobody keeps, as the names of pods do, beside some that
// are kept.
func TestGroupsDoNotPileUp(t *testing.T) {
	tree := newTree(t, route.Route{Receiver: "ops", GroupByAll: true})
	label := func(i int) model.LabelSet { return model.LabelSet{"pod": model.LabelValue(strconv.Itoa(i))} }
	var kept []*alarm.Group
	for i := range 100 {
		kept = append(kept, tree.Route(label(i))[0])
	}
	for i := 100; i < 20_000; i++ {
		tree.Route(label(i))
		if i%1_000 == 0 {
			runtime.GC()
		}
	}
	assert.Less(t, tree.Remembered(), 5_000)
	for i, g := range kept {
		assert.Same(t, g, tree.Route(label(i))[0])
	}
}

// TestReadersBesideRoute is for the race detector.
func TestReadersBesideRoute(t *testing.T) {
	tree := newTree(t, bigRoute(50))
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for i := range 300 {
				ls := bigLabels(i)
				want := tree.Match(ls)
				assert.Len(t, tree.Receivers(ls), len(want))
				tree.Muted(want[0].RouteID, time.Unix(0, 0))
			}
		})
	}
	for i := range 300 {
		assert.NotEmpty(t, tree.Route(bigLabels(i)))
	}
	readers.Wait()
}

func TestRouteAllocates(t *testing.T) {
	tree := newTree(t, bigRoute(1_000))
	ls := bigLabels(3)
	groups := tree.Route(ls)
	assert.Equal(t, 1, int(testing.AllocsPerRun(100, func() { tree.Route(ls) })), "the slice that is returned")
	assert.Zero(t, testing.AllocsPerRun(100, func() { tree.Receivers(ls) }))
	runtime.KeepAlive(groups)
}

// bigRoute is a tree of n teams, each with a child for what is critical.
func bigRoute(teams int) route.Route {
	root := route.Route{Receiver: "ops", GroupBy: []model.LabelName{"alertname", "cluster"}}
	for i := range teams {
		root.Routes = append(root.Routes, route.Route{
			Receiver: fmt.Sprintf("team-%d", i),
			Matchers: matcher.MustParse(fmt.Sprintf(`team="team-%d"`, i)),
			Routes:   []route.Route{{Matchers: matcher.MustParse(`severity="critical"`), GroupBy: []model.LabelName{"alertname", "cluster", "instance"}}},
		})
	}
	return root
}

func bigLabels(i int) model.LabelSet {
	return model.LabelSet{
		"alertname": model.LabelValue(fmt.Sprintf("Alert%d", i%100)),
		"cluster":   model.LabelValue(fmt.Sprintf("eu-%d", i%50)),
		"instance":  model.LabelValue(fmt.Sprintf("host-%d:9100", i)),
		"job":       "node", "namespace": "monitoring", "pod": "node-exporter-x", "prometheus": "k8s", "service": "node",
		"severity": [...]model.LabelValue{"warning", "critical"}[i%2],
		"team":     model.LabelValue(fmt.Sprintf("team-%d", i%1_000)),
	}
}
