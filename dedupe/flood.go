package dedupe

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

var _ alarm.Suppressor = (*Flood)(nil)

// FloodOptions configures a Flood. The zero value works.
type FloodOptions struct {
	// Severities say which alerts page, and which are the worst. Alerts without a known severity page;
	// if no severities are known, all do.
	Severities alarm.Severities

	// Pages is how many alerts may page a team within Within. Default to 20 and 2 m.
	Pages  int
	Within time.Duration

	// Max is after how long in a flood an alert that still fires gets a page of its own, when there is
	// room. Defaults to 6 h.
	Max time.Duration

	// Team names whom an alert pages. Nil: all alerts page the same people.
	Team func(model.LabelSet) string

	// Swallowed, if set, is called for each page that was not sent.
	Swallowed func(Swallower)
}

// The name of a Flood, which its alerts are raised by, and what these are called.
const (
	FloodName      = string(alarm.ReasonFlood)
	FloodAlertname = "TocsinFlood"
)

// Flood is the last Suppressor. What would page a team beyond a number of pages within a while joins
// one alert, which Flood raises: it lists what joined, and ends when all of that has ended. What was
// told, or let through, is left alone until it ends. An alert stays in its flood while it fires and
// nothing else withholds it: when the flood ebbs there is no second wave, for the alert of the flood
// is open all the while; and new alerts page again. What fires for longer than Max in it gets a page
// of its own, as many as Pages within Within.
type Flood struct {
	opts   FloodOptions
	alerts map[model.Fingerprint]*flooded
	teams  map[string]*team
	due    agenda[model.Fingerprint] // when one in a flood gets its own page
	first  bool                      // nothing was judged yet
}

// A flooded alert would page: it was let through, or joined its team's flood.
type flooded struct {
	Team   string    `json:"team,omitempty"`
	Joined time.Time `json:"joined,omitzero"` // zero: it was let through
	Until  time.Time `json:"until,omitzero"`
	alert  *alarm.Alert
}

// NewFlood returns a Flood that continues from what is stored; nil is nothing.
func NewFlood(stored *alarm.Stored, o FloodOptions) (*Flood, error) {
	o.Pages, o.Within, o.Max = cmp.Or(o.Pages, 20), cmp.Or(o.Within, 2*time.Minute), cmp.Or(o.Max, 6*time.Hour)
	if o.Pages < 0 || o.Within < 0 || o.Max < 0 {
		return nil, errors.New("flood: a duration or number is less than zero")
	}
	if o.Team == nil {
		o.Team = func(model.LabelSet) string { return "" }
	}
	f := &Flood{opts: o, alerts: map[model.Fingerprint]*flooded{}, teams: map[string]*team{}, first: true}
	if stored == nil {
		return f, nil
	}
	for _, row := range stored.Rows {
		if err := f.load(row); err != nil {
			return nil, fmt.Errorf("flood: row %q: %w", row.Key, err)
		}
	}
	return f, nil
}

// Name returns "flood".
func (*Flood) Name() string { return FloodName }

// Judge lets alerts through, or has them join a flood.
func (f *Flood) Judge(now time.Time, v alarm.View) alarm.Judgement {
	j := &flooding{Flood: f, now: now, v: v, judged: map[model.Fingerprint]bool{}, touched: map[string]bool{}}
	if f.first {
		f.first = false
		j.reclaim(v.Changes)
	}
	var candidates []*alarm.Alert
	consider := func(a *alarm.Alert) {
		if a.RaisedBy == FloodName {
			j.judged[a.Fingerprint()] = true
		} else if j.pages(a) {
			candidates = append(candidates, a)
		} else {
			j.leave(a.Fingerprint())
		}
	}
	for _, c := range v.Changes {
		consider(c.Alert)
	}
	for _, fp := range v.Rejudged {
		if _, seen := slices.BinarySearchFunc(v.Changes, fp, changeOf); seen || v.Alert == nil {
			continue
		}
		if a := v.Alert(fp); a != nil {
			consider(a)
		} else {
			j.leave(fp)
		}
	}
	for _, fp := range f.due.due(now) {
		if m := f.alerts[fp]; m != nil && m.alert != nil && !j.judged[fp] {
			candidates = append(candidates, m.alert)
		}
	}
	slices.SortFunc(candidates, j.worstFirst)
	for _, a := range slices.CompactFunc(candidates, func(a, b *alarm.Alert) bool { return a.Fingerprint() == b.Fingerprint() }) {
		j.admit(a)
	}
	return j.judgement()
}

func changeOf(c alarm.Change, fp model.Fingerprint) int {
	return cmp.Compare(c.Alert.Fingerprint(), fp)
}

