package dedupe

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A team is whom alerts page, and their flood, if there is one: its row.
type team struct {
	name string

	// Pages are the latest alerts that would have paged, let through or not, oldest first: no more than
	// are allowed at a time.
	Pages []page `json:"pages,omitempty"`

	// Alert is the alert that stands for the flood, or 0 if there is none.
	Alert model.Fingerprint `json:"alert,omitempty"`

	members map[model.Fingerprint]*flooded // the alerts in the flood
	alert   *alarm.Alert                   // as it was last raised
}

// A page is one alert that would have paged.
type page struct {
	At     time.Time      `json:"at"`
	Labels model.LabelSet `json:"labels,omitempty"`
}

func (f *Flood) team(name string) *team {
	t := f.teams[name]
	if t == nil {
		t = &team{name: name, members: map[model.Fingerprint]*flooded{}}
		f.teams[name] = t
	}
	return t
}

// room is when there is room for a page.
func (t *team) room(now time.Time, o *FloodOptions) time.Time {
	if n := len(t.Pages); n >= o.Pages {
		if at := t.Pages[n-o.Pages].At.Add(o.Within); at.After(now) {
			return at
		}
	}
	return now
}

// page takes down that an alert would page, and says whether there was room.
func (t *team) page(now time.Time, a *alarm.Alert, o *FloodOptions) bool {
	room := !t.room(now, o).After(now)
	t.age(now, o)
	t.Pages = append(t.Pages, page{now, a.Labels})
	if over := len(t.Pages) - o.Pages; over > 0 {
		t.Pages = slices.Delete(t.Pages, 0, over)
	}
	return room
}

// age forgets the pages that do not count any more.
func (t *team) age(now time.Time, o *FloodOptions) {
	t.Pages = slices.DeleteFunc(t.Pages, func(p page) bool { return !p.At.Add(o.Within).After(now) })
}

// shared are the labels in which all pages of the team agree, but for those that the flood's alert has
// of its own: so it takes the routes that they take.
func (t *team) shared(own model.LabelSet) model.LabelSet {
	labels := model.LabelSet{}
	for i, p := range t.Pages {
		if i == 0 {
			labels = p.Labels.Clone()
			continue
		}
		for name, value := range labels { // the order does not show
			if other, ok := p.Labels[name]; !ok || other != value {
				delete(labels, name)
			}
		}
	}
	maps.Copy(labels, own)
	return labels
}

// settle raises, changes or ends the alert of a team's flood.
func (j *flooding) settle(t *team) {
	row := alarm.Row{Part: teamPart, Key: t.name}
	switch {
	case len(t.members) > 0 && t.alert == nil:
		own := model.LabelSet{model.AlertNameLabel: FloodAlertname}
		if t.name != "" {
			own["team"] = model.LabelValue(t.name)
		}
		if worst := j.opts.Severities.Values; len(worst) > 0 {
			label := j.opts.Severities.Label
			if label == "" {
				label = "severity"
			}
			own[label] = model.LabelValue(worst[0].Name)
		}
		a := alarm.Alert{
			Labels: t.shared(own), State: alarm.Firing, RaisedBy: FloodName, StartsAt: j.now, UpdatedAt: j.now, FirstSeen: j.now, Fired: 1,
		}.WithFingerprint()
		t.Alert = a.Fingerprint()
		j.raise(alarm.Appeared, t, a)
	case len(t.members) > 0:
		j.raise(alarm.Changed, t, *t.alert)
	case t.alert != nil:
		a := *t.alert
		a.State, a.EndsAt, a.UpdatedAt = alarm.Resolved, j.now, j.now
		j.raised = append(j.raised, alarm.Change{Kind: alarm.Ended, Alert: &a})
		t.alert, t.Alert = nil, 0
	}
	t.age(j.now, &j.opts)
	if len(t.Pages) > 0 || t.Alert != 0 {
		row.Value, _ = json.Marshal(t) // labels, and times of our own, cannot fail
	} else if !slices.ContainsFunc(slices.Collect(maps.Values(j.alerts)), func(m *flooded) bool { return m.Team == t.name }) {
		delete(j.teams, t.name)
	}
	j.rows = append(j.rows, row)
}

// raise hands out the alert of a flood, if it says anything new.
func (j *flooding) raise(kind alarm.ChangeKind, t *team, a alarm.Alert) {
	annotations := j.describe(t)
	if kind == alarm.Changed && maps.Equal(annotations, a.Annotations) {
		return
	}
	a.Annotations, a.UpdatedAt = annotations, j.now
	t.alert = &a
	j.raised = append(j.raised, alarm.Change{Kind: kind, Alert: &a})
}

// reclaim takes in, at the first call, the alerts that were raised before, and drops what is not known
// any more.
func (j *flooding) reclaim(changes []alarm.Change) {
	known := map[model.Fingerprint]*alarm.Alert{}
	for _, c := range changes {
		known[c.Alert.Fingerprint()] = c.Alert
	}
	raised := map[model.Fingerprint]bool{}
	for _, name := range slices.Sorted(maps.Keys(j.teams)) {
		t := j.teams[name]
		if a := known[t.Alert]; a != nil && a.RaisedBy == FloodName && a.State == alarm.Firing {
			t.alert = a
			raised[t.Alert] = true
		}
		j.touched[name] = true
	}
	for _, fp := range slices.Sorted(maps.Keys(j.alerts)) {
		if a := known[fp]; a != nil {
			j.alerts[fp].alert = a
		} else {
			j.leave(fp)
		}
	}
	for _, c := range changes {
		if a := c.Alert; a.RaisedBy == FloodName && a.State == alarm.Firing && !raised[a.Fingerprint()] {
			gone := *a
			gone.State, gone.EndsAt, gone.UpdatedAt = alarm.Resolved, j.now, j.now
			j.raised = append(j.raised, alarm.Change{Kind: alarm.Ended, Alert: &gone})
		}
	}
}

// teamPart is the part of the rows of teams; those of alerts have the Flood's name.
const teamPart = "flood-team"

// load takes in one row.
func (f *Flood) load(row alarm.Row) error {
	switch {
	case row.Value == nil:
	case row.Part == teamPart:
		t := f.team(row.Key)
		if err := json.Unmarshal(row.Value, t); err != nil {
			return err
		}
		if over := len(t.Pages) - f.opts.Pages; over > 0 {
			t.Pages = t.Pages[over:]
		}
	case row.Part == FloodName:
		fp, err := model.FingerprintFromString(row.Key)
		if err != nil {
			return fmt.Errorf("key is no fingerprint: %w", err)
		}
		var m flooded
		if err := json.Unmarshal(row.Value, &m); err != nil {
			return err
		}
		f.alerts[fp] = &m
		if t := f.team(m.Team); !m.Joined.IsZero() {
			t.members[fp] = &m
			f.due.set(fp, m.Until)
		}
	}
	return nil
}
