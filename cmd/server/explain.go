package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// explainer is what GET /api/v1/explain asks.
type explainer interface {
	Find(ctx context.Context, ms matcher.Matchers, limit int) ([]model.Fingerprint, error)
	Explain(ctx context.Context, fp model.Fingerprint, from time.Time) (*alarm.Explanation, error)
	ExplainAt(ctx context.Context, fp model.Fingerprint, from, at time.Time) (*alarm.Explanation, error)
}

// The answer of GET /api/v1/explain: one element for each alert that was asked for.
type explanation struct {
	Fingerprint string              `json:"fingerprint"`
	At          time.Time           `json:"at,omitzero"` // the past instant that was asked for
	Labels      model.LabelSet      `json:"labels,omitempty"`
	State       string              `json:"state,omitempty"`
	StartsAt    time.Time           `json:"startsAt,omitzero"`
	Sources     []alarm.Report      `json:"sources"`
	Withheld    []alarm.Suppression `json:"withheld"`
	Causes      []explainedCause    `json:"causes,omitempty"`   // the alerts that Withheld names
	Explains    map[string]int      `json:"explains,omitempty"` // how many alerts it explains, by name
	Groups      []explainedGroup    `json:"groups"`
	History     []explainedHistory  `json:"history"`
}

type explainedCause struct {
	Fingerprint string              `json:"fingerprint"`
	Labels      model.LabelSet      `json:"labels"`
	State       string              `json:"state"`
	StartsAt    time.Time           `json:"startsAt"`
	Withheld    []alarm.Suppression `json:"withheld,omitempty"`
}

type explainedGroup struct {
	Team       string              `json:"team,omitempty"`
	Receiver   string              `json:"receiver"`
	Path       []string            `json:"path"`
	Key        string              `json:"key"`
	MutedBy    []string            `json:"mutedBy,omitempty"`
	Wait       model.Duration      `json:"groupWait"`
	Interval   model.Duration      `json:"groupInterval"`
	Repeat     model.Duration      `json:"repeatInterval"`
	FirstFlush time.Time           `json:"firstFlush"`
	Told       []explainedTold     `json:"told"`
	Intentions []explainedOutgoing `json:"intentions"`
	Failed     []alarm.Failure     `json:"failed,omitempty"` // the last notification was given up
	Level      bool                `json:"level,omitempty"`  // told of this alert alone, at once
	Silent     bool                `json:"silent,omitempty"` // the receiver has nobody to tell of groups
	ToldOfThis []string            `json:"toldOfThisAlert"`
}

type explainedTold struct {
	Integration string    `json:"integration"`
	At          time.Time `json:"at"`
	Firing      int       `json:"firing"`
	Resolved    int       `json:"resolved"`
}

type explainedOutgoing struct {
	Integration string             `json:"integration"`
	Action      string             `json:"action"`
	Reason      alarm.NotifyReason `json:"reason"`
	At          time.Time          `json:"at"`
	Deadline    time.Time          `json:"deadline"`
}

type explainedHistory struct {
	At          time.Time       `json:"at"`
	Kind        string          `json:"kind"`
	Source      string          `json:"source,omitempty"`
	Receiver    string          `json:"receiver,omitempty"`
	Integration string          `json:"integration,omitempty"`
	Detail      json.RawMessage `json:"detail,omitempty"`
}

// maxExplained bounds one answer.
const maxExplained = 20

// serveExplain answers GET /api/v1/explain?filter=…&fingerprint=…&since=…: why was I (not) paged?
func serveExplain(e explainer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fps, err := explained(r, e)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var at time.Time
		if s := r.FormValue("at"); s != "" {
			if at, err = parseInstant(s); err != nil {
				http.Error(w, "at: "+err.Error(), http.StatusBadRequest)
				return
			}
		}
		since := 24 * time.Hour
		if s := r.FormValue("since"); s != "" {
			d, err := model.ParseDuration(s)
			if err != nil {
				http.Error(w, fmt.Sprintf("since: %v", err), http.StatusBadRequest)
				return
			}
			since = time.Duration(d)
		}
		answer := make([]explanation, 0, len(fps))
		for _, fp := range fps {
			x, err := explainAlert(r.Context(), e, fp, since, at)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			if x != nil {
				answer = append(answer, toExplanation(fp, x))
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(answer) // the client went away
	})
}

