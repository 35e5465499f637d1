package dedupe

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

const (
	// waveEvery is how long alerts of the highest severity wait for the next flood, so that a trickle of
	// them is not one flood each.
	waveEvery = 30 * time.Second

	// rewordEvery is how often the text of a flood changes at most.
	rewordEvery = 10 * time.Second
)

// A wave is one flood: one alert, and what joined it.
type wave struct {
	Number int            `json:"number"`
	Opens  time.Time      `json:"opens,omitzero"` // when its alert is raised, or was
	Labels model.LabelSet `json:"labels"`

	fp      model.Fingerprint // of Labels
	rank    int               // of its members, the worst
	members map[model.Fingerprint]*flooded
	tally   floodTally
	alert   *alarm.Alert // as it was last raised; nil: not yet
	worded  time.Time    // when its text was last made
	changed bool         // since then
}

// made completes a wave of which no more is known than its row has.
func (w *wave) made(o *FloodOptions) {
	a := alarm.Alert{Labels: w.Labels}
	w.fp = a.Fingerprint()
	w.members, w.tally = map[model.Fingerprint]*flooded{}, newFloodTally()
	rank, ok := o.Severities.Rank(w.Labels)
	if !ok {
		rank = len(o.Severities.Values)
	}
	w.rank = rank
}

// add takes in an alert, to be named if it is of the highest severity.
func (w *wave) add(fp model.Fingerprint, m *flooded, named bool) {
	m.in, m.Flood = w, w.Number
	w.members[fp] = m
	w.tally.count(m.alert, 1)
	if named {
		w.tally.named[fp] = m.alert
	}
	w.changed = true
}

// drop has an alert leave.
func (w *wave) drop(fp model.Fingerprint, m *flooded) {
	delete(w.members, fp)
	w.tally.count(m.alert, -1)
	delete(w.tally.named, fp)
	w.changed = true
}

// labels are what a flood's alert has, of which a is the first and worst member: those that it shares
// with the pages before it, for which there was no more room, and as many more of its own as it takes
// to lead to the same people. They are nil if that takes another alertname or number.
func (j *flooding) labels(t *team, a *alarm.Alert, number int) model.LabelSet {
	label := j.opts.Severities.Label
	if label == "" {
		label = "severity"
	}
	own := model.LabelSet{model.AlertNameLabel: FloodAlertname}
	if value, ok := a.Labels[label]; ok && len(j.opts.Severities.Values) > 0 {
		own[label] = value
	}
	if number > 1 {
		own[FloodLabel] = model.LabelValue(strconv.Itoa(number))
	}
	shared := t.shared(a, j.rank(a)).Merge(own)
	leads := func(ls model.LabelSet) bool { return j.opts.Team(ls) == t.name }
	found := leading(shared, a.Labels.Merge(own), leads)
	if found == nil || j.opts.Owner == nil {
		return found
	}
	if owner := j.opts.Owner(a.Labels); owner != "" && found["team"] == "" {
		if with := found.Merge(model.LabelSet{"team": model.LabelValue(owner)}); leads(with) {
			return with
		}
	}
	return found
}

// leading are the labels that lead right: the shared ones, those and one more, or all; or nil.
func leading(shared, all model.LabelSet, leads func(model.LabelSet) bool) model.LabelSet {
	if leads(shared) {
		return shared
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if with := shared.Merge(model.LabelSet{name: all[name]}); leads(with) {
			return with
		}
	}
	if leads(all) {
		return all
	}
	return nil
}

// shared are the labels in which an alert agrees with all pages that count against it.
func (t *team) shared(a *alarm.Alert, rank int) model.LabelSet {
	labels := a.Labels.Clone()
	for _, p := range t.Pages {
		if p.Rank > rank {
			continue
		}
		for name, value := range labels { // the order does not show
			if other, ok := p.Labels[name]; !ok || other != value {
				delete(labels, name)
			}
		}
	}
	return labels
}
