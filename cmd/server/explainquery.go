package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// An explainQuery is what GET /api/v1/explain is asked: about which alerts, now or at an instant of the
// past, and how far back their history goes.
type explainQuery struct {
	fingerprint model.Fingerprint // of one alert, unless matchers are given
	matchers    matcher.Matchers
	at          time.Time // zero: now
	since       time.Duration
}

func parseExplainQuery(value func(name string) string) (q explainQuery, err error) {
	q.since = 24 * time.Hour
	if s := value("since"); s != "" {
		d, err := model.ParseDuration(s)
		if err != nil {
			return q, fmt.Errorf("since: %w", err)
		}
		q.since = time.Duration(d)
	}
	if s := value("at"); s != "" {
		if q.at, err = parseInstant(s); err != nil {
			return q, fmt.Errorf("at: %w", err)
		}
	}
	if s := value("fingerprint"); s != "" {
		if q.fingerprint, err = model.ParseFingerprint(s); err != nil {
			return q, fmt.Errorf("fingerprint: %w", err)
		}
		return q, nil
	}
	if q.matchers, err = matcher.Parse(value("filter")); err != nil {
		return q, fmt.Errorf("filter: %w", err)
	}
	if len(q.matchers) == 0 {
		return q, errors.New("say which alert: filter=alertname=\"X\" or fingerprint=…")
	}
	return q, nil
}

// searchedBack is the header that says how far back history was searched, if it was.
const searchedBack = "Tocsin-Searched-Back-To"

// searchRecords bounds how much of history is searched for labels.
const searchRecords = 50_000

// foundAlerts are the alerts that a query asks for.
type foundAlerts struct {
	alerts []model.Fingerprint
	back   time.Time // how far back history was searched; zero: it was not
}

// find lists the alerts that a query asks for: those that the engine knows, and those that nobody holds
// any more and that history knows to have fired. Of the past it asks history first, for what is known now
// may not have been there. It may list more than are explained.
func (q explainQuery) find(ctx context.Context, e explainer, history historyOfAll, now time.Time) (foundAlerts, error) {
	if q.matchers == nil {
		return foundAlerts{alerts: []model.Fingerprint{q.fingerprint}}, nil
	}
	held, err := e.Find(ctx, q.matchers, 10*maxExplained)
	if err != nil {
		return foundAlerts{}, fmt.Errorf("find alerts: %w", err)
	}
	if q.at.IsZero() && len(held) >= maxExplained {
		return foundAlerts{alerts: held[:maxExplained]}, nil
	}
	from, to := now.Add(-q.since), now
	if !q.at.IsZero() {
		from, to = time.Time{}, q.at // it may have begun long before
	}
	var past []model.Fingerprint
	back, err := history.Fired(ctx, from, to, searchRecords, func(fp model.Fingerprint, ls model.LabelSet) {
		if len(past) < 5*maxExplained && q.matchers.Matches(ls) {
			past = append(past, fp)
		}
	})
	if err != nil {
		return foundAlerts{}, fmt.Errorf("search history: %w", err)
	}
	first, second := held, past
	if !q.at.IsZero() {
		first, second = past, held
	}
	return foundAlerts{alerts: union(first, second), back: back}, nil
}

// over says whether an alert that was found by its labels had ended long before the instant that was asked
// for.
func (q explainQuery) over(x *alarm.Explanation) bool {
	a := x.Reading.Alert
	return q.matchers != nil && !q.at.IsZero() && len(x.History) == 0 && (a == nil || a.ResolvedAt(q.at))
}

// union appends to one list what it lacks of another.
func union(first, second []model.Fingerprint) []model.Fingerprint {
	seen := make(map[model.Fingerprint]bool, len(first))
	for _, fp := range first {
		seen[fp] = true
	}
	for _, fp := range second {
		if !seen[fp] {
			seen[fp] = true
			first = append(first, fp)
		}
	}
	return first
}
