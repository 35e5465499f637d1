package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// An explainQuery is what the address of an alert's page asks for.
type explainQuery struct {
	Fingerprint model.Fingerprint
	Span        span
	At          time.Time // the past instant; zero: now
	Text        string    // At as it was typed
	Err         error     // why that cannot be read
}

func parseExplain(now time.Time, fp model.Fingerprint, values url.Values) explainQuery {
	q := explainQuery{Fingerprint: fp, Span: parseSpan(values.Get("since")), Text: values.Get("at")}
	if q.Text != "" {
		if q.At, q.Err = parseInstant(now, q.Text); q.Err != nil {
			q.At = time.Time{}
		}
	}
	return q
}

// parseInstant reads a time as RFC 3339 has it, seconds optional. Without a zone, as a browser's field
// has it, it is UTC.
func parseInstant(now time.Time, text string) (time.Time, error) {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		t, err := time.Parse(layout, text)
		switch {
		case err != nil:
			continue
		case t.After(now):
			return time.Time{}, errors.New("that is in the future: choose an instant of the past")
		default:
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write one such as 2027-01-01T03:00Z", clip(text, shortText))
}

// link prints the query as an address below root.
func (q explainQuery) link(root string) string {
	values := url.Values{}
	if q.Span.Name != spans[0].Name {
		values.Set("since", q.Span.Name)
	}
	if !q.At.IsZero() {
		values.Set("at", q.At.Format(time.RFC3339Nano))
	}
	if len(values) == 0 {
		return alertLink(root, q.Fingerprint)
	}
	return alertLink(root, q.Fingerprint) + "?" + values.Encode()
}

func (h *handler) serveExplain(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	fp, err := model.ParseFingerprint(r.PathValue("fingerprint"))
	if err != nil {
		h.serveNothing(w, r)
		return
	}
	now := time.Now()
	q := parseExplain(now, fp, r.URL.Query())
	x, err := h.explain(ctx, now, q)
	if err != nil {
		h.serveTrouble(w, r, err)
		return
	}
	if x == nil {
		h.serveUnknown(w, r, q)
		return
	}
	reading, err := h.readings.take(ctx)
	if err != nil {
		h.serveTrouble(w, r, err)
		return
	}
	letters, err := h.lettersOf(ctx, fp)
	if err != nil {
		h.serveTrouble(w, r, err)
		return
	}
	status := http.StatusOK
	if q.Err != nil {
		status = http.StatusBadRequest
	}
	page := h.explainPage(now, reading, q, x, h.frame(r))
	if !page.Past {
		page.Letters = letterViews(now, letters, page.Frame.Root)
	}
	h.render(w, r, status, "explain", page)
}

func (h *handler) explain(ctx context.Context, now time.Time, q explainQuery) (*alarm.Explanation, error) {
	if q.At.IsZero() {
		return h.engine.Explain(ctx, q.Fingerprint, now.Add(-q.Span.Length))
	}
	return h.engine.ExplainAt(ctx, q.Fingerprint, q.At.Add(-q.Span.Length), q.At)
}

// serveUnknown says that nothing is known of an alert, and where to look on.
func (h *handler) serveUnknown(w http.ResponseWriter, r *http.Request, q explainQuery) {
	p := messagePage{Frame: h.frame(r)}
	p.Frame.Title = "No such alert"
	p.Text = fmt.Sprintf("Nothing is known of an alert %s in the last %s. It may have ended before, or its labels changed and with them its fingerprint.", q.Fingerprint, q.Span.Words)
	if !q.At.IsZero() {
		p.Text = fmt.Sprintf("Nothing is known of an alert %s until %s. It may have begun later, or history does not go back that far.", q.Fingerprint, q.At.Format("2006-01-02 15:04:05 UTC"))
		p.Links = append(p.Links, pair{Name: "What is known of it now", URL: explainQuery{Fingerprint: q.Fingerprint, Span: q.Span}.link(p.Frame.Root)})
	}
	for _, s := range spans {
		if q.At.IsZero() && s.Length > q.Span.Length {
			p.Links = append(p.Links, pair{Name: "Look at the last " + s.Words, URL: explainQuery{Fingerprint: q.Fingerprint, Span: s}.link(p.Frame.Root)})
		}
	}
	h.render(w, r, http.StatusNotFound, "message", p)
}
