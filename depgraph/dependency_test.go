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

// A history drives a Suppressor and its slow twin side by side, as the engine would.
type history struct {
	t       *testing.T
	rnd     *rand.Rand
	graph   *Graph
	ours    *Suppressor
	twin    *slowTwin
	now     time.Time
	next    time.Time
	reasons map[model.Fingerprint][]alarm.Suppression
	rows    map[string]alarm.Row
	fired   map[model.Fingerprint]*alarm.Alert // with their FirstSeen
	what    string
}

func newHistory(t *testing.T, rnd *rand.Rand, rules []Rule, o Options, what string) *history {
	g, err := New(rules, o)
	require.NoError(t, err)
	return &history{
		t: t, rnd: rnd, graph: g, ours: g.Suppressor(), twin: newSlowTwin(rules, o), now: start, what: what,
		reasons: map[model.Fingerprint][]alarm.Suppression{}, rows: map[string]alarm.Row{}, fired: map[model.Fingerprint]*alarm.Alert{},
	}
}

func (h *history) silences(fp model.Fingerprint) []alarm.Suppression {
	if h.twin.silenced[fp] {
		return []alarm.Suppression{{Fingerprint: fp, Reason: alarm.ReasonSilence, By: "s"}}
	}
	return nil
}

// judge has the Suppressor judge, and follows what it says.
func (h *history) judge(changed []*alarm.Alert, rejudged []model.Fingerprint) {
	var changes []alarm.Change
	for _, a := range changed {
		changes = append(changes, alarm.Change{Alert: a})
	}
	j := h.ours.Judge(h.now, alarm.View{
		Changes: changes, Rejudged: rejudged, Reasons: h.silences,
		Told: func(fp model.Fingerprint) bool { return h.twin.told[fp] },
	})
	require.True(h.t, slices.IsSorted(j.Judged), h.what)
	for _, fp := range j.Judged {
		delete(h.reasons, fp)
	}
	for _, r := range j.Reasons {
		require.Contains(h.t, j.Judged, r.Fingerprint)
		h.reasons[r.Fingerprint] = append(h.reasons[r.Fingerprint], r)
	}
	for _, r := range j.Rows {
		require.Equal(h.t, rowPart, r.Part)
		if r.Value == nil {
			require.Contains(h.t, h.rows, r.Key, "%s: a row that is deleted was there", h.what)
			delete(h.rows, r.Key)
		} else {
			require.NotEqual(h.t, h.rows[r.Key].Value, r.Value, "%s: a row is written when something changed", h.what)
			h.rows[r.Key] = r
		}
	}
	h.next = j.Next
}

// step takes in changes at an instant, and compares.
func (h *history) step(at time.Time, changed []*alarm.Alert, rejudged []model.Fingerprint) {
	h.pass(at)
	h.now = at
	for _, a := range changed {
		h.twin.take(h.now, a)
	}
	h.judge(changed, rejudged)
	h.compare()
}

// pass lets time pass until at, with a call whenever the Suppressor asked for one, and looks in between.
func (h *history) pass(at time.Time) {
	for {
		until := at
		due := !h.next.IsZero() && !h.next.After(at)
		if due {
			until = h.next
		}
		if gap := until.Sub(h.now); gap > 1 && h.rnd.IntN(2) == 0 {
			h.now = h.now.Add(time.Duration(h.rnd.Int64N(int64(gap))))
			h.compare()
		}
		if !due {
			h.now = at
			return
		}
		h.now = h.next
		h.judge(nil, nil)
		require.True(h.t, h.next.IsZero() || h.next.After(h.now), "%s: time goes on", h.what)
		h.compare()
	}
}

func (h *history) compare() {
	want := h.twin.judge(h.now)
	if !assert.Equal(h.t, want, h.reasons, "%s at %s", h.what, h.now.Sub(start)) {
		for _, fp := range h.twin.order() {
			a := h.twin.alerts[fp]
			h.t.Logf("%s %s %v told=%v silenced=%v", fp, a.Labels, a.State, h.twin.told[fp], h.twin.silenced[fp])
		}
		for _, r := range h.twin.rules {
			h.t.Logf("%+v", r)
		}
		h.t.FailNow()
	}
	for fp, reasons := range h.reasons {
		for _, r := range reasons {
			if r.Reason == alarm.ReasonDependency && r.Until.IsZero() {
				by, err := model.ParseFingerprint(r.By)
				require.NoError(h.t, err)
				cause := h.twin.alerts[by]
				require.True(h.t, cause != nil && cause.State == alarm.Firing, "%s: %s is withheld without an end, and its cause does not fire", h.what, fp)
			}
			require.True(h.t, r.Until.IsZero() || r.Until.After(h.now), "%s: a reason is out of date", h.what)
		}
	}
}

