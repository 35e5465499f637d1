package config

import (
	"testing"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/depgraph"
)

// The same file, through Alertmanager's tree and through ours: the same nodes, keys and timers,
// legacy matchers among them.
func TestRouteIsAlertmanagers(t *testing.T) {
	c, err := Load("testdata/valid/team.yml", "")
	require.NoError(t, err)
	tree, err := route.New(c.Route(), c.TimeIntervals())
	require.NoError(t, err)
	twin := dispatch.NewRoute(c.Alertmanager.Route, nil)
	for _, ls := range []model.LabelSet{
		{},
		{"team": "db"},
		{"team": "db", "severity": "critical"},
		{"team": "db", "severity": "info"},
		{"service": "shop", "env": "prod"},
		{"service": "shopping", "env": "prod"},
		{"service": "cart", "env": "test"},
		{"alertname": "Watchdog"},
	} {
		type match struct {
			ID, Key, Receiver      string
			All                    bool
			Wait, Interval, Repeat time.Duration
			Mute, Active           []string
		}
		var want, got []match
		for _, r := range twin.Match(ls) {
			o := r.RouteOpts
			want = append(want, match{r.ID(), r.Key(), o.Receiver, o.GroupByAll, o.GroupWait, o.GroupInterval, o.RepeatInterval, o.MuteTimeIntervals, o.ActiveTimeIntervals})
		}
		for _, m := range tree.Match(ls) {
			got = append(got, match{m.RouteID, m.Key, m.Receiver, m.GroupByAll, m.Wait, m.Interval, m.Repeat, m.MuteTimeIntervals, m.ActiveTimeIntervals})
		}
		assert.Equal(t, want, got, "%s", ls)
	}
}

func TestInhibitRules(t *testing.T) {
	c, err := Load("testdata/valid/team.yml", "")
	require.NoError(t, err)
	got := c.InhibitRules()
	assert.Equal(t, []depgraph.Rule{
		{
			Name: "critical-hides-warning", Kind: depgraph.Inhibition,
			Cause:  matcher.MustParse(`severity="critical"`),
			Impact: matcher.MustParse(`severity=~"warning|info"`),
			On:     []depgraph.Pair{depgraph.Same("alertname"), depgraph.Same("cluster"), depgraph.Same("service")},
		},
		{
			Name: "inhibit_rules[1]", Kind: depgraph.Inhibition,
			Cause:  matcher.MustParse(`alertname="NodeDown",node=~"^(?:.+)$"`),
			Impact: matcher.MustParse(`alertname=~"^(?:Target.*)$",severity="warning"`),
			On:     []depgraph.Pair{depgraph.Same("node")},
		},
	}, got)
	_, err = depgraph.New(got, depgraph.Options{})
	require.NoError(t, err)
}

func TestTimeIntervals(t *testing.T) {
	c, err := Load("testdata/valid/team.yml", "")
	require.NoError(t, err)
	intervals := c.TimeIntervals()
	assert.Len(t, intervals, 2)
	saturday := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	assert.True(t, intervals["weekends"][0].ContainsTime(saturday))
	assert.False(t, intervals["office-hours"][0].ContainsTime(saturday))
	assert.Equal(t, 5*time.Minute, c.ResolveTimeout())
}
