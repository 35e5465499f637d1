package depgraph

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A rolling drives a RollupSuppressor as the engine would: what it raises are alerts like any other.
type rolling struct {
	t        *testing.T
	rollups  *Rollups
	s        *RollupSuppressor
	now      time.Time
	alerts   map[model.Fingerprint]*alarm.Alert // that fire, of sources and raised
	silenced map[model.Fingerprint]bool
	reasons  map[model.Fingerprint][]alarm.Suppression
}

func roll(t *testing.T, o RollupOptions, rollups ...Rollup) *rolling {
	rs, err := NewRollups(rollups, o)
	require.NoError(t, err)
	return &rolling{
		t: t, rollups: rs, s: rs.Suppressor(), now: start, alerts: map[model.Fingerprint]*alarm.Alert{},
		silenced: map[model.Fingerprint]bool{}, reasons: map[model.Fingerprint][]alarm.Suppression{},
	}
}

func (r *rolling) judge(changed []*alarm.Alert, rejudged ...model.Fingerprint) alarm.Judgement {
	var changes []alarm.Change
	for _, a := range changed {
		changes = append(changes, alarm.Change{Alert: a})
	}
	j := r.s.Judge(r.now, alarm.View{Changes: changes, Rejudged: rejudged, Reasons: func(fp model.Fingerprint) []alarm.Suppression {
		if r.silenced[fp] {
			return []alarm.Suppression{{Fingerprint: fp, Reason: alarm.ReasonWindow}}
		}
		return nil
	}})
	require.True(r.t, slices.IsSorted(j.Judged))
	for _, fp := range j.Judged {
		delete(r.reasons, fp)
	}
	for _, why := range j.Reasons {
		require.Contains(r.t, j.Judged, why.Fingerprint)
		r.reasons[why.Fingerprint] = append(r.reasons[why.Fingerprint], why)
	}
	for _, c := range j.Raised {
		fp := c.Alert.Fingerprint()
		_, known := r.alerts[fp]
		require.Equal(r.t, c.Kind != alarm.Appeared, known, "%s %s", c.Kind, c.Alert.Labels)
		require.Equal(r.t, r.s.Name(), c.Alert.RaisedBy)
		if c.Kind == alarm.Ended {
			require.Equal(r.t, alarm.Resolved, c.Alert.State)
			delete(r.alerts, fp)
		} else {
			r.alerts[fp] = c.Alert
		}
	}
	return j
}

// set changes which alerts of sources fire: a + begins one, a - ends it, a ~ silences it or not.
func (r *rolling) set(changes ...string) alarm.Judgement {
	var changed []*alarm.Alert
	var rejudged []model.Fingerprint
	for _, c := range changes {
		a := alarm.Alert{Labels: set(c[1:]), StartsAt: r.now}.WithFingerprint()
		fp := a.Fingerprint()
		switch c[0] {
		case '~':
			r.silenced[fp] = !r.silenced[fp]
			rejudged = append(rejudged, fp)
			continue
		case '-':
			a.State = alarm.Resolved
			delete(r.alerts, fp)
		default:
			r.alerts[fp] = &a
		}
		changed = append(changed, &a)
	}
	return r.judge(changed, rejudged...)
}

