package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// explainedWorld knows some alerts, and what others were.
type explainedWorld struct {
	held  []model.LabelSet // that the engine knows
	past  []model.LabelSet // that fired, the newest first
	ended time.Time        // when those of the past ended
	back  time.Time        // how far history was searched; zero: as far as was asked
	from  time.Time        // what history was asked for
	err   error
}

func (w *explainedWorld) Find(_ context.Context, ms matcher.Matchers, limit int) (found []model.Fingerprint, err error) {
	for _, ls := range w.held {
		if ms.Matches(ls) {
			found = append(found, ls.Fingerprint())
		}
	}
	return found[:min(limit, len(found))], nil
}

func (w *explainedWorld) Fired(_ context.Context, from, _ time.Time, _ int, visit func(model.Fingerprint, model.LabelSet)) (time.Time, error) {
	w.from = from
	for _, ls := range w.past {
		visit(ls.Fingerprint(), ls)
	}
	if w.back.IsZero() {
		return from, w.err
	}
	return w.back, w.err
}

func (w *explainedWorld) explain(fp model.Fingerprint) *alarm.Explanation {
	for _, ls := range slices.Concat(w.held, w.past) {
		if ls.Fingerprint() == fp {
			a := alarm.Alert{Labels: ls, StartsAt: time.Unix(0, 0)}.WithFingerprint()
			return &alarm.Explanation{Reading: alarm.Reading{Alert: &a}}
		}
	}
	return nil
}

func (w *explainedWorld) Explain(_ context.Context, fp model.Fingerprint, _ time.Time) (*alarm.Explanation, error) {
	return w.explain(fp), nil
}

// ExplainAt knows nothing of what is only held now.
func (w *explainedWorld) ExplainAt(_ context.Context, fp model.Fingerprint, _, at time.Time) (*alarm.Explanation, error) {
	x := w.explain(fp)
	if x == nil || !slices.ContainsFunc(w.past, func(ls model.LabelSet) bool { return ls.Fingerprint() == fp }) {
		return nil, nil
	}
	x.At, x.Reading.Alert.EndsAt = at, w.ended
	return x, nil
}

// askExplain returns the names of the alerts that were explained.
func askExplain(t *testing.T, w *explainedWorld, query string) (int, []string, http.Header) {
	rec := httptest.NewRecorder()
	serveExplain(w, w).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/explain?"+query, nil))
	var answer []explanation
	if rec.Code == http.StatusOK {
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &answer))
	}
	var names []string
	for _, x := range answer {
		names = append(names, string(x.Labels["n"]))
	}
	return rec.Code, names, rec.Header()
}

func named(names ...string) (all []model.LabelSet) {
	for _, n := range names {
		all = append(all, model.LabelSet{"alertname": "X", "n": model.LabelValue(n)})
	}
	return all
}

func TestExplainFindsWhatNobodyHoldsAnyMore(t *testing.T) {
	const filter = `filter=alertname%3D"X"`
	at := "&at=" + url.QueryEscape("2027-01-01T03:00Z")
	w := &explainedWorld{held: named("both", "now"), past: append(named("gone", "both"), model.LabelSet{"alertname": "Y", "n": "other"})}

	_, names, header := askExplain(t, w, filter)
	assert.Equal(t, []string{"both", "now", "gone"}, names, "first what is known, each once, and only what matches")
	assert.NotEmpty(t, header.Get(searchedBack))
	assert.WithinDuration(t, time.Now().Add(-24*time.Hour), w.from, time.Minute)

	_, names, header = askExplain(t, w, filter+at)
	assert.Equal(t, []string{"gone", "both"}, names, "what came later was not there")
	assert.Empty(t, header.Get(searchedBack), "all of history was searched")
	assert.True(t, w.from.IsZero(), "it may have begun long before")

	w.back = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	_, _, header = askExplain(t, w, filter+at)
	assert.Equal(t, "2026-12-01T00:00:00Z", header.Get(searchedBack))

	w.ended = time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)
	_, names, _ = askExplain(t, w, filter+at)
	assert.Empty(t, names, "what had ended long before is not what was asked for")
	_, names, _ = askExplain(t, w, "fingerprint="+w.past[0].Fingerprint().String()+at)
	assert.Equal(t, []string{"gone"}, names, "unless it was named")
}

func TestExplainIsBounded(t *testing.T) {
	w := &explainedWorld{}
	for i := range 300 {
		w.held = append(w.held, named(string(rune('a'+i)))...)
	}
	_, names, _ := askExplain(t, w, `filter=alertname%3D"X"`)
	assert.Len(t, names, maxExplained)
	assert.True(t, w.from.IsZero(), "history is not searched if enough is known")
	w.past, w.held = w.held, nil
	_, names, _ = askExplain(t, w, `filter=alertname%3D"X"`)
	assert.Len(t, names, maxExplained)
}

func TestExplainRefuses(t *testing.T) {
	for _, query := range []string{"", "filter=%7B", "filter=a%3D1&since=x", "filter=a%3D1&at=x", "fingerprint=zz"} {
		code, _, _ := askExplain(t, &explainedWorld{}, query)
		assert.Equal(t, http.StatusBadRequest, code, query)
	}
	code, _, _ := askExplain(t, &explainedWorld{err: errors.New("disk on fire")}, "filter=a%3D1")
	assert.Equal(t, http.StatusServiceUnavailable, code)
}

func TestUnknownWords(t *testing.T) {
	assert.Contains(t, unknownWords("", "24h", ""), "in the last 24h")
	assert.Contains(t, unknownWords("", "24h", "2026-12-01T00:00:00Z"), "fired since 2026-12-01T00:00:00Z")
	assert.Contains(t, unknownWords("2027-01-01T03:00Z", "24h", ""), "at 2027-01-01T03:00Z, as far as history goes back")
	assert.Contains(t, unknownWords("2027-01-01T03:00Z", "24h", "2026-12-01T00:00:00Z"), "further back history was not searched")
}

func TestExplainCountsOccurrences(t *testing.T) {
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	a := alarm.Alert{Labels: named("x")[0], StartsAt: start, FirstSeen: start, Fired: 3, RaisedBy: "rollup", Counts: &alarm.Counts{
		Since: start.Add(time.Hour), Firing: time.Minute, Reopens: 2, Flaps: 1, Transients: 4, Flapping: &alarm.Flapping{Since: start, Changes: 5},
	}}.WithFingerprint()
	x := toExplanation(a.Fingerprint(), &alarm.Explanation{At: start.Add(time.Hour + time.Second), Reading: alarm.Reading{Alert: &a}})
	assert.Equal(t, &explainedOccurrences{
		FirstSeen: start, Fired: 3, FiringSeconds: 61, Reopens: 2, Flaps: 1, Transients: 4, Flapping: a.Counts.Flapping,
	}, x.Occurrences)
	assert.Equal(t, "fired 3×, came back while kept up 2×, began to flap 1×, too brief to tell 4×, firing 1m1s in all, flapping since 2027-01-01T00:00:00Z", countsInWords(x.Occurrences))
	var out strings.Builder
	printExplanation(&out, x)
	assert.Contains(t, out.String(), "  source    none: it was raised by rollup\n  counts    fired 3×")
}
