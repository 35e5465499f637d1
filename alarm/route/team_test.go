package route_test

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

// An alert goes to every team that owns it, beside where the tree leads it, and to the root if nobody
// else takes it.
func TestTeams(t *testing.T) {
	wait := 10 * time.Second
	tree, err := route.New(route.Route{
		Receiver: "everybody", GroupBy: []model.LabelName{"alertname"}, Wait: &wait,
		Routes: []route.Route{{Receiver: "pager", Matchers: matcher.MustParse(`severity="critical"`)}},
	}, nil,
		route.Team{Name: "db", Clusters: []string{"db-1", "db-2"}, Receivers: []string{"dba"}},
		route.Team{Name: "shop", Matchers: matcher.MustParse(`app=~"shop.*"`), AlertGroups: []string{"web"}, Receivers: []string{"shop", "pager"}},
	)
	require.NoError(t, err)

	for _, c := range []struct {
		name   string
		labels model.LabelSet
		told   []string
		teams  []string
		owned  bool
	}{
		{"nobody's", model.LabelSet{"alertname": "X"}, []string{"everybody"}, nil, false},
		{"a route's", model.LabelSet{"severity": "critical"}, []string{"pager"}, nil, true},
		{"a team's, and so not the root's", model.LabelSet{"cluster": "db-2"}, []string{"dba"}, []string{"db"}, true},
		{"a team's and a route's", model.LabelSet{"cluster": "db-1", "severity": "critical"}, []string{"pager", "dba"}, []string{"db"}, true},
		{"two teams'", model.LabelSet{"cluster": "db-1", "app": "shop-api", "alertgroup": "web"}, []string{"dba", "shop", "pager"}, []string{"db", "shop"}, true},
		{"not of the team's group", model.LabelSet{"app": "shop-api", "alertgroup": "batch"}, []string{"everybody"}, nil, false},
		{"the pager is told once", model.LabelSet{"severity": "critical", "app": "shop", "alertgroup": "web"}, []string{"pager", "shop"}, []string{"shop"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.told, tree.Receivers(c.labels))
			assert.Equal(t, c.teams, tree.Teams(c.labels))
			assert.Equal(t, c.owned, tree.Owned(c.labels))
		})
	}

	groups := tree.Route(model.LabelSet{"alertname": "Slow", "cluster": "db-1"})
	require.Len(t, groups, 1)
	g := groups[0]
	assert.Equal(t, `{}/team:db:{alertname="Slow"}`, g.Key)
	assert.Equal(t, "db", g.Team)
	assert.Equal(t, model.LabelSet{"alertname": "Slow"}, g.Labels, "grouped as the root groups")
	assert.Equal(t, wait, g.Wait)
	by, _ := tree.Muted(g.RouteID, time.Now())
	assert.Empty(t, by)
}

func TestTeamsInvalid(t *testing.T) {
	_, err := route.New(route.Route{Receiver: "x"}, nil,
		route.Team{Name: "a"}, route.Team{Name: "a", Clusters: []string{"c"}, Receivers: []string{"x", "x"}}, route.Team{})
	assert.EqualError(t, err, `teams[0].matchers: a team needs matchers, clusters or alert groups: without them it would own every alert
teams[0].receivers: nobody would be told
teams[1].name: there are two teams "a"
teams[1].receivers: receiver "x" occurs twice
teams[2].name: a team needs a name
teams[2].matchers: a team needs matchers, clusters or alert groups: without them it would own every alert
teams[2].receivers: nobody would be told`)
}
