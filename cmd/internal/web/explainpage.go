package web

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// An explainPage says everything about one alert.
type explainPage struct {
	Frame     frame
	Known     bool // there is an alert and not only its history
	Row       row
	Print     string // the fingerprint
	Words     string
	EndsAt    when
	FirstSeen when
	Fired     int
	Reports   []reportView
	Groups    []groupExplainView
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

// A groupExplainView is one group that the alert is in.
type groupExplainView struct {
	Level    bool
	Receiver string
	Words    string
	Labels   []pair
	Path     []string
	Wait     string
	Interval string
	Repeat   string
	Created  when
	First    when // the first flush
	Next     when
	MutedBy  []string
	Told     []channelView
	Open     []channelView
}

// A spanView leads to another length of history.
type spanView struct {
	Words   string
	URL     string
	Current bool
}

// explainLimit is what Engine.Explain returns of history at most.
const explainLimit = 200

func (h *handler) explainPage(now time.Time, r *reading, fp model.Fingerprint, x *alarm.Explanation, s span, f frame) explainPage {
	p := explainPage{Frame: f, Print: fp.String(), Words: verdictWords(now, x), Span: s, Cut: len(x.History) >= explainLimit}
	p.Frame.Title = fp.String()
	m := rower{now: now, r: r, q: query{Page: 1}, scale: h.scale, root: f.Root, limit: wholeText / 4, pairs: manyPairs}
	if a := x.Reading.Alert; a != nil {
		p.Known = true
		p.Row = m.row("", nil, &x.Reading)
		p.Frame.Title = alertTitle(a)
		if a.State == alarm.Firing && a.ResolvedAt(now) {
			p.Row.State, p.Row.Badge = "resolved", "resolved"
		}
		p.EndsAt, p.FirstSeen, p.Fired = makeWhen(now, a.EndsAt), makeWhen(now, a.FirstSeen), a.Fired
		p.Reports = reportViews(now, a)
	}
	for i := range x.Groups {
		p.Groups = append(p.Groups, m.explainGroup(x.Reading, &x.Groups[i]))
	}
	for _, record := range slices.Backward(x.History) {
		p.History = append(p.History, m.historyWords(record))
	}
	for _, s := range spans {
		p.Spans = append(p.Spans, spanView{
			Words: s.Words, URL: alertLink(f.Root, fp) + "?since=" + s.Name, Current: s.Name == p.Span.Name,
		})
	}
	return p
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

func (m rower) explainGroup(r alarm.Reading, g *alarm.GroupExplanation) groupExplainView {
	v := groupExplainView{
		Receiver: clip(g.Group.Receiver, shortText),
		Words:    groupWords(m.now, r, g),
		Level:    g.Level,
		Wait:     model.Duration(g.Group.Wait).String(), Interval: model.Duration(g.Group.Interval).String(), Repeat: model.Duration(g.Group.Repeat).String(),
		Created: makeWhen(m.now, g.State.Created), First: makeWhen(m.now, g.State.Anchor), Next: makeWhen(m.now, nextFlush(m.now, g)),
	}
	for _, name := range sortedNames(g.Group.Labels) {
		v.Labels = append(v.Labels, m.label(name, g.Group.Labels[name]))
	}
	for _, step := range g.Group.Path {
		v.Path = append(v.Path, clip(step, longText))
	}
	for _, by := range g.MutedBy {
		v.MutedBy = append(v.MutedBy, clip(by, shortText))
	}
	v.Told, v.Open = channelViews(m.now, g)
	return v
}
