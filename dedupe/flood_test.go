package dedupe

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

func floods(t testing.TB, o FloodOptions) *cycle {
	return newCycle(t, func(s *alarm.Stored) alarm.Suppressor {
		f, err := NewFlood(s, o)
		require.NoError(t, err)
		return f
	})
}

func byTeam(ls model.LabelSet) string { return string(ls["team"]) }

func burst(now time.Time, team, severity string, n int) []*alarm.Alert {
	var all []*alarm.Alert
	for i := range n {
		all = append(all, fire(nil, now, model.LabelSet{
			"alertname": model.LabelValue(fmt.Sprint("Down", i%2)), "instance": model.LabelValue(fmt.Sprint(i)), "node": "n1",
			"severity": model.LabelValue(severity), "team": model.LabelValue(team), "cluster": "c1",
		}))
	}
	return all
}

func TestFlood(t *testing.T) {
	swallowed := 0
	c := floods(t, FloodOptions{Severities: severities(), Pages: 3, Team: byTeam, Swallowed: func(Swallower) { swallowed++ }})
	warnings, critical := burst(start, "db", "warning", 8), burst(start, "db", "critical", 1)
	web, infos := burst(start, "web", "warning", 3), burst(start, "db", "info", 30)
	known := burst(start, "db", "warning", 9)[8]
	c.told[known.Fingerprint()] = true
	var all []*alarm.Alert
	for _, some := range [][]*alarm.Alert{warnings, critical, web, infos, {known}} {
		all = append(all, some...)
	}
	c.step(start, all...)
	in := 0
	for _, a := range warnings {
		if c.withheld(a) {
			in++
		}
	}
	assert.Equal(t, 6, in, "beyond three, of which the critical one is the first")
	assert.Equal(t, 6, swallowed)
	assert.False(t, c.withheld(critical[0]) || c.withheld(known) || c.withheld(web[2]) || c.withheld(infos[29]))
	require.Len(t, c.open(), 1)
	flood := c.open()[0]
	assert.Equal(t, model.LabelSet{"alertname": "TocsinFlood", "severity": "warning", "team": "db", "cluster": "c1", "node": "n1"}, flood.Labels, "it takes the routes that they share, and none is critical")
	assert.Contains(t, string(flood.Annotations["summary"]), "Flood of alerts for db: 6 more than the 3 pages within 2m0s: ")
	assert.Equal(t, `node="n1" (6 of 6)`, string(flood.Annotations["probable_cause"]))
	assert.Equal(t, "6 c1", string(flood.Annotations["by_cluster"]))
	assert.NotContains(t, flood.Annotations, model.LabelName("highest_severity"))

	var worse []*alarm.Alert
	for _, a := range burst(at(60), "db", "critical", 6)[1:] {
		if c.step(at(60), a); c.withheld(a) {
			worse = append(worse, a)
		}
	}
	require.Len(t, worse, 3, "one was let through before, and two now")
	require.Len(t, c.open(), 2)
	assert.Contains(t, c.alerts, flood.Fingerprint())
	second := flood.Labels.Merge(model.LabelSet{"severity": "critical", "flood": "2"})
	named := c.alerts[second.Fingerprint()]
	require.NotNil(t, named)
	assert.Equal(t, worse[0].Labels.String(), string(named.Annotations["highest_severity"]), "the others came later")

	c.restart()
	c.step(at(500))
	assert.True(t, c.withheld(worse[0]), "there is no second wave")
	later := burst(at(500), "db", "warning", 20)[19]
	c.step(at(500), later)
	assert.False(t, c.withheld(later), "the flood has ebbed")

	c.withhold(worse[0], true)
	c.step(at(510))
	assert.False(t, c.withheld(worse[0]), "it is silenced: that is another's reason")
	var ended []*alarm.Alert
	for _, a := range append(all, worse[1:]...) {
		ended = append(ended, resolved(a, at(520)))
	}
	c.step(at(520), ended...)
	assert.Empty(t, c.open(), "it is closed with them")
	c.withhold(worse[0], false)
	c.step(at(800))
	assert.False(t, c.withheld(worse[0]), "it pages now")
}

