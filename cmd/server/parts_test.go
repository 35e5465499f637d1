package server

import (
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

// The alert of a flood reaches exactly those who would have been paged.
func TestAFloodReachesWhomItsMembersReach(t *testing.T) {
	c, err := config.Parse(config.File{Name: "am.yml", Text: []byte(`
route:
  receiver: ops
  routes:
  - {matchers: ['team="web"'], receiver: web-oncall}
  - {matchers: ['severity="critical"'], receiver: pager, continue: true}
  - {matchers: ['team="db"'], receiver: db-oncall}
receivers: [{name: ops}, {name: web-oncall}, {name: pager}, {name: db-oncall}, {name: net-oncall}]
tocsin:
  severities: {critical: {page: true}, warning: {page: true}}
  flood: {pages: 20, within: 2m}
  teams: [{name: net, matchers: ['dc="eu"'], receiver: net-oncall}]
`)}, nil)
	require.NoError(t, err)
	tree, err := route.New(c.Route(), c.TimeIntervals(), c.Teams()...)
	require.NoError(t, err)
	now := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		labels model.LabelSet
		to     string
		team   model.LabelValue
	}{
		{model.LabelSet{"severity": "warning", "team": "web"}, "web-oncall", "web"},
		{model.LabelSet{"severity": "critical", "team": "db"}, "db-oncall, pager", "db"},
		{model.LabelSet{"severity": "warning"}, "ops", ""},
		{model.LabelSet{"severity": "warning", "dc": "eu"}, "net-oncall of net", "net"},
	} {
		all, err := (&parts{config: c}).suppressors(now, &alarm.Stored{}, tree)
		require.NoError(t, err)
		var changes []alarm.Change
		for i := range 30 {
			a := alarm.Alert{Labels: tt.labels.Merge(model.LabelSet{"alertname": "A", "i": model.LabelValue(strconv.Itoa(i))})}.WithFingerprint()
			changes = append(changes, alarm.Change{Alert: &a})
		}
		j := all[len(all)-1].Judge(now, alarm.View{Changes: changes})
		assert.Len(t, j.Reasons, 10)
		require.Len(t, j.Raised, 1)
		flood := j.Raised[0].Alert.Labels
		assert.Equal(t, tt.to, audience(tree, flood))
		assert.Equal(t, tt.labels["severity"], flood["severity"])
		assert.Equal(t, tt.team, flood["team"])
	}
}