// tell lets receivers hear of what nothing withholds, and of what has ended.
func (h *history) tell() {
	for _, fp := range h.twin.order() {
		if h.twin.alerts[fp].State == alarm.Firing && len(h.reasons[fp]) == 0 && !h.twin.silenced[fp] && h.rnd.IntN(2) == 0 {
			h.twin.told[fp] = true
		}
	}
	for fp := range h.twin.told {
		if h.twin.alerts[fp] == nil || h.twin.alerts[fp].State != alarm.Firing {
			delete(h.twin.told, fp)
		}
	}
}

// restart builds a Suppressor anew out of the rows and the alerts.
func (h *history) restart() {
	var rows []alarm.Row
	for _, key := range slices.Sorted(maps.Keys(h.rows)) {
		rows = append(rows, h.rows[key])
	}
	rows = append(rows, alarm.Row{Part: "other", Key: "x", Value: []byte("?")})
	h.ours = h.graph.Suppressor(rows...)
	h.reasons = map[model.Fingerprint][]alarm.Suppression{}
	var changed []*alarm.Alert
	for _, fp := range h.twin.order() {
		changed = append(changed, h.twin.alerts[fp])
	}
	h.judge(changed, nil)
	h.compare()
}

// alert makes an alert in the state that is given, as Presence would: with FirstSeen and StartsAt.
func (h *history) alert(labels model.LabelSet, state alarm.State, at time.Time) *alarm.Alert {
	a := alarm.Alert{Labels: labels, State: state, StartsAt: at.Add(-time.Duration(h.rnd.IntN(3)) * time.Second), FirstSeen: at}.WithFingerprint()
	if old := h.twin.alerts[a.Fingerprint()]; old != nil {
		a.FirstSeen = old.FirstSeen
		if h.rnd.IntN(4) > 0 {
			a.StartsAt = old.StartsAt
		}
	} else if before := h.fired[a.Fingerprint()]; before != nil && h.rnd.IntN(2) == 0 {
		a.FirstSeen = before.FirstSeen
	}
	h.fired[a.Fingerprint()] = &a
	return &a
}

func pick[T any](rnd *rand.Rand, of ...T) T { return of[rnd.IntN(len(of))] }

// randomDependencies makes rules in which causes mostly have a lower k than impacts.
func randomDependencies(rnd *rand.Rand) []Rule {
	var rules []Rule
	for i := range 1 + rnd.IntN(5) {
		k := rnd.IntN(4)
		r := Rule{
			Name:   fmt.Sprint("r", i),
			Cause:  matcher.MustParse(fmt.Sprintf(pick(rnd, `k="%d"`, `k=~"%d"`, `k=~"%d|9"`, `k="%d",e!="z"`), k)),
			Impact: matcher.MustParse(fmt.Sprintf(pick(rnd, `k="%d"`, `k=~"%d|4"`, `k=~"[%d-4]"`), k+1)),
		}
		switch rnd.IntN(8) {
		case 0:
			r.Cause, r.Impact, r.Via = matcher.MustParse(`k=~"[0-4]"`), matcher.MustParse(`k=~"[0-4]"`), true
		case 1:
			r.Impact = r.Cause
		case 2:
			r.Impact = matcher.MustParse(`k=~"[0-4]"`)
		}
		for _, p := range []Pair{{Impact: "e", Cause: "e"}, {Impact: "n", Cause: "n", StripPort: true}, {Impact: "n", Cause: "m"}} {
			if rnd.IntN(3) == 0 {
				p.Optional = rnd.IntN(2) == 0
				r.On = append(r.On, p)
			}
		}
		if rnd.IntN(6) == 0 {
			r.Kind = Inhibition
			for k := range r.On {
				r.On[k].Optional, r.On[k].StripPort = false, false
			}
			r.Via = false
			rules = append(rules, r)
			continue
		}
		r.Via = r.Via || rnd.IntN(4) == 0
		r.AnySeverity, r.SilencedPass, r.KeepOpen = rnd.IntN(3) == 0, rnd.IntN(3) == 0, rnd.IntN(3) == 0
		r.HoldBack = pick(rnd, 0, 0, 10*time.Second, 20*time.Second)
		r.Settle = pick(rnd, 0, 15*time.Second, 40*time.Second)
		r.Max = pick(rnd, 0, 0, 60*time.Second)
		randomRequire(rnd, &r)
		rules = append(rules, r)
	}
	return rules
}

