package depgraph

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// set reads labels such as "a=1 b=2".
func set(s string) model.LabelSet {
	ls := model.LabelSet{}
	for _, pair := range strings.Fields(s) {
		name, value, _ := strings.Cut(pair, "=")
		ls[model.LabelName(name)] = model.LabelValue(value)
	}
	return ls
}

func inhibits(cause, impact string, equal ...string) Rule {
	r := Rule{Name: cause + "->" + impact, Kind: Inhibition, Cause: matcher.MustParse(cause), Impact: matcher.MustParse(impact)}
	for _, label := range equal {
		r.On = append(r.On, Same(label))
	}
	return r
}

func TestInhibition(t *testing.T) {
	rule := func(r ...Rule) []Rule { return r }
	for name, tc := range map[string]struct {
		rules  []Rule
		alerts []string // a trailing ? means pending, ! resolved
		want   []string // impact: causes
	}{
		"same values":             {rule(inhibits(`s="1"`, `t="1"`, "e")), []string{"s=1 e=x", "t=1 e=x", "t=1 e=y"}, []string{"t=1 e=x: s=1 e=x"}},
		"missing is empty":        {rule(inhibits(`s="1"`, `t="1"`, "e")), []string{"s=1", "t=1", "t=1 e=y"}, []string{"t=1: s=1"}},
		"no labels to agree in":   {rule(inhibits(`s="1"`, `t="1"`)), []string{"s=1 e=x", "t=1 e=y"}, []string{"t=1 e=y: s=1 e=x"}},
		"values do not run over":  {rule(inhibits(`s="1"`, `t="1"`, "e", "f")), []string{"s=1 e=xy f=z", "t=1 e=x f=yz", "s=1 e=a\x00b", "t=1 e=a f=b\x00"}, nil},
		"pending is no cause":     {rule(inhibits(`s="1"`, `t="1"`)), []string{"s=1?", "t=1"}, nil},
		"pending is an impact":    {rule(inhibits(`s="1"`, `t="1"`)), []string{"s=1", "t=1?"}, []string{"t=1: s=1"}},
		"resolved is neither":     {rule(inhibits(`s="1"`, `t="1"`)), []string{"s=1!", "t=1", "s=1 x=1", "t=1 x=1!"}, []string{"t=1: s=1 x=1"}},
		"not by itself":           {rule(inhibits(`s="1"`, `s="1"`)), []string{"s=1"}, nil},
		"not by its like":         {rule(inhibits(`s=~".+"`, `t=~".+"`)), []string{"s=1 t=1", "s=2 t=2"}, nil},
		"but by a one-sided one":  {rule(inhibits(`s=~".+"`, `t=~".+"`)), []string{"s=1 t=1", "s=2 t=2", "s=3"}, []string{"s=1 t=1: s=3", "s=2 t=2: s=3"}},
		"two-sided on one-sided":  {rule(inhibits(`s=~".+"`, `t=~".+"`)), []string{"s=1 t=1", "t=2"}, []string{"t=2: s=1 t=1"}},
		"empty rule":              {rule(Rule{Kind: Inhibition}), []string{"s=1", "t=1"}, nil},
		"inhibited, it inhibits":  {rule(inhibits(`a="1"`, `b="1"`), inhibits(`b="1"`, `c="1"`)), []string{"a=1", "b=1", "c=1"}, []string{"b=1: a=1", "c=1: b=1"}},
		"each other":              {rule(inhibits(`a="1"`, `b="1"`), inhibits(`b="1"`, `a="1"`)), []string{"a=1", "b=1"}, []string{"a=1: b=1", "b=1: a=1"}},
		"one cause for each rule": {rule(inhibits(`a=~".+"`, `t="1"`), inhibits(`b=~".+"`, `t="1"`)), []string{"a=1", "a=2", "b=1", "t=1"}, []string{"t=1: a=1 b=1"}},
		"pairs of labels": {
			rule(Rule{Kind: Inhibition, Cause: matcher.MustParse(`s="1"`), Impact: matcher.MustParse(`t="1"`), On: []Pair{{Impact: "instance", Cause: "node"}}}),
			[]string{"s=1 node=n1 instance=n2", "t=1 instance=n1", "t=1 instance=n2"},
			[]string{"t=1 instance=n1: s=1 node=n1 instance=n2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := New(tc.rules, Options{})
			require.NoError(t, err)
			var alerts []alarm.Alert
			words := map[model.Fingerprint]string{}
			for _, s := range tc.alerts {
				labels := strings.TrimRight(s, "?!")
				a := alarm.Alert{Labels: set(labels), StartsAt: start}
				switch s[len(s)-1] {
				case '?':
					a.State = alarm.Pending
				case '!':
					a.EndsAt = start
				}
				alerts = append(alerts, a)
				words[a.Fingerprint()] = labels
			}
			var got []string
			for _, e := range g.Explain(start, alerts) {
				line := words[e.Impact.Fingerprint()] + ":"
				for _, c := range e.Causes {
					line += " " + words[c.Alert.Fingerprint()]
				}
				got = append(got, line)
			}
			assert.ElementsMatch(t, tc.want, got)
		})
	}
}

