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

// A team is whom alerts page, and their floods: its row.
type team struct {
	name   string
	alerts int // that page it, let through or not

	// Pages were let through and still count, oldest first.
	Pages []page `json:"pages,omitempty"`

	// Waves are the floods that are open, oldest first. The last takes in what joins.
	Waves []*wave `json:"waves,omitempty"`
}

// A page is one alert that was let through.
type page struct {
	At     time.Time      `json:"at"`
	Rank   int            `json:"rank,omitempty"`
	Labels model.LabelSet `json:"labels,omitempty"`
}

func (f *Flood) team(name string) *team {
	t := f.teams[name]
	if t == nil {
		t = &team{name: name}
		f.teams[name] = t
	}
	return t
}

// room is when there is room for a page of a severity: milder ones do not count against it.
func (t *team) room(now time.Time, rank int, o *FloodOptions) time.Time {
	n := 0
	for _, p := range slices.Backward(t.Pages) {
		if p.Rank > rank {
			continue
		}
		if n++; n == o.Pages {
			if at := p.At.Add(o.Within); at.After(now) {
				return at
			}
			break
		}
	}
	return now
}

// page takes down that an alert is let through. Of each severity no more are kept than are allowed.
func (t *team) page(now time.Time, rank int, a *alarm.Alert, o *FloodOptions) {
	t.age(now, o)
	t.Pages = append(t.Pages, page{now, rank, a.Labels})
	n := 0
	for i, p := range slices.Backward(t.Pages) {
		if p.Rank != rank {
			continue
		}
		if n++; n > o.Pages {
			t.Pages = slices.Delete(t.Pages, i, i+1)
			return
		}
	}
}

// age forgets the pages that do not count any more.
func (t *team) age(now time.Time, o *FloodOptions) {
	t.Pages = slices.DeleteFunc(t.Pages, func(p page) bool { return !p.At.Add(o.Within).After(now) })
}

// setBack sees to it that nothing was taken down later than now, as when the clock was set back since.
func (t *team) setBack(now time.Time) {
	for i := range t.Pages {
		t.Pages[i].At = notAfter(now, t.Pages[i].At)
	}
	for _, w := range t.Waves {
		if w.Opens.After(now.Add(waveEvery)) {
			w.Opens = now
		}
	}
}

// taking is the flood that an alert joins: the last that is open, or a new one. It is nil if no labels
// of a new one would lead to whom the alert pages.
func (j *flooding) taking(t *team, a *alarm.Alert) *wave {
	w := &wave{Number: 1, Opens: j.now}
	rank := j.rank(a)
	if n := len(t.Waves); n > 0 {
		last := t.Waves[n-1]
		if rank >= last.rank && (last.alert == nil || !j.highest(rank)) {
			return last
		}
		w.Number = last.Number + 1
		if next := last.Opens.Add(waveEvery); rank == last.rank && next.After(j.now) {
			w.Opens = next
		}
	}
	if w.Labels = j.labels(t, a, w.Number); w.Labels == nil {
		return nil
	}
	w.made(&j.opts)
	t.Waves = append(t.Waves, w)
	return w
}

// settle raises, changes or ends the alerts of a team's floods.
func (j *flooding) settle(t *team) {
	open := false
	var next time.Time
	for _, w := range t.Waves {
		switch {
		case len(w.members) == 0 && w.alert != nil:
			a := *w.alert
			a.State, a.EndsAt, a.UpdatedAt = alarm.Resolved, j.now, j.now
			j.raised = append(j.raised, alarm.Change{Kind: alarm.Ended, Alert: &a})
		case len(w.members) == 0:
		case w.alert == nil && (!open || !j.now.Before(w.Opens)):
			w.Opens = j.now
			j.raise(alarm.Appeared, w, alarm.Alert{
				Labels: w.Labels, State: alarm.Firing, RaisedBy: FloodName, StartsAt: j.now, FirstSeen: j.now, Fired: 1,
			}.WithFingerprint())
		case w.alert == nil:
			next = sooner(next, w.Opens)
		case w.changed && j.now.Before(w.worded.Add(rewordEvery)):
			next = sooner(next, w.worded.Add(rewordEvery))
		case w.changed:
			j.raise(alarm.Changed, w, *w.alert)
		}
		open = open || len(w.members) > 0
	}
	t.Waves = slices.DeleteFunc(t.Waves, func(w *wave) bool { return len(w.members) == 0 })
	t.age(j.now, &j.opts)
	if n := len(t.Pages); n > 0 && t.alerts == 0 { // to forget the team
		next = sooner(next, t.Pages[n-1].At.Add(j.opts.Within))
	}
	j.words.set(t.name, next)
	row := alarm.Row{Part: teamPart, Key: t.name}
	if len(t.Pages) > 0 || len(t.Waves) > 0 {
		row.Value, _ = json.Marshal(t) // labels, and times of our own, cannot fail
	} else if t.alerts == 0 {
		delete(j.teams, t.name)
	}
	j.rows = append(j.rows, row)
}

// sooner is the earlier of two times, of which the zero one is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// raise hands out the alert of a flood, if it says anything new.
func (j *flooding) raise(kind alarm.ChangeKind, w *wave, a alarm.Alert) {
	w.changed = false
	annotations := j.describe(w)
	if kind == alarm.Changed && maps.Equal(annotations, a.Annotations) {
		return
	}
	a.Annotations, a.UpdatedAt = annotations, j.now
	w.alert, w.worded = &a, j.now
	j.raised = append(j.raised, alarm.Change{Kind: kind, Alert: &a})
}

// reclaim takes in, at the first call, the alerts that were raised before, and drops what is not known
// any more, or pages others by now.
func (j *flooding) reclaim(changes []alarm.Change) {
	known := map[model.Fingerprint]*alarm.Alert{}
	for _, c := range changes {
		known[c.Alert.Fingerprint()] = c.Alert
	}
	raised := map[model.Fingerprint]bool{}
	for _, name := range slices.Sorted(maps.Keys(j.teams)) {
		j.touched[name] = true
		t := j.teams[name]
		t.setBack(j.now)
		t.Waves = slices.DeleteFunc(t.Waves, func(w *wave) bool { return j.opts.Team(w.Labels) != name })
		for _, w := range t.Waves {
			a := known[w.fp]
			if a != nil && a.RaisedBy == FloodName && a.State == alarm.Firing {
				w.alert, w.worded = a, notAfter(j.now, a.UpdatedAt)
				raised[w.fp] = true
			}
		}
	}
	for _, fp := range slices.Sorted(maps.Keys(j.alerts)) {
		m, a := j.alerts[fp], known[fp]
		t := j.teams[m.Team]
		if a == nil || j.opts.Team(a.Labels) != m.Team {
			j.leave(fp)
			continue
		}
		m.alert = a
		if m.Joined.IsZero() {
			continue
		}
		if m.Joined.After(j.now) {
			m.Until, m.Joined = m.Until.Add(j.now.Sub(m.Joined)), j.now
			j.due.set(fp, m.Until)
			j.keep(fp)
		}
		n := slices.IndexFunc(t.Waves, func(w *wave) bool { return w.Number == m.Flood })
		if n < 0 {
			j.leave(fp)
			continue
		}
		t.Waves[n].add(fp, m, j.highest(j.rank(a)))
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
		t.Waves = slices.DeleteFunc(t.Waves, func(w *wave) bool { return w == nil })
		for _, w := range t.Waves {
			w.made(&f.opts)
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
		f.team(m.Team).alerts++
		if !m.Joined.IsZero() {
			f.due.set(fp, m.Until)
		}
	}
	return nil
}
