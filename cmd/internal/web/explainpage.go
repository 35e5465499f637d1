package web

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// An explainPage says everything about one alert.
type explainPage struct {
	Frame     frame
	Known     bool // there is an alert and not only its history
	Past      bool // it is about an instant of the past
	At        when
	AtField   string // as the form has it
	AtError   string
	Here      string // the address of the page without an instant
	Row       row
	Print     string // the fingerprint
	Words     string
	Answers   []string // one for each receiver
	Teams     []string
	Unowned   bool
	Chains    [][]causeLink
	Explains  []explainedName
	ExplainsN int
	EndsAt    when
	FirstSeen when
	Counts    []pair
	Reports   []reportView
	Receivers []receiverBox
	Letters   []letterView
	History   []historyLine // the latest first
	Cut       bool          // there may be more history than is shown
	Span      span
	Spans     []spanView
}

// A reportView is what one source says of the alert.
type reportView struct {
	Source  string
	State   string
	Starts  when
	Ends    when
	Spoke   when
	Guessed bool // the end is not the source's word but resolve_timeout's
}

// An explainedName is how many alerts of one name the alert explains.
type explainedName struct {
	Name  string
	Count int
	URL   string
}

// A spanView leads to another length of history.
type spanView struct {
	Words   string
	URL     string
	Current bool
}

// explainLimit is what Engine.Explain returns of history at most.
const explainLimit = 200

func (h *handler) explainPage(now time.Time, r *reading, q explainQuery, x *alarm.Explanation, f frame) explainPage {
	p := explainPage{
		Frame: f, Print: q.Fingerprint.String(), Words: verdictWords(now, x), Span: q.Span, Cut: len(x.History) >= explainLimit,
		Past: !x.At.IsZero(), At: makeWhen(now, x.At), Here: alertLink(f.Root, q.Fingerprint),
	}
	p.askedAt(now, q)
	p.Frame.Title = p.Print
	m := rower{now: now, at: x.At, r: r, q: query{Page: 1}, scale: h.severities(), root: f.Root, limit: wholeText / 4, pairs: manyPairs, teams: h.opts.Teams}
	if x.Reading.Alert != nil {
		m.explainAlert(&p, x)
		p.Teams, p.Unowned = m.owners(x.Reading.Alert)
	}
	if p.Past { // what it explained then is not known
		p.Row.Explains = 0
	} else {
		m.explainCauses(&p, q, x)
	}
	p.Receivers = m.receiverBoxes(x)
	for i := range p.Receivers {
		p.Answers = append(p.Answers, p.Receivers[i].Words...)
	}
	for _, record := range slices.Backward(x.History) {
		line := m.historyWords(record)
		line.Then = explainQuery{Fingerprint: q.Fingerprint, Span: q.Span, At: record.At}.link(f.Root)
		p.History = append(p.History, line)
	}
	for _, s := range spans {
		p.Spans = append(p.Spans, spanView{
			Words: s.Words, URL: explainQuery{Fingerprint: q.Fingerprint, Span: s, At: q.At}.link(f.Root), Current: s.Name == p.Span.Name,
		})
	}
	return p
}

// askedAt fills the form in which the instant is chosen.
func (p *explainPage) askedAt(now time.Time, q explainQuery) {
	p.AtField = cmp.Or(q.At, now.UTC()).Format("2006-01-02T15:04:05")
	if q.At.IsZero() && q.Err == nil {
		p.AtField = ""
	}
	if q.Err != nil {
		p.AtError = clip(q.Err.Error(), longText)
	}
}

// explainAlert says what is known of the alert itself.
func (m rower) explainAlert(p *explainPage, x *alarm.Explanation) {
	a := x.Reading.Alert
	p.Known = true
	p.Row = m.row("", nil, &x.Reading)
	p.Row.Fired, p.Row.Note, p.Row.Unowned = 0, "", false // they are said at length
	p.Frame.Title = alertTitle(a)
	if a.State == alarm.Firing && a.ResolvedAt(m.moment()) {
		p.Row.State, p.Row.Badge = "resolved", "resolved"
	}
	p.EndsAt, p.FirstSeen = makeWhen(m.now, a.EndsAt), makeWhen(m.now, a.FirstSeen)
	p.Reports = reportViews(m.now, a)
	p.Counts = m.countWords(a)
}

// moment is what the page is about: the past instant, or now.
func (m rower) moment() time.Time { return cmp.Or(m.at, m.now) }

func (m rower) owners(a *alarm.Alert) (teams []string, orphan bool) {
	if m.teams == nil {
		return nil, false
	}
	names, owned := m.teams.Of(a.Labels)
	for _, name := range names {
		teams = append(teams, clip(name, shortText))
	}
	return teams, !owned
}

// explainCauses follows each reason to its first cause, and counts what the alert explains itself.
func (m rower) explainCauses(p *explainPage, q explainQuery, x *alarm.Explanation) {
	if v := x.Reading.Verdict; v.Withheld() {
		for i := range v.Suppressions {
			if !explaining(&v.Suppressions[i]) {
				continue
			}
			if chain := chainOf(m.now, m.r, v.Suppressions[i], m.root); len(chain) > 0 {
				p.Chains = append(p.Chains, chain)
			}
		}
	}
	names := m.r.explainedNames(q.Fingerprint)
	if len(names) == 0 {
		names = x.Explains
	}
	for name, count := range names { // sorted below
		of := query{Cause: q.Fingerprint.String(), Text: term("alertname", name)}
		p.Explains = append(p.Explains, explainedName{Name: clip(name, shortText), Count: count, URL: of.link(m.root)})
		p.ExplainsN += count
	}
	slices.SortFunc(p.Explains, func(a, b explainedName) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	if p.Row.Explains == 0 && p.ExplainsN > 0 {
		p.Row.Explains, p.Row.ExplainsURL = p.ExplainsN, query{Cause: q.Fingerprint.String()}.link(m.root)
	}
}

// countWords says what happened to the alert since it was first seen.
func (m rower) countWords(a *alarm.Alert) []pair {
	o := a.Occurrences()
	var facts []pair
	times := func(name string, n int) {
		switch {
		case n == 1:
			facts = append(facts, pair{Name: name, Value: "1 time"})
		case n > 1:
			facts = append(facts, pair{Name: name, Value: strconv.Itoa(n) + " times"})
		}
	}
	times("Began to fire", o.Fired)
	times("Came back while kept up", o.Reopens)
	times("Began to flap", o.Flaps)
	times("Too brief to tell", o.Transients)
	if d := o.FiringAt(m.moment(), a.State == alarm.Firing && !a.ResolvedAt(m.moment())); d > 0 {
		facts = append(facts, pair{Name: "Fired for", Value: age(d) + " in all"})
	}
	if f := o.Flapping; f != nil {
		facts = append(facts, pair{Name: "Flapping", Value: "since " + makeWhen(m.now, f.Since).Full + ": " + strconv.Itoa(f.Changes) + " changes of state"})
	}
	if note := o.Note(); note != "" && o.Flapping == nil {
		facts = append(facts, pair{Name: "Note", Value: clip(note, longText)})
	}
	return facts
}

func reportViews(now time.Time, a *alarm.Alert) []reportView {
	var views []reportView
	for _, r := range a.Reports {
		views = append(views, reportView{
			Source: clip(r.Source, shortText), State: r.State.String(),
			Starts: makeWhen(now, r.StartsAt), Ends: makeWhen(now, r.EndsAt), Spoke: makeWhen(now, r.UpdatedAt),
			Guessed: r.Timeout,
		})
	}
	return views
}