func TestNewErrors(t *testing.T) {
	_, err := New([]Rule{{Name: "a", Kind: "magic"}, inhibits(`a="1"`, `b="1"`), {Kind: Inhibition, On: []Pair{{Impact: "x"}}}}, Options{})
	assert.EqualError(t, err, "rule 0 \"a\": kind \"magic\" is not known\nrule 2 \"\": a label to agree in has no name")
}

// A follower keeps what a Suppressor says, as the engine does.
type follower struct {
	*Suppressor
	alerts  map[model.Fingerprint]*alarm.Alert
	reasons map[model.Fingerprint][]alarm.Suppression
}

func follow(g *Graph) *follower {
	return &follower{g.Suppressor(), map[model.Fingerprint]*alarm.Alert{}, map[model.Fingerprint][]alarm.Suppression{}}
}

func (f *follower) judge(alerts ...*alarm.Alert) alarm.Judgement {
	var changes []alarm.Change
	for _, a := range alerts {
		f.alerts[a.Fingerprint()] = a
		if a.State == alarm.Resolved {
			delete(f.alerts, a.Fingerprint())
		}
		changes = append(changes, alarm.Change{Alert: a})
	}
	j := f.Judge(start, alarm.View{Changes: changes})
	for _, fp := range j.Judged {
		delete(f.reasons, fp)
	}
	for _, r := range j.Reasons {
		f.reasons[r.Fingerprint] = append(f.reasons[r.Fingerprint], r)
	}
	return j
}

func TestOnlyWhatACauseConcernsIsJudged(t *testing.T) {
	g, err := New([]Rule{inhibits(`s=~".+"`, `t=~".+"`, "e")}, Options{})
	require.NoError(t, err)
	f := follow(g)
	alert := func(s string, state alarm.State) *alarm.Alert {
		return &alarm.Alert{Labels: set(s), State: state, StartsAt: start}
	}
	judged := func(j alarm.Judgement) int { return len(j.Judged) }
	impact := alert("t=1 e=x", alarm.Firing)
	assert.Equal(t, 3, judged(f.judge(impact, alert("t=2 e=x", alarm.Firing), alert("t=1 e=y", alarm.Firing))))
	causes := []*alarm.Alert{alert("s=1 e=x", alarm.Firing), alert("s=2 e=x", alarm.Firing)}
	slices.SortFunc(causes, func(a, b *alarm.Alert) int {
		return strings.Compare(a.Fingerprint().String(), b.Fingerprint().String())
	})

	assert.Equal(t, 3, judged(f.judge(causes[0])), "itself and two impacts")
	assert.Equal(t, []alarm.Suppression{{
		Fingerprint: impact.Fingerprint(), Reason: alarm.ReasonInhibition, By: causes[0].Fingerprint().String(),
		Rule: `s=~".+"->t=~".+"`, Since: start,
	}}, f.reasons[impact.Fingerprint()])
	assert.Equal(t, 1, judged(f.judge(causes[1])), "itself, for another speaks already")
	ended := *causes[1]
	ended.State = alarm.Resolved
	assert.Equal(t, 1, judged(f.judge(&ended)))
	earlier := *causes[0]
	earlier.StartsAt = start.Add(-time.Minute)
	assert.Equal(t, 3, judged(f.judge(&earlier)), "the reason changed")
	assert.Equal(t, 0, judged(f.judge()))
}

