package alarmtest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// The bodies of history, as encoding/json writes them: the slow and obvious twin of the encoders of
// alarm/sqlstore.

type alertBody struct {
	Labels       model.LabelSet `json:"labels,omitempty"`
	Annotations  model.LabelSet `json:"annotations,omitempty"`
	GeneratorURL string         `json:"generatorURL,omitempty"`
	State        string         `json:"state,omitempty"`
	StartsAt     time.Time      `json:"startsAt,omitzero"`
	EndsAt       time.Time      `json:"endsAt,omitzero"`
	UpdatedAt    time.Time      `json:"updatedAt,omitzero"`
	Timeout      bool           `json:"timeout,omitempty"`
	Reports      []reportBody   `json:"reports,omitempty"`
	FirstSeen    time.Time      `json:"firstSeen,omitzero"`
	Fired        int            `json:"fired,omitempty"`
	RaisedBy     string         `json:"raisedBy,omitempty"`
	Counts       *alarm.Counts  `json:"counts,omitempty"`
}

type reportBody struct {
	Source    string    `json:"source,omitempty"`
	State     string    `json:"state,omitempty"`
	StartsAt  time.Time `json:"startsAt,omitzero"`
	EndsAt    time.Time `json:"endsAt,omitzero"`
	UpdatedAt time.Time `json:"updatedAt,omitzero"`
	Timeout   bool      `json:"timeout,omitempty"`
	Partial   bool      `json:"partial,omitempty"`
}

type verdictBody struct {
	At           time.Time           `json:"at,omitzero"`
	Suppressions []alarm.Suppression `json:"suppressions,omitempty"`
}

type silenceBody struct {
	ID          string            `json:"id,omitempty"`
	Matchers    []matcherBody     `json:"matchers,omitempty"`
	StartsAt    time.Time         `json:"startsAt,omitzero"`
	EndsAt      time.Time         `json:"endsAt,omitzero"`
	UpdatedAt   time.Time         `json:"updatedAt,omitzero"`
	CreatedBy   string            `json:"createdBy,omitempty"`
	Comment     string            `json:"comment,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Kind        string            `json:"kind,omitempty"`
	Name        string            `json:"name,omitempty"`
	alarm.Scope
	Recurrence *recurrenceBody `json:"recurrence,omitempty"`
	Exceptions []spanBody      `json:"exceptions,omitempty"`
	Lease      time.Duration   `json:"lease,omitempty"`
	Grace      time.Duration   `json:"grace,omitempty"`
	CloseOpen  bool            `json:"closeOpen,omitempty"`
	FromFile   bool            `json:"fromFile,omitempty"`
}

type recurrenceBody struct {
	Rule     string        `json:"rule,omitempty"`
	Zone     string        `json:"zone,omitempty"`
	Start    string        `json:"start,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`
}

type spanBody struct {
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
}

type matcherBody struct {
	Name  string `json:"name,omitempty"`
	Type  string `json:"type,omitempty"`
	Value string `json:"value,omitempty"`
}

