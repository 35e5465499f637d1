package depgraph

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// An Explanation says why an alert need not be told.
type Explanation struct {
	Impact *alarm.Alert
	Causes []Cause        // in the order of the rules
	Roots  []*alarm.Alert // where the chains of causes begin, sorted by fingerprint
}

// A Cause is an alert that explains another by a rule.
type Cause struct {
	Rule  string
	Alert *alarm.Alert
}

// String returns the cause's alert as logs print it.
func (c Cause) String() string { return c.Alert.String() }

// Explain returns the alerts of the list that others of the list explain at now, sorted by
// fingerprint. They are pointers into the list. If a fingerprint occurs twice, the later one counts.
// Nothing is remembered: HoldBack, Settle and Max are for a [Suppressor].
func (g *Graph) Explain(now time.Time, alerts []alarm.Alert) []Explanation {
	byFingerprint := make(map[model.Fingerprint]*alarm.Alert, len(alerts))
	order := make([]model.Fingerprint, 0, len(alerts))
	for i := range alerts {
		a := &alerts[i]
		if fp := a.Fingerprint(); !a.ResolvedAt(now) {
			if byFingerprint[fp] == nil {
				order = append(order, fp)
			}
			byFingerprint[fp] = a
		} else if byFingerprint[fp] != nil {
			delete(byFingerprint, fp)
			order = slices.DeleteFunc(order, func(o model.Fingerprint) bool { return o == fp })
		}
	}
	slices.Sort(order)
	j := &judging{Suppressor: g.Suppressor(), now: now}
	for _, fp := range order {
		j.follow(fp, byFingerprint[fp])
	}
	j.settleCauses()

	var all []Explanation
	position := map[model.Fingerprint]int{}
	for _, fp := range order {
		n := j.nodes[fp]
		if n == nil {
			continue
		}
		e := Explanation{Impact: byFingerprint[fp]}
		for _, l := range j.links(n) {
			r := &g.rules[l.rule]
			if r.inhibits() || n.causing {
				e.Causes = append(e.Causes, Cause{Rule: r.Name, Alert: byFingerprint[l.cause.fingerprint]})
			}
		}
		if len(e.Causes) > 0 {
			position[fp] = len(all)
			all = append(all, e)
		}
	}
	for i := range all {
		all[i].Roots = roots(all, position, i)
	}
	return slices.Clip(all)
}

// roots follows the causes of an explanation to those that nothing explains. Inhibitions may mute each
// other in a circle: then the direct causes are all that can be said.
func roots(all []Explanation, position map[model.Fingerprint]int, start int) []*alarm.Alert {
	var found []*alarm.Alert
	seen := map[model.Fingerprint]struct{}{}
	queue := slices.Clone(all[start].Causes)
	for len(queue) > 0 {
		a := queue[0].Alert
		queue = queue[1:]
		fp := a.Fingerprint()
		if _, again := seen[fp]; again {
			continue
		}
		seen[fp] = struct{}{}
		if i, explained := position[fp]; explained {
			queue = append(queue, all[i].Causes...)
		} else {
			found = append(found, a)
		}
	}
	if len(found) == 0 {
		for _, c := range all[start].Causes {
			found = append(found, c.Alert)
		}
	}
	slices.SortFunc(found, func(a, b *alarm.Alert) int {
		if a.Fingerprint() < b.Fingerprint() {
			return -1
		}
		return 1
	})
	return slices.CompactFunc(found, func(a, b *alarm.Alert) bool { return a.Fingerprint() == b.Fingerprint() })
}
