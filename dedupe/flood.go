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

	// Team names everybody whom an alert pages. The alert of a flood has labels that lead to the same
	// people as those of its members; an alert for which there are none is let through. Nil: all
	// alerts page the same people.
	Team func(model.LabelSet) string

	// Owner, if set, is the name of the team that owns an alert, or empty: the label team of its flood.
	Owner func(model.LabelSet) string

	// Swallowed, if set, is called for each page that was not sent.
	Swallowed func(Swallower)
}

// The name of a Flood, which its alerts are raised by, and what these are called. From the second that
// is open for the same people on they are numbered.
const (
	FloodName      = string(alarm.ReasonFlood)
	FloodAlertname = "TocsinFlood"
	FloodLabel     = model.LabelName("flood")
)

// Flood is the last Suppressor. What would page a team beyond a number of pages within a while joins
// one alert, which Flood raises: it lists what joined, and ends when all of that has ended. What was
// told, or let through, is left alone until it ends. An alert stays in its flood while it fires and
// nothing else withholds it: when the flood ebbs there is no second wave, for the alert of the flood
// is open all the while; and new alerts page again. What fires for longer than Max in it gets a page
// of its own, as many as Pages within Within.
//
// The severe is not drowned by the mild. Only pages that were at least as severe count against an
// alert, and it joins no flood that is milder than itself. Whoever was told of a flood is not told again
// when its text changes, so an alert of the highest severity joins none that was raised before: with
// what else comes within 30 s it becomes the next, which has the label flood="2".
type Flood struct {
	opts   FloodOptions
	alerts map[model.Fingerprint]*flooded
	teams  map[string]*team
	due    agenda[model.Fingerprint] // when one in a flood gets its own page
	words  agenda[string]            // when a team's floods are raised or reworded
	first  bool                      // nothing was judged yet
}

// A flooded alert would page: it was let through, or joined its team's flood.
type flooded struct {
	Team   string    `json:"team,omitempty"`
	Flood  int       `json:"flood,omitempty"`
	Joined time.Time `json:"joined,omitzero"` // zero: it was let through
	Until  time.Time `json:"until,omitzero"`
	alert  *alarm.Alert
	in     *wave // nil: it was let through
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
	for _, name := range f.words.due(now) {
		j.touched[name] = true
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

// highest says whether a rank is that of the highest severity that is known.
func (j *flooding) highest(rank int) bool { return rank == 0 && len(j.opts.Severities.Values) > 0 }

// admit decides about an alert that would page.
func (j *flooding) admit(a *alarm.Alert) {
	fp := a.Fingerprint()
	j.judged[fp] = true
	m := j.alerts[fp]
	switch {
	case m == nil && j.v.Told != nil && j.v.Told(fp): // somebody knows: it is no page any more
		return
	case m == nil:
		t := j.team(j.opts.Team(a.Labels))
		m = &flooded{Team: t.name, alert: a}
		t.alerts++
		j.alerts[fp] = m
		if t.room(j.now, j.rank(a), &j.opts).After(j.now) && j.join(t, m) {
			break
		}
		t.page(j.now, j.rank(a), a, &j.opts)
	case m.in == nil: // it was let through before
		m.alert = a
		return
	case !j.now.Before(m.Until):
		m.alert = a
		t := j.team(m.Team)
		if room := t.room(j.now, j.rank(a), &j.opts); room.After(j.now) {
			m.Until = room
			break
		}
		t.page(j.now, j.rank(a), a, &j.opts)
		m.in.drop(fp, m)
		m.in, m.Flood, m.Joined, m.Until = nil, 0, time.Time{}, time.Time{}
	default: // its labels are what they were
		m.alert = a
		return
	}
	j.due.set(fp, m.Until)
	j.touched[m.Team] = true
	j.keep(fp)
}

// join puts an alert into a flood of its team, if there can be one.
func (j *flooding) join(t *team, m *flooded) bool {
	w := j.taking(t, m.alert)
	if w == nil {
		return false
	}
	m.Joined, m.Until = j.now, j.now.Add(j.opts.Max)
	w.add(m.alert.Fingerprint(), m, j.highest(j.rank(m.alert)))
	if j.opts.Swallowed != nil {
		j.opts.Swallowed(ByFlood)
	}
	return true
}

// leave takes in that an alert does not page: it ended, or something else withholds it.
func (j *flooding) leave(fp model.Fingerprint) {
	j.judged[fp] = true
	m := j.alerts[fp]
	if m == nil {
		return
	}
	delete(j.alerts, fp)
	j.teams[m.Team].alerts--
	if m.in != nil {
		m.in.drop(fp, m)
	}
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
	if next := j.words.next(); out.Next.IsZero() || !next.IsZero() && next.Before(out.Next) {
		out.Next = next
	}
	for _, fp := range out.Judged {
		m := j.alerts[fp]
		if m == nil || m.in == nil {
			continue
		}
		out.Reasons = append(out.Reasons, alarm.Suppression{
			Fingerprint: fp, Reason: alarm.ReasonFlood, By: m.in.fp.String(), Rule: m.Team,
			Note:  fmt.Sprintf("more than %d pages within %s: it joined the flood", j.opts.Pages, j.opts.Within),
			Since: m.Joined, Until: m.Until,
		})
	}
	slices.SortFunc(j.raised, func(a, b alarm.Change) int { return cmp.Compare(a.Alert.Fingerprint(), b.Alert.Fingerprint()) })
	out.Raised = j.raised
	return out
}