// raised lists what is raised.
func (r *rolling) raised() string {
	var lines []string
	for _, a := range r.alerts {
		if a.RaisedBy != "" {
			lines = append(lines, fmt.Sprint(a.Labels, " ", a.Annotations["summary"]))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func outage() Rollup {
	return Rollup{
		Name: "partial-outage", Match: matcher.MustParse(`alertname="NodeDown"`), By: []model.LabelName{"app"},
		Of: Pool{Number: 8}, Tolerate: Tolerance{Count: 1},
		Raise: Raise{
			Labels: model.LabelSet{"alertname": "AppDegraded", "severity": "warning"},
			Annotations: map[model.LabelName]string{
				"summary": `Application {{ .Labels.app }}: partial outage, {{ .Count }} of {{ .Total }} nodes down ({{ join (.Values "node") ", " }})`,
			},
		},
		Steps: []Step{{Above: Tolerance{Percent: 50}, Raise: Raise{
			Labels:      model.LabelSet{"severity": "critical"},
			Annotations: map[model.LabelName]string{"summary": `outage, {{ printf "%.1f" .Percent }}%`},
		}}},
	}
}

func TestRollup(t *testing.T) {
	r := roll(t, RollupOptions{}, outage())
	down := func(n int) string { return fmt.Sprintf("alertname=NodeDown app=xyz node=n%d", n) }
	reason := func(n int) alarm.Suppression {
		why := r.reasons[set(down(n)).Fingerprint()]
		require.Len(t, why, 1)
		return why[0]
	}
	r.set("+"+down(1), "+alertname=NodeDown node=n9", "+alertname=NodeDown app=other node=n8")
	assert.Empty(t, r.raised())
	assert.Equal(t, alarm.ReasonRollup, reason(1).Reason)
	assert.Empty(t, reason(1).By, "one is tolerated")
	assert.Empty(t, r.reasons[set("alertname=NodeDown node=n9").Fingerprint()], "it has no app")

	r.set("+" + down(2))
	assert.Equal(t, `{alertname="AppDegraded", app="xyz", severity="warning"} Application xyz: partial outage, 2 of 8 nodes down (n1, n2)`, r.raised())
	assert.Equal(t, set("alertname=AppDegraded app=xyz severity=warning").Fingerprint().String(), reason(1).By)
	assert.True(t, reason(2).Close)
	began := r.now
	r.now = r.now.Add(time.Minute)
	j := r.set("+" + down(3))
	require.Len(t, j.Raised, 1)
	assert.Equal(t, alarm.Reworded, j.Raised[0].Kind)
	assert.Equal(t, began, j.Raised[0].Alert.StartsAt)
	assert.Len(t, j.Judged, 1, "the others are explained as before")

	j = r.set("~" + down(3))
	assert.Contains(t, r.raised(), "3 of 8", "it was worded just now")
	assert.Equal(t, r.now.Add(10*time.Second), j.Next)
	r.now = j.Next.Add(-1)
	assert.Empty(t, r.set().Raised)
	r.now = j.Next
	j = r.set()
	require.Len(t, j.Raised, 1)
	assert.Zero(t, j.Next)
	assert.Contains(t, r.raised(), "2 of 8", "a silenced one does not count")
	assert.Empty(t, r.reasons[set(down(3)).Fingerprint()])
	j = r.set("~"+down(3), "+"+down(4), "+"+down(5))
	assert.Equal(t, `{alertname="AppDegraded", app="xyz", severity="critical"} outage, 62.5%`, r.raised())
	require.Len(t, j.Raised, 2)
	assert.Equal(t, set("alertname=AppDegraded app=xyz severity=critical").Fingerprint().String(), reason(1).By)

	t.Run("a restart finds it again", func(t *testing.T) {
		again := *r
		again.t, again.s, again.alerts = t, r.rollups.Suppressor(), maps.Clone(r.alerts)
		stray := alarm.Alert{Labels: set("alertname=Stray"), RaisedBy: "rollup"}.WithFingerprint()
		again.alerts[stray.Fingerprint()] = &stray
		j := again.judge(slices.Collect(maps.Values(again.alerts)))
		require.Len(t, j.Raised, 1, "what has no cause any more ends")
		assert.Equal(t, "Stray", j.Raised[0].Alert.Name())
		assert.Equal(t, r.raised(), again.raised())
	})
	r.set("-"+down(1), "-"+down(2), "-"+down(3), "-"+down(4))
	assert.Empty(t, r.raised())
	assert.Empty(t, reason(5).By)
	r.set("+"+down(6), "+"+down(7)) // worded, and then not again before it ends
	r.set("+" + down(8))
	require.Len(t, r.s.stale, 1)
	r.set("-"+down(5), "-"+down(6), "-"+down(7), "-"+down(8), "-alertname=NodeDown app=other node=n8")
	assert.Empty(t, r.s.groups, "nothing is left behind")
	assert.Empty(t, r.s.members)
	assert.Empty(t, r.s.stale)
}

func TestPools(t *testing.T) {
	topology := alarm.Entities{
		{Name: "a", Kind: "node", Labels: set("app=x node=1")},
		{Name: "b", Kind: "node", Labels: set("app=x node=2")},
		{Name: "c", Kind: "node", Labels: set("app=x node=3")},
		{Name: "app", Labels: set("app=x")},
		{Name: "d", Kind: "node", Labels: set("app=y node=3")},
	}
	for name, tc := range map[string]struct {
		of   Pool
		want string
	}{
		"a number":     {Pool{Number: 4}, "2/4"},
		"a label":      {Pool{Label: "replicas"}, "2/7"},
		"the topology": {Pool{Topology: matcher.MustParse(`kind="node"`)}, "2/3"},
		"too small":    {Pool{Number: 1}, "2/2"},
		"unknown":      {Pool{}, "2/0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := roll(t, RollupOptions{Topology: topology}, Rollup{
				Name: "r", Match: matcher.MustParse(`alertname="Down"`), By: []model.LabelName{"app"}, Of: tc.of,
				Raise: Raise{Annotations: map[model.LabelName]string{"summary": "{{ .Count }}/{{ .Total }}"}},
			})
			r.set("+alertname=Down app=x node=1 replicas=7", "+alertname=Down app=x node=2 replicas=many")
			assert.Equal(t, `{alertname="r", app="x"} `+tc.want, r.raised())
		})
	}
}

// A template that fails when it is rendered says so in its place.
func TestTemplates(t *testing.T) {
	bad := Rollup{Name: "r", Match: matcher.MustParse(`a="1"`), Raise: Raise{Annotations: map[model.LabelName]string{"summary": `{{ if gt .Count 1 }}{{ index .Members 9 }}{{ end }}`}}}
	r := roll(t, RollupOptions{}, bad)
	r.set("+a=1 b=1", "+a=1 b=2")
	assert.Contains(t, r.raised(), "template: ")
	for _, text := range []string{"{{", "{{ .X }}", "{{ nosuch }}", `{{ define "a" }}x{{ template "a" }}{{ end }}{{ template "a" }}`} {
		bad.Raise.Annotations = map[model.LabelName]string{"summary": text}
		_, err := NewRollups([]Rollup{bad}, RollupOptions{})
		assert.ErrorContains(t, err, `roll-up 0 "r": annotation summary`, text)
	}
}

