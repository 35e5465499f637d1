package depgraph

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

func explains(name, cause, impact string, on ...string) Rule {
	r := Rule{Name: name, Cause: matcher.MustParse(cause), Impact: matcher.MustParse(impact)}
	for _, label := range on {
		r.On = append(r.On, Same(label))
	}
	return r
}

func via(r Rule) Rule { r.Via = true; return r }

func TestCircles(t *testing.T) {
	node := func(name string) Rollup {
		return Rollup{Name: name, Match: matcher.MustParse(`alertname="NodeDown"`), By: []model.LabelName{"c"}}
	}
	for name, tc := range map[string]struct {
		rules   []Rule
		rollups []Rollup
		want    []string
	}{
		"a chain":                  {rules: []Rule{explains("a", `x="1"`, `x="2"`), explains("b", `x="2"`, `x="3"`)}},
		"two":                      {rules: []Rule{explains("a", `x="1"`, `x="2"`), explains("b", `x="2"`, `x="1"`)}, want: []string{"a", "b", "a"}},
		"three":                    {rules: []Rule{explains("a", `x="1"`, `x="2"`), explains("b", `x="2"`, `x="3"`), explains("c", `x=~"3|4"`, `x=~"1.*"`)}, want: []string{"a", "b", "c", "a"}},
		"the shortest is named":    {rules: []Rule{explains("a", `x="1"`, `x=~"2|3"`), explains("b", `x="2"`, `x="3"`), explains("c", `x="3"`, `x="1"`)}, want: []string{"a", "c", "a"}},
		"told apart by a label":    {rules: []Rule{explains("a", `x="1"`, `x="2",y="1"`), explains("b", `x="2",y="2"`, `x="1"`)}},
		"regular expressions":      {rules: []Rule{explains("a", `x=~"Node.*"`, `x=~".*Latency"`), explains("b", `x=~"Pod.*Latency"`, `x=~"Job.*|Node[0-9]"`)}, want: []string{"a", "b", "a"}},
		"that never meet":          {rules: []Rule{explains("a", `x=~"Node.*"`, `x=~"Pod.*"`), explains("b", `x=~"Pod.+"`, `x=~"(Job|Task).*"`)}},
		"excluded":                 {rules: []Rule{explains("a", `x="1"`, `y="2",x!="3"`), explains("b", `x="3"`, `x="1"`)}},
		"a label that is missing":  {rules: []Rule{explains("a", `x="1"`, `x="2"`, "node"), explains("b", `x="2",node=""`, `x="1"`)}},
		"one alone is harmless":    {rules: []Rule{explains("a", `x=~".+"`, `x=~".+"`)}},
		"inhibitions may":          {rules: []Rule{inhibits(`x="1"`, `x="2"`), inhibits(`x="2"`, `x="1"`)}},
		"the topology has none":    {rules: []Rule{via(explains("a", `x="1"`, `x="2"`)), via(explains("b", `x="2"`, `x="1"`))}},
		"but with another":         {rules: []Rule{via(explains("a", `x="1"`, `x="2"`)), explains("b", `x="2"`, `x="1"`)}, want: []string{"b", "a", "b"}},
		"a roll-up":                {rules: []Rule{explains("a", `alertname="NodeDown"`, `alertname="Latency"`)}, rollups: []Rollup{node("Outage")}},
		"through a roll-up":        {rules: []Rule{explains("a", `alertname="NodeDown"`, `alertname="Outage"`)}, rollups: []Rollup{node("Outage")}, want: []string{"a", "Outage", "a"}},
		"raised is never rolled":   {rollups: []Rollup{node("NodeDown"), {Name: "more", Match: matcher.MustParse(`alertname="NodeDown"`)}}},
		"through what a step says": {rules: []Rule{explains("a", `alertname="NodeDown"`, `level="2"`)}, rollups: []Rollup{{Name: "Outage", Match: matcher.MustParse(`alertname="NodeDown"`), Raise: Raise{Labels: model.LabelSet{"level": "1"}}, Steps: []Step{{Above: Tolerance{Count: 5}, Raise: Raise{Labels: model.LabelSet{"level": "2"}}}}}}, want: []string{"a", "Outage", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(tc.rules, Options{Topology: alarm.Entities{}, Rollups: tc.rollups})
			if tc.want == nil {
				require.NoError(t, err)
				return
			}
			var circle *CycleError
			require.ErrorAs(t, err, &circle)
			assert.Equal(t, tc.want, circle.Rules)
			assert.ErrorContains(t, err, fmt.Sprintf("%q -> %q", tc.want[0], tc.want[1]))
		})
	}
}

// What is said to be disjoint matches no value in common.
func FuzzMeet(f *testing.F) {
	for _, s := range [][3]string{{"a|b", "b.*", "b"}, {"(?i)node", "NODE", "Node"}, {"[^a]", "a", "b"}, {"a*", "", ""}, {`\bx`, "x$", "x"}, {".", "\n", "a"}} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, a, b, text string) {
		x, errA := regexp.Compile("^(?:" + a + ")$")
		y, errB := regexp.Compile("^(?:" + b + ")$")
		if errA != nil || errB != nil || len(a)+len(b) > 60 {
			return
		}
		both := x.MatchString(text) && y.MatchString(text)
		assert.True(t, !both || meet(a, b), "%q matches %q and %q", text, a, b)
		assert.Equal(t, meet(a, b), meet(b, a))
	})
}
