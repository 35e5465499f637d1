package web

import (
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A reasonView is one reason for withholding an alert, in words. Those that say nothing are empty.
type reasonView struct {
	Kind    string // silence, inhibition, time interval
	Says    string // Silenced by anna, Inhibited by
	Cause   string // the name of the causing alert
	URL     string // where to read on: the cause's page
	Rule    string
	Root    string // the first cause, if it is another
	RootURL string
	Comment string
	Since   when
	Until   when
	Closes  bool   // what is open at a remote is closed there meanwhile
	ID      string // of the silence
}

// reasonViews says why an alert is withheld: what its verdict holds, then the time intervals that
// mute its group.
func reasonViews(now time.Time, r *reading, v *alarm.Verdict, mutedBy []string, root string) []reasonView {
	var views []reasonView
	if v.Withheld() {
		for _, s := range v.Suppressions {
			views = append(views, suppressionView(now, r, s, root))
		}
	}
	for _, name := range mutedBy {
		views = append(views, reasonView{Kind: string(reasonInterval), Says: "Muted by time interval " + clip(name, shortText)})
	}
	return views
}

func suppressionView(now time.Time, r *reading, s alarm.Suppression, root string) reasonView {
	v := reasonView{
		Kind: clip(string(s.Reason), shortText), Rule: clip(s.Rule, shortText),
		Since: makeWhen(now, s.Since), Until: makeWhen(now, s.Until), Closes: s.Close,
	}
	switch s.Reason {
	case alarm.ReasonSilence:
		v.ID, v.Comment = clip(s.By, shortText), clip(s.Note, longText)
		v.Says = "Silenced (" + v.ID + ")"
		if silence := r.silences[s.By]; silence != nil {
			v.Says = "Silenced by " + clip(silence.CreatedBy, shortText)
			v.Comment = clip(silence.Comment, longText)
			v.Until = makeWhen(now, silence.EndsAt)
		}
	case alarm.ReasonWindow:
		v.Says, v.Cause, v.URL = "In maintenance", v.Rule, root+"windows#w"+s.By
		v.ID, v.Rule, v.Comment = clip(s.By, shortText), "", clip(s.Note, longText)
	case alarm.ReasonActivity:
		v.Says, v.Comment = "Nobody uses the environment", clip(s.Note, longText)
	case alarm.ReasonHold:
		v.Says, v.Comment = "Held back", clip(s.Note, longText)
	case alarm.ReasonInhibition, alarm.ReasonDependency, alarm.ReasonRollup, alarm.ReasonFlood:
		v.explain(r, &s, root)
	default:
		v.Says, v.Comment = "Withheld ("+v.Kind+")", clip(s.Note, longText)
		v.Cause, v.URL = causeOf(r, s.By, root)
	}
	return v
}

// then has reasons of the past lead to the causes as they stood then.
func (m rower) then(views []reasonView) []reasonView {
	if m.at.IsZero() {
		return views
	}
	at := "?at=" + url.QueryEscape(m.at.Format(time.RFC3339Nano))
	for i := range views {
		for _, link := range []*string{&views[i].URL, &views[i].RootURL} {
			if strings.Contains(*link, "alert/") {
				*link += at
			}
		}
	}
	return views
}

// explain says which alert explains this one. A note that is only the cause's name is not repeated.
func (v *reasonView) explain(r *reading, s *alarm.Suppression, root string) {
	v.Comment = clip(s.Note, longText)
	if s.By == "" {
		switch s.Reason {
		case alarm.ReasonDependency:
			v.Says = "Held back"
		case alarm.ReasonRollup:
			v.Says = "Counted by a roll-up"
		default:
			v.Says = "Withheld (" + v.Kind + ")"
		}
		return
	}
	switch s.Reason {
	case alarm.ReasonInhibition:
		v.Says = "Inhibited by"
	case alarm.ReasonDependency:
		v.Says = "Explained by"
	case alarm.ReasonRollup:
		v.Says = "Part of"
	default:
		v.Says = "Part of the flood"
	}
	v.Cause, v.URL = causeOf(r, s.By, root)
	fp, err := model.ParseFingerprint(s.By)
	if cause := r.find(fp); err == nil && cause != nil {
		if s.Note == cause.Name() {
			v.Comment = ""
		}
	} else if err == nil && s.Reason != alarm.ReasonFlood && s.Note != "" {
		v.Cause, v.Comment = clip(s.Note, shortText), "" // nobody knows it any more: the note says who it was
	}
	if s.Root != "" && s.Root != s.By {
		v.Root, v.RootURL = causeOf(r, s.Root, root)
	}
}

// causeOf names the alert with that fingerprint, or whatever else by is.
func causeOf(r *reading, by, root string) (name, link string) {
	fp, err := model.ParseFingerprint(by)
	if err != nil || by != fp.String() {
		return clip(by, shortText), ""
	}
	link = alertLink(root, fp)
	if cause := r.find(fp); cause != nil {
		return alertTitle(cause), link
	}
	return by, link
}

func alertLink(root string, fp model.Fingerprint) string {
	return root + "alert/" + fp.String()
}

// alertTitle names an alert in a line of text.
func alertTitle(a *alarm.Alert) string {
	name := clip(a.Name(), shortText)
	if name == "" {
		return "(no name)"
	}
	for _, label := range [...]model.LabelName{"instance", "pod", "node", "service", "job"} {
		if value := a.Labels[label]; value != "" {
			return name + " on " + clip(string(value), shortText)
		}
	}
	return name
}
