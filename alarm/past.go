package alarm

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// ExplainAt is Explain for an instant of the past, as far as history goes back: how the alert stood
// then, what withheld it, who knew of it, and what had happened since from. Routes, teams and time
// intervals are those of the configuration in force now. It returns nil if there is nothing to say.
func (e *Engine) ExplainAt(ctx context.Context, fp model.Fingerprint, from, at time.Time) (*Explanation, error) {
	if e.opts.History == nil {
		return nil, nil
	}
	records, err := e.opts.History.History(ctx, fp, time.Time{}, at, pastRecords)
	if err != nil {
		return nil, fmt.Errorf("explain %s at %s: %w", fp, at.UTC().Format(time.RFC3339), err)
	}
	if len(records) == 0 {
		return nil, nil
	}
	x := &Explanation{At: at}
	x.Reading, x.Groups = e.pastOf(fp, records, at)
	for _, r := range records {
		if !r.At.Before(from) {
			x.History = append(x.History, r)
		}
	}
	x.History = x.History[max(0, len(x.History)-explainRecords):]
	return x, nil
}

// pastRecords bounds how far back the state of an alert is looked for.
const pastRecords = 2000

// pastOf puts together how an alert stood, out of what had happened to it.
func (e *Engine) pastOf(fp model.Fingerprint, records []Record, at time.Time) (Reading, []GroupExplanation) {
	var (
		r    Reading
		told = map[string]*pastTelling{} // by receiver and integration
	)
	for i := range records {
		rec := &records[i]
		switch rec.Kind {
		case "appeared", "changed", "ended", "reworded":
			if a := pastAlert(rec); a != nil {
				r.Alert = a
			}
		case "verdict":
			r.Verdict = pastVerdict(fp, rec)
		case "told", "told-resolved":
			told[rec.Receiver+"\x00"+rec.Integration] = &pastTelling{rec, rec.Kind == "told"}
		}
	}
	if r.Alert == nil {
		return r, nil
	}
	e.mu.Lock() // Route is asked by one goroutine at a time
	defer e.mu.Unlock()
	var groups []GroupExplanation
	for _, m := range e.parts.Router.Route(r.Alert.Labels) {
		r.Receivers = append(r.Receivers, m.Receiver)
		x := GroupExplanation{Group: m}
		x.MutedBy, _ = e.parts.Router.Muted(m.RouteID, at)
		for _, t := range told { // the order does not show: they are sorted
			if t.open && t.Receiver == m.Receiver {
				x.ToldAlert = append(x.ToldAlert, t.Integration)
			}
		}
		slices.Sort(x.ToldAlert)
		groups = append(groups, x)
	}
	return r, groups
}

type pastTelling struct {
	*Record
	open bool
}

// pastAlert reads an alert out of a record, or returns nil if it cannot be read.
func pastAlert(rec *Record) *Alert {
	var body struct {
		Labels       model.LabelSet `json:"labels"`
		Annotations  model.LabelSet `json:"annotations"`
		GeneratorURL string         `json:"generatorURL"`
		State        State          `json:"state"`
		StartsAt     time.Time      `json:"startsAt"`
		EndsAt       time.Time      `json:"endsAt"`
		UpdatedAt    time.Time      `json:"updatedAt"`
		Reports      []Report       `json:"reports"`
		FirstSeen    time.Time      `json:"firstSeen"`
		Fired        int            `json:"fired"`
		RaisedBy     string         `json:"raisedBy"`
	}
	if err := json.Unmarshal(rec.Body, &body); err != nil {
		return nil
	}
	a := Alert{
		Labels: body.Labels, Annotations: body.Annotations, GeneratorURL: body.GeneratorURL, State: body.State,
		StartsAt: body.StartsAt, EndsAt: body.EndsAt, UpdatedAt: body.UpdatedAt, Reports: body.Reports,
		FirstSeen: body.FirstSeen, Fired: body.Fired, RaisedBy: body.RaisedBy,
	}.WithKnownFingerprint(rec.Fingerprint)
	return &a
}

func pastVerdict(fp model.Fingerprint, rec *Record) *Verdict {
	v := Verdict{Fingerprint: fp, At: rec.At}
	var body struct {
		Suppressions []Suppression `json:"suppressions"`
	}
	if err := json.Unmarshal(rec.Body, &body); err != nil || len(body.Suppressions) == 0 {
		return nil
	}
	v.Suppressions = body.Suppressions
	for i := range v.Suppressions {
		v.Suppressions[i].Fingerprint = fp
	}
	return &v
}
