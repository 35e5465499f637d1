package dedupe

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// Whatever number of warnings there is: the database that is down afterwards is told.
func TestAMilderFloodSwallowsNothingSevere(t *testing.T) {
	c := floods(t, FloodOptions{Severities: severities(), Pages: 20})
	c.step(start, burst(start, "ops", "warning", 25)...)
	require.Len(t, c.open(), 1)
	down := burst(at(20), "ops", "critical", 1)[0]
	c.step(at(20), down)
	assert.False(t, c.withheld(down))
	milder := burst(at(20), "ops", "warning", 26)[25]
	c.step(at(20), milder)
	assert.True(t, c.withheld(milder))
}

// Who was told of a flood does not hear that its text changed: what is critical and comes later is told
// by one more flood.
func TestWhatIsSevereAndLateIsToldByAnotherFlood(t *testing.T) {
	c := floods(t, FloodOptions{Severities: severities(), Pages: 3})
	all := burst(start, "db", "critical", 9)
	c.step(start, all[:5]...)
	require.Len(t, c.open(), 1)
	first := c.open()[0]
	c.told[first.Fingerprint()] = true

	c.step(at(5), all[5])
	c.step(at(7), all[6])
	assert.True(t, c.withheld(all[5]) && c.withheld(all[6]))
	assert.Len(t, c.open(), 1, "a trickle is not one flood each")
	assert.Equal(t, at(30), c.next)
	c.restart()
	c.step(at(8))
	assert.Len(t, c.open(), 1)
	c.step(at(30))
	require.Len(t, c.open(), 2)
	labels := first.Labels.Merge(model.LabelSet{"flood": "2"})
	second := c.alerts[labels.Fingerprint()]
	require.NotNil(t, second)
	for _, a := range all[5:7] {
		assert.Contains(t, string(second.Annotations["highest_severity"]), a.Labels.String())
		assert.Equal(t, second.Fingerprint().String(), c.reasons[a.Fingerprint()][0].By)
	}
	assert.Same(t, first, c.alerts[first.Fingerprint()], "it is what was told")

	c.step(at(35), all[7])
	assert.Len(t, c.open(), 2)
	var ended []*alarm.Alert
	for _, a := range all[:7] {
		ended = append(ended, resolved(a, at(36)))
	}
	c.step(at(36), ended...)
	require.Len(t, c.open(), 1, "no other is open for it")
	assert.Contains(t, string(c.open()[0].Annotations["highest_severity"]), all[7].Labels.String())
}

// Only what was let through counts: the gate opens again although alerts keep coming.
func TestASteadyTrickleIsLetThrough(t *testing.T) {
	c := floods(t, FloodOptions{Pages: 2, Within: time.Minute})
	let := 0
	for i, a := range burst(start, "db", "warning", 60) {
		if c.step(at(10*float64(i)), a); !c.withheld(a) {
			let++
		}
	}
	assert.Equal(t, 20, let, "two a minute, for ten minutes")
}

func TestTheTextOfAFloodRests(t *testing.T) {
	c := floods(t, FloodOptions{Pages: 1})
	all := burst(start, "db", "warning", 9)
	c.step(start, all[:2]...)
	text := func() string { return string(c.open()[0].Annotations["by_cluster"]) }
	for i, a := range all[2:] {
		c.step(at(float64(1+i)), a)
		assert.Equal(t, "1 c1", text())
		assert.Equal(t, at(10), c.next)
	}
	c.step(at(10))
	assert.Equal(t, "8 c1", text())
	c.step(at(12), resolved(all[8], at(12)))
	assert.Equal(t, at(20), c.next)
	c.step(at(20))
	assert.Equal(t, "7 c1", text())
	c.step(at(60))
	assert.Equal(t, at(20), c.alerts[c.open()[0].Fingerprint()].UpdatedAt)
}

// The alert of a flood reaches those whom its members reach, or there is none.
func TestAFloodLeadsWhereItsMembersDo(t *testing.T) {
	tests := []struct {
		name  string
		team  func(model.LabelSet) string
		owner string
		n     int
		want  model.LabelSet // but for the alertname; nil: none
	}{
		{"what they share", byTeam, "", 3, model.LabelSet{"team": "db", "severity": "warning", "cluster": "c1", "node": "n1"}},
		{"a team label that is theirs", byTeam, "ops", 3, model.LabelSet{"team": "db", "severity": "warning", "cluster": "c1", "node": "n1"}},
		{
			"a regular expression", func(ls model.LabelSet) string { return fmt.Sprint(ls["instance"] != "") }, "", 3,
			model.LabelSet{"team": "db", "severity": "warning", "cluster": "c1", "node": "n1", "instance": "*"},
		},
		{"by name", func(ls model.LabelSet) string { return fmt.Sprint(ls["alertname"] == FloodAlertname) }, "", 3, nil},
		{
			"by severity", func(ls model.LabelSet) string { return string(ls["severity"]) }, "ops", 3,
			model.LabelSet{"team": "db", "severity": "warning", "cluster": "c1", "node": "n1"},
		},
	}
	for _, tt := range tests {
		o := FloodOptions{Severities: severities(), Pages: 2, Team: tt.team, Owner: func(model.LabelSet) string { return tt.owner }}
		c := floods(t, o)
		all := burst(start, "db", "warning", 2+tt.n)
		c.step(start, all...)
		if tt.want == nil {
			assert.Empty(t, c.open(), tt.name)
			for _, a := range all {
				assert.False(t, c.withheld(a), tt.name)
			}
			continue
		}
		require.Len(t, c.open(), 1, tt.name)
		got := c.open()[0].Labels.Clone()
		if tt.want["instance"] != "" {
			assert.NotEmpty(t, got["instance"], tt.name)
			got["instance"] = "*"
		}
		assert.Equal(t, tt.want.Merge(model.LabelSet{"alertname": FloodAlertname}), got, tt.name)
	}
}

// The label team is that of the owner where the members have none, unless it would lead elsewhere.
func TestTheOwnerOfAFlood(t *testing.T) {
	for elsewhere, want := range map[bool]model.LabelValue{false: "ops", true: ""} {
		c := floods(t, FloodOptions{
			Pages: 1, Owner: func(model.LabelSet) string { return "ops" },
			Team: func(ls model.LabelSet) string { return fmt.Sprint(elsewhere && ls["team"] != "") },
		})
		for i := range 2 {
			c.step(start, fire(nil, start, model.LabelSet{"alertname": "A", "i": model.LabelValue(fmt.Sprint(i))}))
		}
		require.Len(t, c.open(), 1)
		assert.Equal(t, want, c.open()[0].Labels["team"])
	}
}

// What is in a flood that pages others after a change of the configuration is judged anew.
func TestAFloodFollowsTheRoutes(t *testing.T) {
	label := model.LabelName("team")
	c := floods(t, FloodOptions{Pages: 1, Team: func(ls model.LabelSet) string { return string(ls[label]) }})
	all := burst(start, "db", "warning", 3)
	c.step(start, all...)
	require.Len(t, c.open(), 1)
	label = "node"
	c.restart()
	c.step(at(200))
	require.Len(t, c.open(), 1)
	in := 0
	for _, a := range all {
		if c.withheld(a) {
			in++
			assert.Equal(t, "n1", c.reasons[a.Fingerprint()][0].Rule)
		}
	}
	assert.Equal(t, 2, in)
}
