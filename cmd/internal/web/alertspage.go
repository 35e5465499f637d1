package web

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// pageSize is how many alerts one page shows. Who reads more narrows the search.
const pageSize = 200

// maxReceivers bounds the choice of receivers.
const maxReceivers = 500

// An alertsPage is the first page.
type alertsPage struct {
	Frame     frame
	Query     query
	Error     string // why the search cannot be read
	Tabs      []tab
	Reasons   string // the withheld by reason: 20 by silence, 3 by inhibition
	Receivers []choice
	Teams     []choice // none: there are no teams
	Cause     *pair    // the alert that explains all of these
	Groups    []groupView
	Pending   []row
	Nothing   string // what to say if the list is empty
	Clear     string // the address without search and receiver, if there is one
	From, To  int
	Total     int
	Prev      string
	Next      string
}

// A choice is one of several values, and how it is shown.
type choice struct {
	Value, Text string
	Chosen      bool
}

// A tab narrows the list to one state and says how many there are.
type tab struct {
	Name    string
	Count   int
	URL     string
	Current bool
}

// A groupView is one group, or the part of it that is on this page.
type groupView struct {
	ID       string
	Labels   []pair
	Receiver string
	Team     string
	URL      string // all groups of this receiver
	MutedBy  []string
	Tone     tone
	Firing   int // that the query finds, on this page or not
	Withheld int
	Rows     []row
	Quiet    []row        // withheld
	Why      string       // the quiet ones by reason
	Common   []reasonView // the reasons, if all of the quiet ones have the same
	Open     bool         // the quiet ones are what was asked for
}

// alertsPage makes the page that the query asks for.
func (h *handler) alertsPage(now time.Time, r *reading, q query, f frame) alertsPage {
	scale := h.severities()
	l := list(r, q, scale)
	if last := max(1, (l.total+pageSize-1)/pageSize); q.Page > last {
		q.Page = last
	}
	p := alertsPage{Frame: f, Query: q, Total: l.total, Receivers: receiverChoices(l.receivers, q.Receiver)}
	teams := h.teams()
	if teams != nil || q.Team != "" {
		p.Teams = teamChoices(teams, q.Team)
	}
	if fp, err := model.ParseFingerprint(q.Cause); err == nil {
		name, link := causeOf(r, q.Cause, f.Root)
		p.Cause = &pair{Name: name, Value: fp.String(), URL: link}
	}
	if q.narrowed() || q.Err != nil {
		p.Clear = query{State: q.State}.link(f.Root)
	}
	if q.Err != nil { // nothing was counted, so no count is shown
		p.Error, p.Nothing, p.Frame.Title = clip(q.Err.Error(), longText), "The search was not run.", "Search not understood"
		return p
	}
	p.Frame.Title = fmt.Sprintf("%d firing", l.counts.Firing)
	if l.counts.Firing > 0 {
		p.Frame.Icon = "bell-firing.svg"
	}
	p.Tabs, p.Reasons = tabs(l.counts, q, f.Root), reasonWords(l.counts.ByReason)
	m := rower{now: now, r: r, q: q.onPage(1), scale: scale, root: f.Root, limit: shortText, pairs: somePairs, teams: teams}
	w := window{skip: (q.Page - 1) * pageSize, left: pageSize}
	for _, g := range l.groups {
		if !w.touches(len(g.firing) + len(g.withheld)) {
			w.take(g.firing)
			w.take(g.withheld)
			continue
		}
		p.Groups = append(p.Groups, m.group(g, &w))
	}
	for _, a := range w.take(l.pending) {
		p.Pending = append(p.Pending, m.row("", nil, a))
	}
	shown := pageSize - w.left
	p.From, p.To = (q.Page-1)*pageSize+1, (q.Page-1)*pageSize+shown
	if q.Page > 1 {
		p.Prev = q.onPage(q.Page - 1).link(f.Root)
	}
	if p.To < p.Total {
		p.Next = q.onPage(q.Page + 1).link(f.Root)
	}
	if shown == 0 {
		p.Nothing = nothing(q)
	}
	return p
}

