package depgraph

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// TestOrderOfArrival lets the same alerts arrive in any order within hold_back: the same ones are told.
func TestOrderOfArrival(t *testing.T) {
	const hold = 30 * time.Second
	for seed, played := uint64(0), 0; played < 200; seed++ {
		rnd := rand.New(rand.NewPCG(seed, 6))
		rules := randomDependencies(rnd)
		for i := range rules {
			if rules[i].Kind != Inhibition { // in Alertmanager the order matters
				rules[i].HoldBack, rules[i].Max = hold, pick(rnd, 0, 2*time.Minute)
			}
		}
		rules = slices.DeleteFunc(rules, func(r Rule) bool { return r.Kind == Inhibition })
		o := Options{Severities: severities(), Topology: randomTopology(rnd)}
		g, err := New(rules, o)
		if err != nil {
			continue
		}
		played++
		alerts := map[model.Fingerprint]model.LabelSet{}
		for range 12 {
			ls := randomImpact(rnd)
			alerts[ls.Fingerprint()] = ls
		}
		var first map[model.Fingerprint]bool
		for range 4 {
			told := arrive(g, rnd, alerts, hold)
			if first == nil {
				first = told
			}
			require.Equal(t, first, told, "seed %d under %v", seed, rules)
		}
	}
}

// arrive has the alerts arrive at random within a time, and returns which of them are told in the end.
func arrive(g *Graph, rnd *rand.Rand, alerts map[model.Fingerprint]model.LabelSet, within time.Duration) map[model.Fingerprint]bool {
	at := map[time.Time][]alarm.Change{}
	for _, fp := range slices.Sorted(maps.Keys(alerts)) {
		when := start.Add(time.Duration(rnd.Int64N(int64(within))))
		a := alarm.Alert{Labels: alerts[fp], StartsAt: when, FirstSeen: when}.WithFingerprint()
		at[when] = append(at[when], alarm.Change{Alert: &a})
	}
	s := g.Suppressor()
	told := map[model.Fingerprint]bool{}
	times := slices.SortedFunc(maps.Keys(at), time.Time.Compare)
	for len(times) > 0 {
		now := times[0]
		times = times[1:]
		j := s.Judge(now, alarm.View{Changes: at[now], Told: func(fp model.Fingerprint) bool { return told[fp] }})
		withheld := map[model.Fingerprint]bool{}
		for _, r := range j.Reasons {
			withheld[r.Fingerprint] = true
		}
		for _, fp := range j.Judged {
			if !withheld[fp] {
				told[fp] = true
			}
		}
		if !j.Next.IsZero() && j.Next.Before(start.Add(10*time.Minute)) && !slices.ContainsFunc(times, j.Next.Equal) {
			times = append(times, j.Next)
			slices.SortFunc(times, time.Time.Compare)
		}
	}
	return told
}

// A scene plays one Suppressor by hand.
type scene struct {
	t     *testing.T
	graph *Graph
	s     *Suppressor
	now   time.Time
	told  map[string]bool
	rows  map[string]alarm.Row
	why   map[string]alarm.Suppression // the first reason of each alert
	names map[model.Fingerprint]string

	reasons map[string]alarm.Suppression // of suppressors before it
}

func newScene(t *testing.T, o Options, rules ...Rule) *scene {
	g, err := New(rules, o)
	require.NoError(t, err)
	return &scene{
		t: t, graph: g, s: g.Suppressor(), now: start, told: map[string]bool{}, rows: map[string]alarm.Row{},
		why: map[string]alarm.Suppression{}, names: map[model.Fingerprint]string{},
	}
}

// at judges after so many seconds; a + begins an alert, and a - ends it.
func (s *scene) at(seconds int, changes ...string) {
	s.now = start.Add(time.Duration(seconds) * time.Second)
	v := alarm.View{Told: func(fp model.Fingerprint) bool { return s.told[s.names[fp]] }}
	v.Reasons = func(fp model.Fingerprint) []alarm.Suppression {
		if why, given := s.reasons[s.names[fp]]; given {
			return []alarm.Suppression{why}
		}
		return nil
	}
	for _, c := range changes {
		a := alarm.Alert{Labels: set(c[1:]), StartsAt: s.now, FirstSeen: s.now}.WithFingerprint()
		if c[0] == '-' {
			a.State = alarm.Resolved
		}
		s.names[a.Fingerprint()] = c[1:]
		v.Changes = append(v.Changes, alarm.Change{Alert: &a})
	}
	j := s.s.Judge(s.now, v)
	for _, fp := range j.Judged {
		delete(s.why, s.names[fp])
	}
	for _, r := range j.Reasons {
		if _, given := s.why[s.names[r.Fingerprint]]; !given {
			s.why[s.names[r.Fingerprint]] = r
		}
	}
	for _, r := range j.Rows {
		s.rows[r.Key] = r
	}
}