func TestWhatIsInAFloodForTooLongPages(t *testing.T) {
	c := floods(t, FloodOptions{Pages: 2, Within: time.Minute, Max: time.Hour})
	all := burst(start, "db", "warning", 7)
	c.step(start, all...)
	let := func() (n int) {
		for _, a := range all {
			if !c.withheld(a) {
				n++
			}
		}
		return n
	}
	for i, want := range []int{2, 4, 6, 7} {
		assert.Equal(t, want, let())
		if i < 3 {
			assert.Equal(t, at(3600+60*float64(i)), c.next)
			c.step(c.next)
		}
	}
	assert.Empty(t, c.open())
	assert.Zero(t, c.next)
}

// What joined a flood that leads to other people by now, joins one that leads to its own.
func TestAFloodThatLeadsElsewhereTakesNothing(t *testing.T) {
	teams := map[model.LabelValue]string{"c1": "db", "c2": "db"}
	c := floods(t, FloodOptions{Severities: severities(), Pages: 1, Team: func(ls model.LabelSet) string { return teams[ls["cluster"]] }})
	one := burst(start, "", "warning", 3)
	other := fire(nil, start, model.LabelSet{"alertname": "Full", "severity": "warning", "cluster": "c2"})
	c.step(start, one...)
	c.step(start, other)
	require.Len(t, c.open(), 1)
	require.True(t, c.withheld(other))

	teams["c1"] = "web"
	c.restart()
	c.step(at(1))
	require.True(t, c.withheld(other))
	fp, err := model.ParseFingerprint(c.reasons[other.Fingerprint()][0].By)
	require.NoError(t, err)
	require.Contains(t, c.alerts, fp)
	assert.Equal(t, "db", teams[c.alerts[fp].Labels["cluster"]], "%s swallows what is the others'", c.alerts[fp].Labels)
}

func TestNewFloodErrors(t *testing.T) {
	_, err := NewFlood(nil, FloodOptions{Pages: -1})
	assert.EqualError(t, err, "flood: a duration or number is less than zero")
	for _, row := range []alarm.Row{
		{Part: "flood", Key: "?", Value: []byte("{}")}, {Part: "flood", Key: "0000000000000001", Value: []byte("{")}, {Part: "flood-team", Key: "db", Value: []byte("[]")},
	} {
		_, err = NewFlood(&alarm.Stored{Rows: []alarm.Row{row}}, FloodOptions{})
		assert.ErrorContains(t, err, fmt.Sprintf("flood: row %q: ", row.Key))
	}
}

// TestFloodsLoseNothing: whatever happens, what would page is let through, or in the one open flood of
// its team that counts it, or that names it if it is critical; never more than allowed of a severity
// are let through at a time; and a restart changes nothing.
func TestFloodsLoseNothing(t *testing.T) {
	joined := 0
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		swallowed := 0
		o := FloodOptions{Severities: severities(), Pages: 1 + rnd.IntN(4), Within: time.Minute, Team: byTeam, Max: time.Duration(1+rnd.IntN(60)) * time.Minute}
		quiet := o
		o.Swallowed = func(Swallower) { swallowed++ }
		c, restarted := floods(t, o), floods(t, quiet)
		alerts, let := make([]*alarm.Alert, 30), map[int]time.Time{}
		now := start
		for step := range 120 {
			now = now.Add(time.Duration(1+rnd.IntN(40)) * time.Second)
			var changed []*alarm.Alert
			busy := 1 + 5*(step/20%2)
			for i, a := range alerts {
				switch {
				case rnd.IntN(12) >= busy:
				case a == nil || a.State == alarm.Resolved:
					alerts[i] = fire(a, now, model.LabelSet{
						"alertname": "A", "i": model.LabelValue(fmt.Sprint(i)), "team": model.LabelValue(fmt.Sprint(i % 2)),
						"severity": []model.LabelValue{"critical", "warning", "warning", "info"}[i%4],
					})
					changed = append(changed, alerts[i])
				case rnd.IntN(2) == 0:
					alerts[i] = resolved(a, now)
					changed = append(changed, alerts[i])
				case rnd.IntN(6) == 0:
					withheld := rnd.IntN(2) == 0
					c.withhold(a, withheld)
					restarted.withhold(a, withheld)
				case rnd.IntN(3) == 0 && !c.withheld(a):
					c.told[a.Fingerprint()], restarted.told[a.Fingerprint()] = true, true
				}
			}
			if rnd.IntN(6) == 0 {
				restarted.restart()
			}
			c.step(now, changed...)
			restarted.step(now, changed...)
			require.Equal(t, c.reasons, restarted.reasons, "seed %d, step %d", seed, step)
			require.Equal(t, sansTimes(c.open()), sansTimes(restarted.open()))
			joined += checkFlood(t, c, o, now, alerts, let)
		}
		require.Positive(t, swallowed)
	}
	require.Positive(t, joined)
}