// group shows as much of a group as the window lets through.
func (m rower) group(g listedGroup, w *window) groupView {
	sortAlerts(g.firing, m.scale)
	sortAlerts(g.withheld, m.scale)
	toReceiver := query{Receiver: g.Group.Receiver}
	v := groupView{
		ID:       groupID(g.Group),
		Receiver: clip(g.Group.Receiver, shortText),
		Team:     clip(g.Group.Team, shortText),
		URL:      toReceiver.link(m.root),
		Tone:     m.scale.tone(g.rank),
		Firing:   len(g.firing),
		Withheld: len(g.withheld),
		Open:     m.q.State == stateWithheld || m.q.Cause != "",
	}
	for _, by := range g.MutedBy {
		v.MutedBy = append(v.MutedBy, clip(by, shortText))
	}
	names := sortedNames(g.Group.Labels)
	if name, ok := g.Group.Labels[model.AlertNameLabel]; ok {
		v.Labels = append(v.Labels, m.label(model.AlertNameLabel, name))
	}
	for _, name := range names {
		if name != model.AlertNameLabel && len(v.Labels) < m.pairs {
			v.Labels = append(v.Labels, m.label(name, g.Group.Labels[name]))
		}
	}
	for _, a := range w.take(g.firing) {
		v.Rows = append(v.Rows, m.row(v.ID, g.GroupReading, a))
	}
	for _, a := range w.take(g.withheld) {
		v.Quiet = append(v.Quiet, m.row(v.ID, g.GroupReading, a))
	}
	t := newTally()
	for _, a := range g.withheld {
		one := alarm.Reading{Alert: a.Alert, Verdict: a.Verdict}
		t.add(&one, len(g.MutedBy) > 0)
	}
	v.Why = reasonWords(t.counts().ByReason)
	if len(v.Quiet) == v.Withheld && len(v.MutedBy) == 0 {
		v.Common = commonReasons(v.Quiet)
	}
	return v
}

// commonReasons returns the reasons of the rows if they are the same for all.
func commonReasons(rows []row) []reasonView {
	for _, r := range rows {
		if !slices.Equal(r.Reasons, rows[0].Reasons) {
			return nil
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return rows[0].Reasons
}

// groupID is short, and the same as long as the group exists.
func groupID(g *alarm.Group) string { return shortID(g.ID()) }

func shortID(name string) string {
	sum := fnv.New64a()
	sum.Write([]byte(name))
	return strconv.FormatUint(sum.Sum64(), 36)
}

// receiverChoices are the receivers, and the chosen one even if nothing is routed to it now.
func receiverChoices(names []string, chosen string) []choice {
	choices := []choice{{Text: "all"}}
	for _, name := range names[:min(len(names), maxReceivers)] {
		if name != chosen {
			choices = append(choices, choice{Value: name, Text: clip(name, shortText)})
		}
	}
	if chosen != "" {
		choices = append(choices, choice{Value: chosen, Text: clip(chosen, shortText), Chosen: true})
	}
	slices.SortFunc(choices[1:], func(a, b choice) int { return cmp.Compare(a.Value, b.Value) })
	return choices
}

func tabs(c counts, q query, root string) []tab {
	return []tab{
		{Name: "All", Count: c.Firing + c.Withheld + c.Pending, URL: q.inState(stateAll).link(root), Current: q.State == stateAll},
		{Name: "Firing", Count: c.Firing, URL: q.inState(stateFiring).link(root), Current: q.State == stateFiring},
		{Name: "Withheld", Count: c.Withheld, URL: q.inState(stateWithheld).link(root), Current: q.State == stateWithheld},
		{Name: "Pending", Count: c.Pending, URL: q.inState(statePending).link(root), Current: q.State == statePending},
	}
}

func reasonWords(by []reasonCount) string {
	words := ""
	for i, rc := range by {
		if i > 0 {
			words += ", "
		}
		words += strconv.Itoa(rc.Count) + " by " + clip(string(rc.Reason), shortText)
	}
	return words
}

// nothing says why the list is empty.
func nothing(q query) string {
	switch {
	case q.narrowed():
		return "No alert matches."
	case q.State == stateWithheld:
		return "Nothing is withheld."
	case q.State == statePending:
		return "Nothing is pending."
	case q.State == stateFiring:
		return "Nothing fires that anybody is told of."
	default:
		return "Nothing fires."
	}
}