// TestRollupsEqualNaive counts over random histories, with restarts and silences.
func TestRollupsEqualNaive(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		var rollups []Rollup
		for i := range 1 + rnd.IntN(3) {
			r := Rollup{
				Name: fmt.Sprint("r", i), Match: matcher.MustParse(pick(rnd, `k="1"`, `k=~"1|2"`, `k!=""`)), Tolerate: pick(rnd, Tolerance{}, Tolerance{Count: 1}, Tolerance{Percent: 30}),
				By: pick(rnd, nil, []model.LabelName{"e"}, []model.LabelName{"e", "n"}), Of: pick(rnd, Pool{Number: 1 + rnd.IntN(6)}, Pool{Label: "k"}),
				Raise: Raise{Annotations: map[model.LabelName]string{"summary": "{{ .Count }}"}},
			}
			if rnd.IntN(2) == 0 {
				r.Steps = []Step{{Above: Tolerance{Count: 2}, Raise: Raise{Labels: model.LabelSet{"s": "2"}}}}
			}
			rollups = append(rollups, r)
		}
		r := roll(t, RollupOptions{}, rollups...)
		for step := range 60 {
			r.now = r.now.Add(time.Second)
			ls := model.LabelSet{"k": model.LabelValue(pick(rnd, "1", "2", "4")), "e": model.LabelValue(pick(rnd, "x", "y", "")), "n": model.LabelValue(pick(rnd, "1", "2", ""))}
			text := fmt.Sprintf("k=%s e=%s n=%s", ls["k"], ls["e"], ls["n"])
			r.set(pick(rnd, "+", "+", "-", "~") + text)
			if rnd.IntN(10) == 0 {
				r.s = r.rollups.Suppressor()
				r.reasons = map[model.Fingerprint][]alarm.Suppression{}
				r.judge(slices.Collect(maps.Values(r.alerts)))
			}
			for next := r.set().Next; !next.IsZero(); next = r.set().Next { // what is raised is so at once, but its text follows
				require.True(t, next.After(r.now) && !next.After(r.now.Add(10*time.Second)))
				r.now = next
			}
			raised, by := r.naive(rollups)
			require.Equal(t, raised, r.raised(), "seed %d step %d", seed, step)
			got := map[string]bool{}
			for fp, whys := range r.reasons {
				for _, why := range whys {
					got[fmt.Sprint(fp, why.Rule, why.By)] = true
				}
			}
			require.Equal(t, by, got, "seed %d step %d", seed, step)
		}
	}
}

// naive says what is to be raised, and which roll-up withholds which alert for which.
func (r *rolling) naive(rollups []Rollup) (string, map[string]bool) {
	var lines []string
	by := map[string]bool{}
	for _, ru := range rollups {
		groups := map[string][]*alarm.Alert{}
		for fp, a := range r.alerts {
			if a.RaisedBy != "" || r.silenced[fp] || !ru.Match.Matches(a.Labels) || slices.ContainsFunc(ru.By, func(l model.LabelName) bool { return a.Labels[l] == "" }) {
				continue
			}
			key := ""
			for _, l := range ru.By {
				key += string(a.Labels[l]) + ","
			}
			groups[key] = append(groups[key], a)
		}
		for _, g := range groups {
			n, total := len(g), max(len(g), ru.Of.Number)
			for _, a := range g {
				if says, err := strconv.Atoi(string(a.Labels[ru.Of.Label])); err == nil {
					total = max(total, says)
				}
			}
			labels := model.LabelSet{"alertname": model.LabelValue(ru.Name)}
			for _, l := range ru.By {
				labels[l] = g[0].Labels[l]
			}
			if len(ru.Steps) > 0 && n > 2 {
				labels["s"] = "2"
			}
			beyond := n > ru.Tolerate.Count
			if ru.Tolerate.Percent > 0 {
				beyond = float64(n)/float64(total) > ru.Tolerate.Percent/100
			}
			standsFor := ""
			if beyond {
				lines = append(lines, fmt.Sprint(labels, " ", n))
				standsFor = labels.Fingerprint().String()
			}
			for _, a := range g {
				by[fmt.Sprint(a.Fingerprint(), ru.Name, standsFor)] = true
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), by
}

func FuzzTemplates(f *testing.F) {
	for _, s := range []string{"", "{{ .Count }}", `{{ join (.Values "x") "," }}`, "{{ range .Members }}{{ .a }}{{ end }}", "{{ .Labels.x }}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "range") {
			return // over a great number it takes long
		}
		r := Rollup{Name: "r", Match: matcher.MustParse(`a="1"`), Raise: Raise{Annotations: map[model.LabelName]string{"x": text}}}
		_, err := NewRollups([]Rollup{r}, RollupOptions{})
		assert.Equal(t, r.Validate(RollupOptions{}) == nil, err == nil)
	})
}