// restart builds the Suppressor anew out of its rows, with these alerts, which began at the start.
func (s *scene) restart(seconds int, alerts ...string) {
	var rows []alarm.Row
	for _, key := range slices.Sorted(maps.Keys(s.rows)) {
		if s.rows[key].Value != nil {
			rows = append(rows, s.rows[key])
		}
	}
	s.s = s.graph.Suppressor(rows...)
	s.why = map[string]alarm.Suppression{}
	v := alarm.View{Told: func(fp model.Fingerprint) bool { return s.told[s.names[fp]] }}
	for _, labels := range alerts {
		a := alarm.Alert{Labels: set(labels), StartsAt: start, FirstSeen: start}
		v.Changes = append(v.Changes, alarm.Change{Alert: &a})
	}
	s.now = start.Add(time.Duration(seconds) * time.Second)
	for _, r := range s.s.Judge(s.now, v).Reasons {
		s.why[s.names[r.Fingerprint]] = r
	}
}

// withheld returns why, and for how many seconds from the start on; -1 is without an end.
func (s *scene) withheld(alert string) (note string, until int) {
	r, ok := s.why[alert]
	switch {
	case !ok:
		return "", 0
	case r.Until.IsZero():
		return r.Note, -1
	}
	return r.Note, int(r.Until.Sub(start).Seconds())
}

func (s *scene) assert(alert, note string, until int) {
	s.t.Helper()
	gotNote, gotUntil := s.withheld(alert)
	assert.Equal(s.t, fmt.Sprint(note, " ", until), fmt.Sprint(gotNote, " ", gotUntil))
}

func TestHoldBackSettleMax(t *testing.T) {
	r := explains("r", `k="1"`, `k="2"`)
	r.HoldBack, r.Settle, r.Max = 30*time.Second, time.Minute, 5*time.Minute
	s := newScene(t, Options{}, r)
	const cause, impact = "alertname=C k=1", "alertname=I k=2"
	s.at(0, "+"+impact)
	s.assert(impact, "a cause may follow", 30)
	s.at(29, "+"+cause)
	s.assert(impact, "C", 300)
	s.at(100, "-"+cause)
	s.assert(impact, "C, which is over", 160)
	s.at(110, "+"+cause)
	s.at(290, "-"+cause)
	s.assert(impact, "C, which is over", 300)
	s.at(299, "+"+cause)
	s.assert(impact, "C", 300)
	s.at(300)
	s.assert(impact, "", 0)
	over := s.s.Overdue(set(impact).Fingerprint())
	require.Len(t, over, 1)
	assert.Equal(t, "C, for longer than the rule withholds", over[0].Note)
	s.at(301, "-"+cause)
	s.at(302, "+"+cause)
	s.assert(impact, "", 0)

	s.at(400, "-"+impact)
	s.at(410, "+"+impact)
	s.assert(impact, "C", 710) // a new occurrence
	s.told["alertname=J k=2"] = true
	s.at(420, "-"+cause, "+alertname=J k=2")
	s.assert("alertname=J k=2", "", 0) // it was told, so that it is not held back
}

// The clock is set back by an hour while the server is down: nobody waits an hour longer.
func TestDependenciesAfterTheClockWasSetBack(t *testing.T) {
	r := explains("r", `k="1"`, `k="2"`)
	r.HoldBack, r.Settle, r.Max = 30*time.Second, time.Minute, 5*time.Minute
	const cause, impact = "alertname=C k=1", "alertname=I k=2"
	const back = -3600
	s := newScene(t, Options{}, r)
	s.at(0, "+"+impact)
	s.restart(back, impact)
	s.assert(impact, "a cause may follow", back+30)

	s = newScene(t, Options{}, r)
	s.at(0, "+"+impact, "+"+cause)
	s.restart(back, impact, cause)
	s.assert(impact, "C", back+300)

	s = newScene(t, Options{}, r)
	s.at(0, "+"+impact, "+"+cause)
	s.at(10, "-"+cause)
	s.restart(back, impact)
	s.assert(impact, "C, which is over", back+60)
}

// A cause that nobody was told of does not withhold for ever.
func TestUntold(t *testing.T) {
	s := newScene(t, Options{Untold: time.Minute}, explains("a", `k="1"`, `k="2"`), explains("b", `k="2"`, `k="3"`))
	const root, middle, impact = "alertname=R k=1", "alertname=M k=2", "alertname=I k=3"
	s.at(0, "+"+root, "+"+middle, "+"+impact)
	s.assert(impact, "M", 60)
	assert.Equal(t, set(middle).Fingerprint().String(), s.why[impact].By)
	assert.Equal(t, set(root).Fingerprint().String(), s.why[impact].Root)
	assert.True(t, s.why[impact].Close)
	s.told[root] = true
	s.at(60)
	s.assert(impact, "M", -1)
	s.told[root] = false // it began anew: one bad check is forgiven
	s.at(120)
	s.assert(impact, "M", 180)
	s.at(180)
	s.assert(middle, "", 0)
	s.assert(impact, "", 0)
	s.told[root] = true
	s.restart(190, root, middle, impact)
	s.assert(middle, "", 0) // it was told: that somebody knows of the cause by now comes too late
	s.assert(impact, "", 0)
}