type intentionBody struct {
	ID          int64     `json:"id,omitempty"`
	Receiver    string    `json:"receiver,omitempty"`
	Integration string    `json:"integration,omitempty"`
	Group       string    `json:"group,omitempty"`
	GroupID     string    `json:"groupID,omitempty"`
	Action      string    `json:"action,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	At          time.Time `json:"at,omitzero"`
	Deadline    time.Time `json:"deadline,omitzero"`
}

type outcomeBody struct {
	ID        int64     `json:"id,omitempty"`
	At        time.Time `json:"at,omitzero"`
	Attempts  int       `json:"attempts,omitempty"`
	Error     string    `json:"error,omitempty"`
	Uncertain bool      `json:"uncertain,omitempty"`
	Firing    []string  `json:"firing,omitempty"`
	Resolved  []string  `json:"resolved,omitempty"`
	Data      []byte    `json:"data,omitempty"`
	Oldest    time.Time `json:"oldest,omitzero"`
}

type tellingBody struct {
	At time.Time `json:"at,omitzero"`
}

// records lists what a plan says to history, without IDs.
func records(p *alarm.Plan) (out []alarm.Record) {
	add := func(r alarm.Record, body any) {
		var err error
		if r.Body, err = json.Marshal(body); err != nil {
			panic(err) // these types can always be encoded
		}
		r.At = p.At.UTC()
		out = append(out, r)
	}
	for _, e := range p.Events {
		add(alarm.Record{Kind: e.Kind}, e)
	}
	for _, s := range p.Silences {
		add(alarm.Record{Kind: "silence"}, bodyOfSilence(s))
	}
	for _, id := range p.RemovedSilences {
		add(alarm.Record{Kind: "silence-removed"}, silenceBody{ID: id})
	}
	for _, c := range p.Inputs {
		add(alarm.Record{Kind: c.Kind.String(), Fingerprint: c.Alert.Fingerprint(), Source: c.Source}, bodyOfAlert(c.Alert))
	}
	for _, o := range p.Outcomes {
		kind := "delivered"
		if o.Unsent {
			kind = "unsent"
		} else if o.Err != nil {
			kind = "failed"
		}
		add(recordOf(kind, o.Key), bodyOfOutcome(&o))
	}
	for _, t := range p.Tellings {
		kind := "told"
		if t.Resolved {
			kind = "told-resolved"
		}
		r := recordOf(kind, t.Key)
		r.Fingerprint = t.Fingerprint
		add(r, tellingBody{At: t.At.UTC()})
	}
	for _, v := range p.Exclude {
		add(alarm.Record{Kind: "verdict", Fingerprint: v.Fingerprint}, verdictBody{At: v.At.UTC(), Suppressions: v.Suppressions})
	}
	for _, list := range [][]alarm.Intention{p.Add, p.Update, p.Close} {
		for _, in := range list {
			add(recordOf(in.Action.String(), in.Key), intentionBody{
				ID: in.ID, Receiver: in.Key.Receiver, Integration: in.Key.Integration, Group: in.Key.Group, GroupID: in.GroupID,
				Action: in.Action.String(), Reason: string(in.Reason), At: in.At.UTC(), Deadline: in.Deadline.UTC(),
			})
		}
	}
	return out
}

func recordOf(kind string, k alarm.IntentionKey) alarm.Record {
	return alarm.Record{Kind: kind, Receiver: k.Receiver, Integration: k.Integration, Group: k.Group}
}

func bodyOfAlert(a *alarm.Alert) alertBody {
	b := alertBody{
		Labels: a.Labels, Annotations: a.Annotations, GeneratorURL: a.GeneratorURL, State: word(a.State),
		StartsAt: a.StartsAt.UTC(), EndsAt: a.EndsAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(), Timeout: a.Timeout,
		FirstSeen: a.FirstSeen.UTC(), Fired: a.Fired, RaisedBy: a.RaisedBy, Counts: a.Counts,
	}
	for _, r := range a.Reports {
		b.Reports = append(b.Reports, reportBody{
			Source: r.Source, State: word(r.State), StartsAt: r.StartsAt.UTC(), EndsAt: r.EndsAt.UTC(),
			UpdatedAt: r.UpdatedAt.UTC(), Timeout: r.Timeout, Partial: r.Partial,
		})
	}
	return b
}

func word(s alarm.State) string {
	if s == alarm.Firing {
		return ""
	}
	return s.String()
}

func bodyOfSilence(s *alarm.Silence) silenceBody {
	b := silenceBody{
		ID: s.ID, StartsAt: s.StartsAt.UTC(), EndsAt: s.EndsAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(),
		CreatedBy: s.CreatedBy, Comment: s.Comment, Annotations: s.Annotations, Kind: string(s.Kind), Name: s.Name, Scope: s.Scope,
		Lease: s.Lease, Grace: s.Grace, CloseOpen: s.CloseOpen, FromFile: s.FromFile,
	}
	if r := s.Recurrence; r != nil {
		b.Recurrence = &recurrenceBody{Rule: r.Rule, Zone: r.Zone, Start: r.Start, Duration: r.Duration}
	}
	for _, x := range s.Exceptions {
		b.Exceptions = append(b.Exceptions, spanBody{x.Start.UTC(), x.End.UTC()})
	}
	for _, m := range s.Matchers {
		b.Matchers = append(b.Matchers, matcherBody{Name: m.Name, Type: m.Type.String(), Value: m.Value})
	}
	return b
}

func bodyOfOutcome(o *alarm.Outcome) outcomeBody {
	b := outcomeBody{ID: o.ID, At: o.At.UTC(), Attempts: o.Attempts, Uncertain: o.Uncertain, Data: o.Data, Oldest: o.Oldest.UTC()}
	if o.Err != nil {
		b.Error = o.Err.Error()
	}
	for _, h := range o.Told.Firing {
		b.Firing = append(b.Firing, fmt.Sprintf("%016x", h))
	}
	for _, h := range o.Told.Resolved {
		b.Resolved = append(b.Resolved, fmt.Sprintf("%016x", h))
	}
	return b
}