// A flooding is one call of Judge.
type flooding struct {
	*Flood
	now     time.Time
	v       alarm.View
	judged  map[model.Fingerprint]bool
	touched map[string]bool // teams whose flood changed
	raised  []alarm.Change
	rows    []alarm.Row
}

// pages says whether an alert pages somebody unless it joins a flood.
func (j *flooding) pages(a *alarm.Alert) bool {
	if a.State != alarm.Firing {
		return false
	}
	if s, ok := j.opts.Severities.Of(a.Labels); ok && !s.Page {
		return false
	}
	return j.v.Reasons == nil || len(j.v.Reasons(a.Fingerprint())) == 0
}

// worstFirst is the order in which alerts of one instant are let through.
func (j *flooding) worstFirst(a, b *alarm.Alert) int {
	return cmp.Or(cmp.Compare(j.rank(a), j.rank(b)), cmp.Compare(a.Fingerprint(), b.Fingerprint()))
}

// rank is how bad an alert is; one without a known severity comes after the others.
func (j *flooding) rank(a *alarm.Alert) int {
	n, ok := j.opts.Severities.Rank(a.Labels)
	if !ok {
		return len(j.opts.Severities.Values)
	}
	return n
}

// admit decides about an alert that would page.
func (j *flooding) admit(a *alarm.Alert) {
	fp := a.Fingerprint()
	j.judged[fp] = true
	m := j.alerts[fp]
	switch {
	case j.v.Told != nil && j.v.Told(fp): // somebody knows: it is no page any more
		if m != nil && !m.Joined.IsZero() {
			j.leave(fp)
		}
		return
	case m == nil:
		t := j.team(j.opts.Team(a.Labels))
		m = &flooded{Team: t.name, alert: a}
		j.alerts[fp] = m
		if !t.page(j.now, a, &j.opts) {
			j.join(fp, m)
		}
	case m.Joined.IsZero(): // it was let through before
		m.alert = a
		return
	case !j.now.Before(m.Until):
		m.alert = a
		t := j.team(m.Team)
		if room := t.room(j.now, &j.opts); room.After(j.now) {
			m.Until = room
			break
		}
		t.page(j.now, a, &j.opts)
		m.Joined, m.Until = time.Time{}, time.Time{}
		delete(t.members, fp)
	default:
		if m.alert == a {
			return
		}
		m.alert = a
	}
	if !m.Joined.IsZero() {
		j.teams[m.Team].members[fp] = m
	}
	j.due.set(fp, m.Until)
	j.touched[m.Team] = true
	j.keep(fp)
}

// join puts an alert into the flood of its team.
func (j *flooding) join(fp model.Fingerprint, m *flooded) {
	m.Joined, m.Until = j.now, j.now.Add(j.opts.Max)
	if j.opts.Swallowed != nil {
		j.opts.Swallowed(ByFlood)
	}
}

// leave takes in that an alert does not page: it ended, or something else withholds it.
func (j *flooding) leave(fp model.Fingerprint) {
	j.judged[fp] = true
	m := j.alerts[fp]
	if m == nil {
		return
	}
	delete(j.alerts, fp)
	delete(j.teams[m.Team].members, fp)
	j.due.set(fp, time.Time{})
	j.touched[m.Team] = true
	j.keep(fp)
}

// keep writes down what is known of an alert.
func (j *flooding) keep(fp model.Fingerprint) {
	row := alarm.Row{Part: FloodName, Key: fp.String()}
	if m := j.alerts[fp]; m != nil {
		row.Value, _ = json.Marshal(m) // texts, and times of our own, cannot fail
	}
	j.rows = append(j.rows, row)
}

// judgement puts together what was decided.
func (j *flooding) judgement() alarm.Judgement {
	for _, name := range slices.Sorted(maps.Keys(j.touched)) {
		j.settle(j.teams[name])
	}
	out := alarm.Judgement{Judged: slices.Sorted(maps.Keys(j.judged)), Rows: j.rows, Next: j.due.next()}
	for _, fp := range out.Judged {
		m := j.alerts[fp]
		if m == nil || m.Joined.IsZero() {
			continue
		}
		out.Reasons = append(out.Reasons, alarm.Suppression{
			Fingerprint: fp, Reason: alarm.ReasonFlood, By: j.teams[m.Team].Alert.String(), Rule: m.Team,
			Note:  fmt.Sprintf("more than %d pages within %s: it joined the flood", j.opts.Pages, j.opts.Within),
			Since: m.Joined, Until: m.Until,
		})
	}
	slices.SortFunc(j.raised, func(a, b alarm.Change) int { return cmp.Compare(a.Alert.Fingerprint(), b.Alert.Fingerprint()) })
	out.Raised = j.raised
	return out
}