// The root of a whole chain changes with its first link.
func TestRootOfALongChain(t *testing.T) {
	s := newScene(t, Options{}, explains("a", `k="1"`, `k="2"`), explains("b", `k="2"`, `k="3"`), explains("c", `k="3"`, `k="4"`), explains("d", `k="4"`, `k="5"`))
	s.at(0, "+k=2", "+k=3", "+k=4", "+k=5")
	root := func(alert string) string { return s.why[alert].Root }
	assert.Equal(t, set("k=2").Fingerprint().String(), root("k=5"))
	s.at(1, "+k=1")
	for _, alert := range []string{"k=3", "k=4", "k=5"} {
		assert.Equal(t, set("k=1").Fingerprint().String(), root(alert))
	}
	assert.Empty(t, root("k=2"), "the direct cause is the root")
	s.at(2, "-k=1", "-k=3")
	assert.Equal(t, set("k=4").Fingerprint().String(), s.why["k=5"].By)
	assert.Empty(t, root("k=5"))
}

// A chain leads on from a member of a roll-up to the alert that stands for it, which somebody knows.
func TestChainThroughARollup(t *testing.T) {
	s := newScene(t, Options{Untold: time.Minute}, explains("a", `k="1"`, `k="2"`))
	raised := set("alertname=Outage").Fingerprint()
	s.told["outage"], s.names[raised] = true, "outage"
	s.at(0, "+k=1", "+k=2")
	member := set("k=1").Fingerprint()
	j := s.s.Judge(s.now, alarm.View{Rejudged: []model.Fingerprint{member}, Reasons: func(fp model.Fingerprint) []alarm.Suppression {
		if fp == member {
			return []alarm.Suppression{{Fingerprint: fp, Reason: alarm.ReasonRollup, By: raised.String()}}
		}
		return nil
	}})
	require.Len(t, j.Reasons, 1)
	assert.Equal(t, raised.String(), j.Reasons[0].Root)
	s.at(60)
	s.assert("k=2", "", -1)
}

// A cause that a roll-up tolerates is known: whoever wrote the tolerance wants nobody told of it.
func TestToleratedCause(t *testing.T) {
	s := newScene(t, Options{Untold: time.Minute}, explains("a", `k="1"`, `k="2"`))
	s.reasons = map[string]alarm.Suppression{"k=1": {Reason: alarm.ReasonRollup, Note: withinTolerance}}
	s.at(0, "+k=1", "+k=2")
	s.at(60)
	s.assert("k=2", "", -1)
	s.at(600)
	s.assert("k=2", "", -1)
	s.reasons["k=1"] = alarm.Suppression{Reason: alarm.ReasonRollup, By: set("nobody=1").Fingerprint().String()}
	s.at(661)
	s.at(800)
	s.assert("k=2", "", 0)
}

func TestExplainFollowsChains(t *testing.T) {
	topology := alarm.Entities{
		{Name: "shop", Labels: set("svc=shop"), DependsOn: []string{"db"}},
		{Name: "db", DependsOn: []string{"db-1", "db-2"}},
		{Name: "db-1", Kind: "replica", Labels: set("svc=db i=1"), DependsOn: []string{"n1"}},
		{Name: "db-2", Kind: "replica", Labels: set("svc=db i=2"), DependsOn: []string{"n1"}},
		{Name: "n1", Labels: set("node=n1")},
	}
	pool := via(explains("pool", `alertname="Down"`, `alertname="Errors"`))
	pool.Require, pool.Of = All, matcher.MustParse(`kind="replica"`)
	g, err := New([]Rule{pool, via(explains("host", `alertname="NodeDown"`, `alertname="Down"`))}, Options{Topology: topology})
	require.NoError(t, err)
	explain := func(alerts ...string) string {
		var list []alarm.Alert
		for _, a := range alerts {
			list = append(list, alarm.Alert{Labels: set(a)})
		}
		text := ""
		for _, e := range g.Explain(start, list) {
			text += fmt.Sprintf("%s by %d causes, %d roots, %s; ", e.Impact.Name(), len(e.Causes), len(e.Roots), e.Roots[0].Name())
		}
		return text
	}
	assert.Empty(t, explain("alertname=Errors svc=shop", "alertname=Down svc=db i=1"), "one of two")
	assert.Equal(t, "Errors by 1 causes, 1 roots, Down; ", explain("alertname=Errors svc=shop", "alertname=Down svc=db i=1", "alertname=Down svc=db i=2"))
	assert.Equal(t, "Down by 1 causes, 1 roots, NodeDown; Errors by 1 causes, 1 roots, NodeDown; Down by 1 causes, 1 roots, NodeDown; ",
		explain("alertname=Errors svc=shop", "alertname=Down svc=db i=1", "alertname=Down svc=db i=2", "alertname=NodeDown node=n1"))
}
