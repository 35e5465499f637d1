package alarm_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A tally raises one alert while at least two alerts named Node fire that nothing withholds, and
// withholds these meanwhile, with a reason that closes what is open.
type tally struct {
	nodes  map[model.Fingerprint]bool
	raised *alarm.Alert
}

func newTally() *tally { return &tally{nodes: map[model.Fingerprint]bool{}} }

func (*tally) Name() string { return "rollup" }

func (c *tally) Judge(now time.Time, v alarm.View) alarm.Judgement {
	var j alarm.Judgement
	for _, change := range v.Changes {
		a := change.Alert
		switch {
		case a.RaisedBy == c.Name() && a.State == alarm.Firing && c.raised == nil:
			c.raised = a // before a restart
		case a.Name() == "Node" && a.State == alarm.Firing:
			c.nodes[a.Fingerprint()] = true
		default:
			delete(c.nodes, a.Fingerprint())
			j.Judged = append(j.Judged, a.Fingerprint())
		}
	}
	var counted []model.Fingerprint
	for fp := range c.nodes {
		if len(v.Reasons(fp)) == 0 {
			counted = append(counted, fp)
		}
		j.Judged = append(j.Judged, fp)
	}
	slices.Sort(counted)
	slices.Sort(j.Judged)
	kind := alarm.Reworded
	switch {
	case len(counted) < 2 && c.raised != nil:
		ended := *c.raised
		ended.State, ended.EndsAt = alarm.Resolved, now
		j.Raised = []alarm.Change{{Kind: alarm.Ended, Alert: &ended}}
		c.raised = nil
	case len(counted) >= 2:
		if c.raised == nil {
			c.raised, kind = &alarm.Alert{Labels: model.LabelSet{"alertname": "Outage"}, StartsAt: now}, alarm.Appeared
		}
		worded := *c.raised
		worded.RaisedBy = c.Name()
		worded.Annotations = model.LabelSet{"summary": model.LabelValue(fmt.Sprintf("%d nodes", len(counted)))}
		c.raised = &worded
		j.Raised = []alarm.Change{{Kind: kind, Alert: &worded}}
		for _, fp := range counted {
			j.Reasons = append(j.Reasons, alarm.Suppression{
				Fingerprint: fp, Reason: alarm.ReasonRollup, By: worded.Labels.Fingerprint().String(), Close: true,
			})
		}
	}
	return j
}
