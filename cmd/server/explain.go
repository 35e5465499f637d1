package server

import (
	"context"
	"encoding/json"
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
	Fingerprint string                `json:"fingerprint"`
	At          time.Time             `json:"at,omitzero"` // the past instant that was asked for
	Labels      model.LabelSet        `json:"labels,omitempty"`
	State       string                `json:"state,omitempty"`
	StartsAt    time.Time             `json:"startsAt,omitzero"`
	RaisedBy    string                `json:"raisedBy,omitempty"` // by which suppressor, if no source reports it
	Occurrences *explainedOccurrences `json:"occurrences,omitempty"`
	Sources     []alarm.Report        `json:"sources"`
	Withheld    []alarm.Suppression   `json:"withheld"`
	Causes      []explainedCause      `json:"causes,omitempty"`   // the alerts that Withheld names
	Explains    map[string]int        `json:"explains,omitempty"` // how many alerts it explains, by name
	Groups      []explainedGroup      `json:"groups"`
	History     []explainedHistory    `json:"history"`
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

	// What people did there: who works on it, and who closed it although it fires.
	AcknowledgedAt time.Time `json:"acknowledgedAt,omitzero"`
	AcknowledgedBy string    `json:"acknowledgedBy,omitempty"`
	ClosedAt       time.Time `json:"closedAt,omitzero"`
	ClosedBy       string    `json:"closedBy,omitempty"`
}

// explainedOccurrences are counted since the alert was first seen.
type explainedOccurrences struct {
	FirstSeen     time.Time       `json:"firstSeen,omitzero"`
	Fired         int             `json:"fired"`
	FiringSeconds int64           `json:"firingSeconds"`
	Reopens       int             `json:"reopens,omitempty"`
	Flaps         int             `json:"flaps,omitempty"`
	Transients    int             `json:"transients,omitempty"`
	Flapping      *alarm.Flapping `json:"flapping,omitempty"`
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

// serveExplain answers GET /api/v1/explain?filter=…&fingerprint=…&since=…&at=…: why was I (not) paged?
func serveExplain(e explainer, history historyOfAll) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := parseExplainQuery(r.FormValue)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		found, err := q.find(r.Context(), e, history, time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		answer := make([]explanation, 0, len(found.alerts))
		for _, fp := range found.alerts {
			x, err := explainAlert(r.Context(), e, fp, q.since, q.at)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			if x != nil && !q.over(x) {
				answer = append(answer, toExplanation(fp, x))
			}
			if len(answer) == maxExplained {
				break
			}
		}
		if !found.back.IsZero() {
			w.Header().Set(searchedBack, found.back.UTC().Format(time.RFC3339))
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

func toExplanation(fp model.Fingerprint, x *alarm.Explanation) explanation {
	out := explanation{
		Fingerprint: fp.String(), At: x.At, Explains: x.Explains, Sources: []alarm.Report{}, Withheld: []alarm.Suppression{},
		Groups: []explainedGroup{}, History: []explainedHistory{},
	}
	if a := x.Reading.Alert; a != nil {
		out.Labels, out.State, out.StartsAt = a.Labels, a.State.String(), a.StartsAt
		out.RaisedBy, out.Occurrences = a.RaisedBy, toOccurrences(a, x.At)
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

// toOccurrences counts until an instant of the past, or now.
func toOccurrences(a *alarm.Alert, at time.Time) *explainedOccurrences {
	if at.IsZero() {
		at = time.Now()
	}
	o := a.Occurrences()
	firing := o.FiringAt(at, a.State == alarm.Firing && !a.ResolvedAt(at))
	return &explainedOccurrences{
		FirstSeen: o.FirstSeen, Fired: o.Fired, FiringSeconds: int64(firing.Seconds()),
		Reopens: o.Reopens, Flaps: o.Flaps, Transients: o.Transients, Flapping: o.Flapping,
	}
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
		out.Told = append(out.Told, explainedTold{
			Integration: t.Key.Integration, At: t.At, Firing: len(t.Sets.Firing), Resolved: len(t.Sets.Resolved),
			AcknowledgedAt: t.Acked.At, AcknowledgedBy: t.Acked.By, ClosedAt: t.ClosedThere, ClosedBy: t.ClosedBy,
		})
	}
	for _, in := range g.Open {
		out.Intentions = append(out.Intentions, explainedOutgoing{
			Integration: in.Key.Integration, Action: in.Action.String(), Reason: in.Reason, At: in.At, Deadline: in.Deadline,
		})
	}
	return out
}