func randomRequire(rnd *rand.Rand, r *Rule) {
	if slices.ContainsFunc(r.On, func(p Pair) bool { return p.Optional }) {
		return
	}
	switch rnd.IntN(4) {
	case 0:
		r.Require, r.Least = AtLeast, 1+rnd.IntN(2)
	case 1:
		if r.Via {
			r.Require = All
		}
	}
	if r.Via && r.Require != "" && rnd.IntN(2) == 0 {
		r.Of = matcher.MustParse(`kind="a"`)
	}
}

func randomTopology(rnd *rand.Rand) alarm.Entities {
	labels := []string{"e=x", "e=y", "e=x n=n1", "n=n1", "n=n2", "e=y n=n2", ""}
	var es alarm.Entities
	for i, l := range labels {
		e := alarm.Entity{Name: fmt.Sprint("e", i), Kind: pick(rnd, "a", "b"), Labels: set(l)}
		for range rnd.IntN(3) {
			e.DependsOn = append(e.DependsOn, fmt.Sprint("e", rnd.IntN(len(labels))))
		}
		es = append(es, e)
	}
	return es
}

func randomImpact(rnd *rand.Rand) model.LabelSet {
	ls := model.LabelSet{"alertname": model.LabelValue(pick(rnd, "X", "Y")), "k": model.LabelValue(fmt.Sprint(rnd.IntN(5)))}
	for _, l := range [][]string{{"e", "", "x", "y"}, {"n", "", "n1", "n2", "n1:9100"}, {"m", "", "n1"}, {"severity", "", "crit", "warn"}} {
		if v := pick(rnd, l[1:]...); v != "" {
			ls[model.LabelName(l[0])] = model.LabelValue(v)
		}
	}
	return ls
}

func severities() alarm.Severities {
	return alarm.Severities{Values: []alarm.Severity{{Name: "crit", Page: true}, {Name: "warn"}}}
}

// TestDependenciesEqualTwin compares what a Suppressor says over random histories with its slow twin:
// alerts begin, end and flap, causes are silenced, time passes, and the process starts again.
func TestDependenciesEqualTwin(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 50
	}
	for seed, played := uint64(0), uint64(0); played < seeds; seed++ {
		rnd := rand.New(rand.NewPCG(seed, 5))
		rules := randomDependencies(rnd)
		o := Options{Severities: severities(), Topology: randomTopology(rnd), Untold: 100 * time.Second}
		if _, err := New(rules, o); err != nil {
			var circle *CycleError
			require.ErrorAs(t, err, &circle)
			continue
		}
		played++
		h := newHistory(t, rnd, rules, o, fmt.Sprint("seed ", seed))
		h.play(60)
	}
}

func (h *history) play(steps int) {
	seed := h.what
	for step := range steps {
		h.what = fmt.Sprintf("%s, step %d", seed, step)
		at := h.now.Add(time.Duration(h.rnd.IntN(20_000)) * time.Millisecond)
		h.pass(at)
		changed := map[model.Fingerprint]*alarm.Alert{}
		for range h.rnd.IntN(4) {
			labels := randomImpact(h.rnd)
			state := pick(h.rnd, alarm.Firing, alarm.Firing, alarm.Firing, alarm.Pending, alarm.Resolved)
			if known := h.twin.order(); len(known) > 0 && h.rnd.IntN(2) == 0 {
				labels = h.twin.alerts[known[h.rnd.IntN(len(known))]].Labels
			}
			a := h.alert(labels, state, at)
			changed[a.Fingerprint()] = a
		}
		var rejudged []model.Fingerprint
		if known := h.twin.order(); len(known) > 0 && h.rnd.IntN(3) == 0 {
			fp := known[h.rnd.IntN(len(known))]
			h.twin.silenced[fp] = !h.twin.silenced[fp]
			rejudged = append(rejudged, fp)
		}
		var in []*alarm.Alert
		for _, fp := range slices.Sorted(maps.Keys(changed)) {
			in = append(in, changed[fp])
		}
		h.step(at, in, rejudged)
		h.tell()
		if h.rnd.IntN(10) == 0 {
			h.restart()
		}
	}
	var ends []*alarm.Alert
	for _, fp := range h.twin.order() {
		ends = append(ends, h.alert(h.twin.alerts[fp].Labels, alarm.Resolved, h.now))
	}
	h.step(h.now, ends, nil)
	require.Empty(h.t, h.reasons)
	require.Empty(h.t, h.rows, "%s: nothing is left behind", h.what)
	require.Empty(h.t, h.ours.pools)
	require.Empty(h.t, h.ours.nodes)
}