// explainAlert asks about now, or about an instant of the past.
func explainAlert(ctx context.Context, e explainer, fp model.Fingerprint, since time.Duration, at time.Time) (*alarm.Explanation, error) {
	if at.IsZero() {
		return e.Explain(ctx, fp, time.Now().Add(-since))
	}
	return e.ExplainAt(ctx, fp, at.Add(-since), at)
}

// explained lists the alerts that a request asks for.
func explained(r *http.Request, e explainer) ([]model.Fingerprint, error) {
	if s := r.FormValue("fingerprint"); s != "" {
		fp, err := model.ParseFingerprint(s)
		if err != nil {
			return nil, fmt.Errorf("fingerprint: %w", err)
		}
		return []model.Fingerprint{fp}, nil
	}
	ms, err := matcher.Parse(r.FormValue("filter"))
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	if len(ms) == 0 {
		return nil, fmt.Errorf("say which alert: filter=alertname=\"X\" or fingerprint=…")
	}
	return e.Find(r.Context(), ms, maxExplained)
}

func toExplanation(fp model.Fingerprint, x *alarm.Explanation) explanation {
	out := explanation{
		Fingerprint: fp.String(), At: x.At, Explains: x.Explains, Sources: []alarm.Report{}, Withheld: []alarm.Suppression{},
		Groups: []explainedGroup{}, History: []explainedHistory{},
	}
	if a := x.Reading.Alert; a != nil {
		out.Labels, out.State, out.StartsAt = a.Labels, a.State.String(), a.StartsAt
		out.Sources = append(out.Sources, a.Reports...)
	}
	if v := x.Reading.Verdict; v != nil {
		out.Withheld = append(out.Withheld, v.Suppressions...)
	}
	for _, c := range x.Causes {
		out.Causes = append(out.Causes, explainedCause{
			Fingerprint: c.Alert.Fingerprint().String(), Labels: c.Alert.Labels, State: c.Alert.State.String(),
			StartsAt: c.Alert.StartsAt, Withheld: suppressionsOf(c.Verdict),
		})
	}
	for _, g := range x.Groups {
		out.Groups = append(out.Groups, toExplainedGroup(g))
	}
	for _, rec := range x.History {
		out.History = append(out.History, explainedHistory{
			At: rec.At, Kind: rec.Kind, Source: rec.Source, Receiver: rec.Receiver,
			Integration: rec.Integration, Detail: json.RawMessage(rec.Body),
		})
	}
	return out
}

func suppressionsOf(v *alarm.Verdict) []alarm.Suppression {
	if v == nil {
		return nil
	}
	return v.Suppressions
}

func toExplainedGroup(g alarm.GroupExplanation) explainedGroup {
	out := explainedGroup{
		Team: g.Group.Team, Receiver: g.Group.Receiver, Path: g.Group.Path, Key: g.Group.Key, MutedBy: g.MutedBy,
		Wait: model.Duration(g.Group.Wait), Interval: model.Duration(g.Group.Interval), Repeat: model.Duration(g.Group.Repeat),
		Failed: g.Failed, Level: g.Level, Silent: g.Silent, FirstFlush: g.State.Anchor, Told: []explainedTold{}, Intentions: []explainedOutgoing{}, ToldOfThis: g.ToldAlert,
	}
	for _, t := range g.Told {
		out.Told = append(out.Told, explainedTold{Integration: t.Key.Integration, At: t.At, Firing: len(t.Sets.Firing), Resolved: len(t.Sets.Resolved)})
	}
	for _, in := range g.Open {
		out.Intentions = append(out.Intentions, explainedOutgoing{
			Integration: in.Key.Integration, Action: in.Action.String(), Reason: in.Reason, At: in.At, Deadline: in.Deadline,
		})
	}
	return out
}
