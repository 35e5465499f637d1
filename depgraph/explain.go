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
	Causes []Cause // in the order of the rules
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
func (g *Graph) Explain(now time.Time, alerts []alarm.Alert) []Explanation {
	byFingerprint := make(map[model.Fingerprint]*alarm.Alert, len(alerts))
	changes := make([]alarm.Change, 0, len(alerts))
	for i := range alerts {
		a := &alerts[i]
		if !a.ResolvedAt(now) {
			byFingerprint[a.Fingerprint()] = a
			changes = append(changes, alarm.Change{Kind: alarm.Appeared, Alert: a})
		}
	}
	var all []Explanation
	for _, why := range g.Suppressor().Judge(now, alarm.View{Changes: changes}).Reasons {
		impact := byFingerprint[why.Fingerprint]
		if len(all) == 0 || all[len(all)-1].Impact != impact {
			all = append(all, Explanation{Impact: impact})
		}
		fp, err := model.ParseFingerprint(why.By)
		if err != nil {
			panic("depgraph: " + why.By + " is no fingerprint: " + err.Error())
		}
		e := &all[len(all)-1]
		e.Causes = append(e.Causes, Cause{Rule: why.Rule, Alert: byFingerprint[fp]})
	}
	return slices.Clip(all)
}
