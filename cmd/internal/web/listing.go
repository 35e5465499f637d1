package web

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// reasonInterval is why an alert is withheld whose routes are all muted by time intervals. It has no
// verdict: the route is muted, not the alert.
const reasonInterval alarm.Reason = "time interval"

// counts are how many alerts a query finds, each counted once in however many groups it is, and
// withheld only if no group may tell it.
type counts struct {
	Firing, Withheld, Pending int

	// ByReason counts the withheld by their first reason, the most frequent first.
	ByReason []reasonCount
}

// A reasonCount says how many alerts one kind of reason withholds.
type reasonCount struct {
	Reason alarm.Reason
	Count  int
}

// A listing is what a query finds, in the order of the page: groups in which something may be told,
// the worst severity first, then the newest; groups that are withheld altogether; what is pending.
type listing struct {
	counts    counts
	groups    []listedGroup
	pending   []*alarm.Reading
	total     int      // alerts in the state that was asked for, counted once for each group
	receivers []string // of all groups, whatever the query
}

// A listedGroup holds the alerts of one group that a query finds.
type listedGroup struct {
	*alarm.GroupReading
	firing   []*alarm.Reading
	withheld []*alarm.Reading
	rank     int       // the worst severity of what is firing, else of what is withheld
	newest   time.Time // its latest start
}

// list looks at every alert once for each group that it is in, and sorts only groups: the alerts of
// a group are sorted by those who show them.
func list(r *reading, q query, scale severityScale) listing {
	l := listing{receivers: receiversOf(r.groups)}
	if q.Err != nil {
		return l
	}
	t := newTally()
	for i := range r.groups {
		g := &r.groups[i]
		if q.Receiver != "" && g.Group.Receiver != q.Receiver {
			continue
		}
		lg := pick(g, q, scale, t)
		switch q.State {
		case stateFiring:
			lg.withheld = nil
		case stateWithheld:
			lg.firing = nil
		case statePending:
			continue
		}
		if n := len(lg.firing) + len(lg.withheld); n > 0 {
			l.groups = append(l.groups, lg)
			l.total += n
		}
	}
	l.counts = t.counts()
	slices.SortStableFunc(l.groups, compareListed)
	if q.Receiver == "" { // what is pending has no receiver yet
		for i := range r.alerts {
			if a := &r.alerts[i]; a.Alert.State == alarm.Pending && q.finds(a) {
				l.counts.Pending++
				if q.State == stateAll || q.State == statePending {
					l.pending = append(l.pending, a)
				}
			}
		}
		l.total += len(l.pending)
	}
	return l
}

// pick takes what the query finds in one group.
func pick(g *alarm.GroupReading, q query, scale severityScale, t *tally) listedGroup {
	lg := listedGroup{GroupReading: g}
	firingRank, withheldRank := -1, -1
	for i := range g.Alerts {
		a := &g.Alerts[i]
		if !q.finds(a) {
			continue
		}
		rank := scale.rank(a.Alert.Labels)
		if a.Verdict.Withheld() || len(g.MutedBy) > 0 {
			lg.withheld = append(lg.withheld, a)
			withheldRank = lower(withheldRank, rank)
		} else {
			lg.firing = append(lg.firing, a)
			firingRank = lower(firingRank, rank)
			if a.Alert.StartsAt.After(lg.newest) {
				lg.newest = a.Alert.StartsAt
			}
		}
		t.add(a, len(g.MutedBy) > 0)
	}
	lg.rank = firingRank
	if firingRank < 0 {
		lg.rank = withheldRank
	}
	return lg
}

// lower returns the lower rank; -1 is none.
func lower(a, b int) int {
	if a < 0 {
		return b
	}
	return min(a, b)
}

func compareListed(a, b listedGroup) int {
	silent := func(g listedGroup) int {
		if len(g.firing) == 0 {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(silent(a), silent(b)), cmp.Compare(a.rank, b.rank), b.newest.Compare(a.newest))
}

// sortAlerts puts the worst first, then the newest.
func sortAlerts(alerts []*alarm.Reading, scale severityScale) {
	type keyed struct {
		rank   int
		starts time.Time
		fp     model.Fingerprint
		alert  *alarm.Reading
	}
	keys := make([]keyed, len(alerts))
	for i, a := range alerts {
		keys[i] = keyed{scale.rank(a.Alert.Labels), a.Alert.StartsAt, a.Alert.Fingerprint(), a}
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), b.starts.Compare(a.starts), cmp.Compare(a.fp, b.fp))
	})
	for i := range keys {
		alerts[i] = keys[i].alert
	}
}

func receiversOf(groups []alarm.GroupReading) []string {
	seen := map[string]bool{}
	var names []string
	for _, g := range groups {
		if !seen[g.Group.Receiver] {
			seen[g.Group.Receiver] = true
			names = append(names, g.Group.Receiver)
		}
	}
	slices.Sort(names)
	return names
}

// A tally counts alerts once. Only those on several routes have to be remembered for that.
type tally struct {
	firing   int
	withheld map[alarm.Reason]int
	several  map[model.Fingerprint]alarm.Reason // empty: some group may tell it
}

func newTally() *tally {
	return &tally{withheld: map[alarm.Reason]int{}, several: map[model.Fingerprint]alarm.Reason{}}
}

func (t *tally) add(a *alarm.Reading, muted bool) {
	reason := alarm.Reason("")
	switch {
	case a.Verdict.Withheld():
		reason = a.Verdict.Suppressions[0].Reason
	case muted:
		reason = reasonInterval
	}
	if len(a.Receivers) > 1 {
		fp := a.Alert.Fingerprint()
		if before, seen := t.several[fp]; !seen || before != "" {
			t.several[fp] = reason
		}
		return
	}
	t.count(reason, 1)
}

func (t *tally) count(reason alarm.Reason, n int) {
	if reason == "" {
		t.firing += n
		return
	}
	t.withheld[reason] += n
}

func (t *tally) counts() counts {
	for _, reason := range t.several {
		t.count(reason, 1)
	}
	c := counts{Firing: t.firing}
	for reason, n := range t.withheld {
		c.Withheld += n
		c.ByReason = append(c.ByReason, reasonCount{reason, n})
	}
	slices.SortFunc(c.ByReason, func(a, b reasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return c
}

// A window lets a run of alerts through: some are left out at the beginning, then so many are shown.
type window struct{ skip, left int }

// touches says whether some of the next n would be shown.
func (w *window) touches(n int) bool { return w.left > 0 && n > w.skip }

func (w *window) take(alerts []*alarm.Reading) []*alarm.Reading {
	n := min(w.skip, len(alerts))
	w.skip -= n
	alerts = alerts[n:]
	n = min(w.left, len(alerts))
	w.left -= n
	return alerts[:n]
}