func sansTimes(all []*alarm.Alert) (texts []string) {
	for _, a := range all {
		texts = append(texts, a.Labels.String()+a.Annotations.String())
	}
	return texts
}

// checkFlood returns how many are in a flood. let says since when each alert is let through.
func checkFlood(t *testing.T, c *cycle, o FloodOptions, now time.Time, alerts []*alarm.Alert, let map[int]time.Time) int {
	in, recent := map[string]int{}, map[string]int{}
	for i, a := range alerts {
		if a == nil {
			continue
		}
		fp := a.Fingerprint()
		critical := a.Labels["severity"] == "critical"
		would := a.State == alarm.Firing && !c.others[fp] && a.Labels["severity"] != "info"
		switch {
		case !would:
			require.False(t, c.withheld(a))
			delete(let, i)
		case c.withheld(a):
			in[byTeam(a.Labels)]++
			delete(let, i)
			if r := c.reasons[fp][0]; critical && !now.Before(r.Since.Add(waveEvery)) {
				by, err := model.ParseFingerprint(r.By)
				require.NoError(t, err)
				require.False(t, c.alerts[by].StartsAt.Before(r.Since), "who was told before does not know of it")
				require.Contains(t, string(c.alerts[by].Annotations["highest_severity"]), a.Labels.String())
			}
		case c.told[fp] && let[i].IsZero(): // known before, or told while it was withheld
			let[i] = start.Add(-time.Hour)
		case let[i].IsZero():
			let[i] = now
		}
		if since, ok := let[i]; ok && now.Sub(since) < o.Within {
			recent[byTeam(a.Labels)]++
			if critical {
				recent[byTeam(a.Labels)+" critical"]++
			}
		}
	}
	total := 0
	open := map[string]int{}
	for _, a := range c.open() {
		open[byTeam(a.Labels)]++
	}
	for _, team := range []string{"0", "1"} {
		require.LessOrEqual(t, recent[team+" critical"], o.Pages)
		require.LessOrEqual(t, recent[team]-recent[team+" critical"], o.Pages)
		require.Equal(t, in[team] > 0, open[team] > 0, "a flood for what is in it")
		total += in[team]
	}
	return total
}

func FuzzFloodLoad(f *testing.F) {
	f.Add("flood", "0000000000000001", `{"team":"db","joined":"2026-01-01T00:00:00Z","until":"2026-01-01T00:00:02Z"}`)
	f.Add("flood-team", "db", `{"pages":[{"at":"2026-01-01T00:00:00Z","labels":{"a":"b"}}],"alert":5}`)
	f.Add("flood-team", "", `null`)
	f.Add("flood-team", "", `{"pages":[{"rank":-1}],"waves":[null,{"number":1},{"number":1,"labels":{"a":"b"}}]}`)
	f.Fuzz(func(t *testing.T, part, key, value string) {
		fl, err := NewFlood(&alarm.Stored{Rows: []alarm.Row{{Part: part, Key: key, Value: []byte(value)}}}, FloodOptions{Pages: 1})
		if err != nil {
			return
		}
		for i, a := range burst(start, "db", "x", 4) {
			fl.Judge(at(float64(i)), alarm.View{Changes: []alarm.Change{{Alert: a}}})
		}
	})
}
