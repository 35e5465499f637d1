package web

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A row is one alert as a page shows it.
type row struct {
	ID          string // unique in the page, and the same when the page is fetched again
	URL         string // its own page
	Fingerprint string
	Name        string
	State       string // firing, withheld, pending, resolved
	Badge       string // the state, or the first reason
	Severity    pair
	Tone        tone
	Since       when
	Summary     string
	Description string
	Labels      []pair
	More        int    // labels that are left out
	Annotations []pair // but for summary and description
	Links       []pair // name and address
	Reasons     []reasonView
	Others      []string // receivers that are told too
	Raised      string   // by which part of the server it was raised, or empty
	Fired       int      // how many times it began to fire, if more than once
	Note        string   // what is unusual about it: it flaps, or comes again and again
	Explains    int      // how many other alerts
	ExplainsURL string
	Unowned     bool
}

// A pair is a name and a value; URL, if not empty, is where it leads.
type pair struct{ Name, Value, URL string }

// How many labels, and annotations, are shown of one alert: in a list, and on its own page.
const (
	somePairs = 32
	manyPairs = 1000
)

// A rower makes rows of one page.
type rower struct {
	now   time.Time
	at    time.Time // the past instant that the page is about; zero: now
	r     *reading
	q     query
	scale severityScale
	root  string
	limit int   // characters of a value
	pairs int   // labels of an alert
	teams Teams // who may own an alert; nil: nothing is said of owners
}

// row shows one alert in a group, or in none. Labels in hide are shown by the group already.
func (m rower) row(groupID string, g *alarm.GroupReading, a *alarm.Reading) row {
	fp := a.Alert.Fingerprint()
	rank := m.scale.rank(a.Alert.Labels)
	v := row{
		ID:          "a" + groupID + "-" + fp.String(),
		URL:         alertLink(m.root, fp),
		Fingerprint: fp.String(),
		Name:        clip(a.Alert.Name(), shortText),
		State:       a.Alert.State.String(),
		Tone:        m.scale.tone(rank),
		Since:       makeWhen(m.now, a.Alert.StartsAt),
	}
	var mutedBy []string
	var hide model.LabelSet
	if g != nil {
		mutedBy, hide = g.MutedBy, g.Group.Labels
		for _, name := range a.Receivers {
			if name != g.Group.Receiver {
				v.Others = append(v.Others, clip(name, shortText))
			}
		}
	}
	if v.Name == "" {
		v.Name = "(no name)"
	}
	if a.Alert.State == alarm.Firing {
		v.Reasons = m.then(reasonViews(m.now, m.r, a.Verdict, mutedBy, m.root))
	}
	if len(v.Reasons) > 0 {
		v.State = "withheld"
	}
	v.Badge = v.State
	if len(v.Reasons) > 0 {
		v.Badge = v.Reasons[0].Kind
	}
	if severity, ok := a.Alert.Labels[m.scale.label]; ok {
		v.Severity = m.label(m.scale.label, severity)
		v.Severity.Value = clip(string(severity), 24)
	}
	m.marks(&v, a.Alert)
	m.labels(&v, a.Alert.Labels, hide)
	m.annotations(&v, a.Alert)
	return v
}

// marks says what else is known of an alert.
func (m rower) marks(v *row, a *alarm.Alert) {
	v.Raised = raisedWords(a.RaisedBy)
	o := a.Occurrences()
	v.Note = clip(o.Note(), longText)
	if o.Fired > 1 {
		v.Fired = o.Fired
	}
	if n := m.r.explains[a.Fingerprint()]; n > 0 {
		v.Explains, v.ExplainsURL = n, query{Cause: a.Fingerprint().String()}.link(m.root)
	}
	if m.teams != nil && a.State == alarm.Firing {
		_, owned := m.teams.Of(a.Labels)
		v.Unowned = !owned
	}
}

func (m rower) labels(v *row, ls, hide model.LabelSet) {
	for _, name := range sortedNames(ls) {
		if _, hidden := hide[name]; hidden || name == model.AlertNameLabel || name == m.scale.label {
			continue // it is shown elsewhere
		}
		if len(v.Labels) == m.pairs {
			v.More++
			continue
		}
		v.Labels = append(v.Labels, m.label(name, ls[name]))
	}
}

// label leads to all alerts that have it.
func (m rower) label(name model.LabelName, value model.LabelValue) pair {
	p := pair{Name: clip(string(name), m.limit), Value: clip(string(value), m.limit)}
	if t := term(string(name), string(value)); len(t) < maxSearch/4 {
		p.URL = m.q.withTerm(t).link(m.root)
	}
	return p
}

// annotations takes the summary and the description out, and makes links of what is an address.
func (m rower) annotations(v *row, a *alarm.Alert) {
	if link := webLink(a.GeneratorURL); link != "" {
		v.Links = append(v.Links, pair{Name: "source", URL: link})
	}
	for _, name := range sortedNames(a.Annotations) {
		value := string(a.Annotations[name])
		link := webLink(value)
		switch {
		case len(v.Links)+len(v.Annotations) >= m.pairs:
		case link != "":
			v.Links = append(v.Links, pair{Name: linkName(name, m.limit), URL: link})
		case name == "summary":
			v.Summary = clip(value, 4*m.limit)
		case name == "description" || name == "message":
			v.Description = clip(value, 4*m.limit)
		default:
			v.Annotations = append(v.Annotations, pair{Name: clip(string(name), m.limit), Value: clip(value, 4*m.limit)})
		}
	}
	if v.Summary == "" {
		v.Summary, v.Description = v.Description, ""
	}
}

// linkName drops the ending that says only what one sees: runbook_url becomes runbook.
func linkName(name model.LabelName, limit int) string {
	s := string(name)
	for _, ending := range [...]string{"_url", "_uri", "URL", "Url"} {
		if len(s) > len(ending) && s[len(s)-len(ending):] == ending {
			s = s[:len(s)-len(ending)]
			break
		}
	}
	return clip(s, limit)
}

func sortedNames(ls model.LabelSet) []model.LabelName {
	names := make([]model.LabelName, 0, len(ls))
	for name := range ls {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