var (
	names  = []string{"a", "b", "c", "e"}
	digits = []string{"", "0", "1", "2"}
)

func randomRules(rnd *rand.Rand) []Rule {
	matchers := func() matcher.Matchers {
		var ms matcher.Matchers
		for range rnd.IntN(3) {
			ops := []string{"=", "=", "=~", "!=", "!~"}
			m, err := matcher.ParseOne(fmt.Sprintf("%s%s%q", names[rnd.IntN(4)], ops[rnd.IntN(5)], digits[rnd.IntN(4)]))
			if err != nil {
				panic(err)
			}
			ms = append(ms, m)
		}
		return ms
	}
	var rules []Rule
	for i := range 1 + rnd.IntN(6) {
		r := Rule{Name: fmt.Sprint(i), Kind: Inhibition, Cause: matchers(), Impact: matchers()}
		if i > 0 && rnd.IntN(3) == 0 {
			r.Impact = rules[i-1].Impact
		}
		for _, label := range names[:rnd.IntN(3)] {
			r.On = append(r.On, Same(label))
		}
		rules = append(rules, r)
	}
	return rules
}

func randomLabels(rnd *rand.Rand) model.LabelSet {
	ls := model.LabelSet{"alertname": "X"}
	for _, name := range names {
		if v := digits[rnd.IntN(4)]; v != "" {
			ls[model.LabelName(name)] = model.LabelValue(v)
		}
	}
	return ls
}

// naive judges all rules by all alerts.
func naive(rules []Rule, alerts map[model.Fingerprint]*alarm.Alert) map[model.Fingerprint][]alarm.Suppression {
	all := map[model.Fingerprint][]alarm.Suppression{}
	order := slices.Sorted(maps.Keys(alerts))
	for _, impact := range order {
		for _, r := range rules {
			ls := alerts[impact].Labels
			if !r.Impact.Matches(ls) {
				continue
			}
			for _, cause := range order {
				c := alerts[cause]
				agree := !slices.ContainsFunc(r.On, func(p Pair) bool {
					return ls[model.LabelName(p.Impact)] != c.Labels[model.LabelName(p.Cause)]
				})
				if c.State == alarm.Firing && r.Cause.Matches(c.Labels) && agree && !(r.Cause.Matches(ls) && r.Impact.Matches(c.Labels)) {
					all[impact] = append(all[impact], alarm.Suppression{
						Fingerprint: impact, Reason: alarm.ReasonInhibition, By: cause.String(), Rule: r.Name, Note: "X", Since: c.StartsAt,
					})
					break
				}
			}
		}
	}
	return all
}

// TestFollowingEqualsNaive compares what a Suppressor keeps over random histories with all rules
// judged by all alerts at each step.
func TestFollowingEqualsNaive(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		rules := randomRules(rnd)
		g, err := New(rules, Options{})
		require.NoError(t, err)
		f := follow(g)
		for step := range 40 {
			changed := map[model.Fingerprint]*alarm.Alert{}
			for range rnd.IntN(4) {
				labels := randomLabels(rnd)
				if known := slices.Sorted(maps.Keys(f.alerts)); len(known) > 0 && rnd.IntN(2) == 0 {
					labels = f.alerts[known[rnd.IntN(len(known))]].Labels
				}
				a := alarm.Alert{
					Labels: labels, State: []alarm.State{alarm.Firing, alarm.Firing, alarm.Pending, alarm.Resolved}[rnd.IntN(4)],
					StartsAt: start.Add(time.Duration(rnd.IntN(3)) * time.Second),
				}.WithFingerprint()
				changed[a.Fingerprint()] = &a
			}
			var in []*alarm.Alert
			for _, fp := range slices.Sorted(maps.Keys(changed)) {
				in = append(in, changed[fp])
			}
			j := f.judge(in...)
			require.True(t, slices.IsSorted(j.Judged))
			require.Equal(t, naive(rules, f.alerts), f.reasons, "seed %d step %d", seed, step)
		}
		for _, a := range f.alerts {
			ended := *a
			ended.State = alarm.Resolved
			f.judge(&ended)
		}
		require.Empty(t, f.reasons)
		require.Empty(t, f.pools, "nothing is left behind")
		require.Empty(t, f.nodes)
	}
}
