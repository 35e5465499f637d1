package main_test

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// oneRule is what a vmalert answers that has one rule, which was evaluated just now, with these alerts.
func oneRule(name, alerts string) string {
	state := "firing"
	if alerts == "" {
		state = "inactive"
	}
	return fmt.Sprintf(`{"status":"success","data":{"groups":[{"name":"g","interval":1,"rules":[{"type":"alerting","name":%q,`+
		`"state":%q,"health":"ok","lastError":"","lastEvaluation":%q,"duration":0,"alerts":[%s]}]}]}}`,
		name, state, time.Now().UTC().Format(time.RFC3339Nano), alerts)
}

// listed is an alert as a vmalert lists it.
func listed(alertname string) string {
	return fmt.Sprintf(`{"state":"firing","name":%q,"value":"1","labels":{"alertname":%[1]q},"annotations":{},"activeAt":"2026-01-01T00:00:00Z"}`, alertname)
}

// A liar is a source that can be told what to answer.
type liar struct {
	*httptest.Server
	kind   string
	answer atomic.Pointer[http.HandlerFunc]
}

func newLiar(t *testing.T, kind string) *liar {
	t.Helper()
	l := &liar{kind: kind}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*l.answer.Load())(w, r) }))
	t.Cleanup(l.Close)
	return l
}

func (l *liar) Will(answer http.HandlerFunc) { l.answer.Store(&answer) }

// Says has it answer as a good source does that has one rule, and these alerts.
func (l *liar) Says(name, alerts string) {
	l.Will(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case l.kind != "alertmanager":
			fmt.Fprint(w, oneRule(name, alerts))
		case strings.HasSuffix(r.URL.Path, "/status"):
			fmt.Fprint(w, `{"uptime":"2020-01-01T00:00:00Z"}`)
		default:
			fmt.Fprintf(w, "[%s]", strings.ReplaceAll(alerts, "activeAt", "startsAt"))
		}
	})
}

func answers(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// A badAnswer says nothing of any alert.
type badAnswer struct {
	kind   string // of the source
	answer http.HandlerFunc
	log    string // what is said of it
}

// badAnswers are such ones, by the names of their sources.
func badAnswers() map[string]badAnswer {
	const vmalert, am = "vmalert", "alertmanager"
	return map[string]badAnswer{
		"ServerError":  {vmalert, answers(http.StatusInternalServerError, "out of order"), "status 500"},
		"GoodBody":     {vmalert, answers(http.StatusBadGateway, oneRule("GoodBody", "")), "status 502"},
		"Unauthorised": {"prometheus", answers(http.StatusUnauthorized, "who are you?"), "status 401"},
		"LoginPage":    {vmalert, answers(http.StatusOK, "<html><body>Log in</body></html>"), "unexpected character '<'"},
		"EmptyBody":    {vmalert, answers(http.StatusOK, ""), "it is empty"},
		"NoVMAlert":    {vmalert, answers(http.StatusOK, `{"status":"success","data":{"groups":[]}}`), "it lists no rules at all"},
		"OtherAPI":     {"prometheus", answers(http.StatusOK, `{"status":"error","errorType":"bad_data","error":"what?"}`), "bad_data"},
		"HalfBody":     {vmalert, halfBody, "unexpected EOF"},
		"HalfAnswer":   {vmalert, answers(http.StatusOK, oneRule("HalfAnswer", "")[:90]), "it ends in the middle"},
		"EndlessBody":  {vmalert, endless(`{"status":"success","data":{"groups":[`), "longer than allowed"},
		"SilentServer": {vmalert, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline exceeded"},
		"OldAPI":       {am, answers(http.StatusGone, `{"status":"deprecated","error":"gone"}`), "status 410"},
		"Busy":         {am, answers(http.StatusServiceUnavailable, "Limit of concurrent GET requests reached"), "status 503"},
		"NoList":       {am, answers(http.StatusOK, `{"status":"success","data":[]}`), "unexpected character '{'"},
		"HalfList":     {am, answers(http.StatusOK, `[{"labels":{"alertname":"Half`), "it ends in the middle"},
		"EndlessList":  {am, endless(`[`), "longer than allowed"},
		"NoStatus": {am, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/status") {
				http.Error(w, "out of order", http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, "[]")
		}, "api/v2/status: status 500"},
	}
}

// halfBody promises more than it gives.
func halfBody(w http.ResponseWriter, _ *http.Request) {
	text := oneRule("HalfBody", "")
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	fmt.Fprint(w, text[:len(text)/2])
}

// endless is an answer without an end, which is in no haste either.
func endless(begin string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, begin)
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for range pace.C {
			if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<10)); err != nil {
				return
			}
		}
	}
}

// page returns a page as its reader sees it.
func (s *server) page(path string) string {
	s.t.Helper()
	code, page, err := s.get(path)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, code)
	return html.UnescapeString(page)
}

