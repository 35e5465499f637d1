package web

import (
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
	Comment string
	Until   when
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
	v := reasonView{Kind: clip(string(s.Reason), shortText), Rule: clip(s.Rule, shortText), Until: makeWhen(now, s.Until)}
	switch s.Reason {
	case alarm.ReasonSilence:
		v.ID, v.Comment = clip(s.By, shortText), clip(s.Note, longText)
		v.Says = "Silenced (" + v.ID + ")"
		if silence := r.silences[s.By]; silence != nil {
			v.Says = "Silenced by " + clip(silence.CreatedBy, shortText)
			v.Comment = clip(silence.Comment, longText)
			v.Until = makeWhen(now, silence.EndsAt)
		}
	case alarm.ReasonInhibition:
		v.Says, v.Comment = "Inhibited by", clip(s.Note, longText)
		v.Cause, v.URL = causeOf(r, s.By, root)
	default:
		v.Says, v.Comment = "Withheld ("+v.Kind+")", clip(s.Note, longText)
		v.Cause, v.URL = causeOf(r, s.By, root)
	}
	return v
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