// TestPullBadAnswers has sources answer what is no answer: log, metrics and page say so, and nothing
// is closed, or told again when they have come to their senses.
func TestPullBadAnswers(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	liars, bad := map[string]*liar{}, badAnswers()
	var sources []string
	for name, b := range bad {
		liars[name] = newLiar(t, b.kind)
		liars[name].Says(name, listed(name))
		sources = append(sources, fmt.Sprintf("{name: %s, type: %s, interval: 1s, max_body: 64KB, urls: [%s]}", name, b.kind, liars[name].URL))
	}
	s := startServer(t, pulling(sink, sources...))
	for name := range bad {
		eventually(t, sink.said(name, "firing"))
	}

	for name, b := range bad {
		liars[name].Will(b.answer)
	}
	for name := range bad {
		eventually(t, s.of(name, "tocsin_source_stale", 1))
		since, err := s.Labelled("tocsin_source_last_success_timestamp_seconds", map[string]string{"source": name})
		require.NoError(t, err)
		s.asks(name, "error", 2)
		require.NoError(t, s.of(name, "tocsin_source_last_success_timestamp_seconds", since)())
	}
	page := s.page("/")
	for name, b := range bad {
		assert.Contains(t, page, "Source "+name+" is stale")
		assert.Regexp(t, "level=WARN .* source="+name+" .*"+b.log, s.stderr.String())
	}
	rounds(t, s, sink, named("Bad"))
	for name := range bad {
		assert.Equal(t, []string{"firing"}, sink.About(name), "nothing is closed")
	}

	for name := range bad {
		liars[name].Says(name, listed(name))
	}
	for name := range bad {
		eventually(t, s.of(name, "tocsin_source_stale", 0))
	}
	rounds(t, s, sink, named("Good"))
	for name := range bad {
		assert.Equal(t, []string{"firing"}, sink.About(name), "nothing is told again")
		liars[name].Says(name, "")
	}
	for name := range bad {
		eventually(t, sink.said(name, "firing", "resolved"))
	}
}

// TestPullBadAlerts has a source list alerts that are of no use among others: what is not there may
// be one of them, so nothing of that rule is closed.
func TestPullBadAlerts(t *testing.T) {
	t.Parallel()
	sink, mad := newSink(t), newLiar(t, "vmalert")
	mad.Says("Disk", listed("Disk")+","+listed("Locks"))
	s := startServer(t, pulling(sink, asking("vmalert", mad.URL)))
	eventually(t, sink.said("Disk", "firing"))

	mad.Says("Disk", listed("Disk")+`,{"state":"firing","labels":{},"annotations":{},"activeAt":"2026-01-01T00:00:00Z"}`)
	eventually(t, s.of("lab", "tocsin_source_alerts_invalid", 1))
	s.asks("lab", "ok", 2)
	require.NoError(t, s.of("lab", "tocsin_source_stale", 0)())
	assert.Contains(t, s.stderr.String(), "the alerts concerned are kept as they were")
	assert.Contains(t, s.page("/"), "Source lab: 1 alert that it lists is of no use")
	rounds(t, s, sink, named("Clock"))
	assert.Equal(t, []string{"firing"}, sink.About("Disk"))
}

// TestPullSourcesDisagree has an alert fire for as long as either of two sources says so.
func TestPullSourcesDisagree(t *testing.T) {
	t.Parallel()
	sink, yes, no := newSink(t), newLiar(t, "vmalert"), newLiar(t, "vmalert")
	yes.Says("Disk", listed("Disk"))
	no.Says("Disk", "")
	source := func(name, url string) string {
		return fmt.Sprintf("{name: %s, type: vmalert, interval: 1s, urls: [%s]}", name, url)
	}
	s := startServer(t, pulling(sink, source("north", yes.URL), source("south", no.URL)))
	eventually(t, sink.said("Disk", "firing"))
	s.asks("south", "ok", 3)
	rounds(t, s, sink, named("Clock"))
	assert.Equal(t, []string{"firing"}, sink.About("Disk"))
	no.Says("Disk", listed("Disk"))
	s.asks("south", "ok", 2)
	yes.Says("Disk", "")
	s.asks("north", "ok", 3)
	rounds(t, s, sink, named("Watch"))
	assert.Equal(t, []string{"firing"}, sink.About("Disk"))
	for fp := range s.Alerts(`alertname="Disk"`) {
		page := s.page("/alert/" + fp)
		assert.Regexp(t, `(?s)north.*resolved.*south.*firing`, page, "it says who says what")
	}
	no.Says("Disk", "")
	eventually(t, sink.said("Disk", "firing", "resolved"))
}

// TestPullOneFailure has a source fail once, as a proxy in between may: nobody is woken, and nothing is
// closed.
func TestPullOneFailure(t *testing.T) {
	t.Parallel()
	sink, weak := newSink(t), newLiar(t, "vmalert")
	weak.Says("Disk", listed("Disk"))
	s := startServer(t, pulling(sink, fmt.Sprintf("{name: lab, type: vmalert, interval: 3s, urls: [%s]}", weak.URL)))
	eventually(t, sink.said("Disk", "firing"))
	for range 2 {
		failed := s.asked("lab", "error")
		weak.Will(func(w http.ResponseWriter, _ *http.Request) {
			weak.Says("Disk", listed("Disk"))
			http.Error(w, "no server is available", http.StatusBadGateway)
		})
		s.asks("lab", "error", 1)
		s.asks("lab", "ok", 1)
		assert.InDelta(t, failed+1, s.asked("lab", "error"), 0)
		require.NoError(t, s.of("lab", "tocsin_source_stale", 0)())
	}
	assert.Regexp(t, "level=INFO .*a source failed once.*source=lab .*status 502", s.stderr.String())
	rounds(t, s, sink, named("Clock"))
	assert.Equal(t, []string{"firing"}, sink.About("Disk"))
	assert.Empty(t, sink.About("TocsinSourceDown"))
}
