package main_test

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
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

// A liar is a vmalert that can be told what to answer.
type liar struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
}

func newLiar(t *testing.T) *liar {
	t.Helper()
	l := &liar{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*l.answer.Load())(w, r) }))
	t.Cleanup(l.Close)
	return l
}

func (l *liar) Will(answer http.HandlerFunc) { l.answer.Store(&answer) }

// Says has it answer as a good vmalert does.
func (l *liar) Says(name, alerts string) {
	l.Will(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, oneRule(name, alerts)) })
}

func answers(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// badAnswers are those that say nothing of any alert.
func badAnswers() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"ServerError":  answers(http.StatusInternalServerError, "out of order"),
		"Unauthorised": answers(http.StatusUnauthorized, "who are you?"),
		"LoginPage":    answers(http.StatusOK, "<html><body>Log in</body></html>"),
		"EmptyBody":    answers(http.StatusOK, ""),
		"NoVMAlert":    answers(http.StatusOK, `{"status":"success","data":{"groups":[]}}`),
		"OtherAPI":     answers(http.StatusOK, `{"status":"error","errorType":"bad_data","error":"what?"}`),
		"HalfBody": func(w http.ResponseWriter, _ *http.Request) {
			text := oneRule("HalfBody", "")
			w.Header().Set("Content-Length", fmt.Sprint(len(text)))
			fmt.Fprint(w, text[:len(text)/2])
		},
		"HalfAnswer": answers(http.StatusOK, oneRule("HalfAnswer", "")[:90]),
		"EndlessBody": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"status":"success","data":{"groups":[`)
			pace := time.NewTicker(time.Millisecond) // it has no end, but no haste either
			defer pace.Stop()
			for range pace.C {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<10)); err != nil {
					return
				}
			}
		},
		"SilentServer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}
}

// TestPullBadAnswers has sources answer what is no answer: log, metrics and page say so, and nothing
// is closed, or told again when they have come to their senses.
func TestPullBadAnswers(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	liars, bad := map[string]*liar{}, badAnswers()
	var sources []string
	for name := range bad {
		liars[name] = newLiar(t)
		liars[name].Says(name, listed(name))
		sources = append(sources, fmt.Sprintf("{name: %s, type: vmalert, interval: 1s, urls: [%s]}", name, liars[name].URL))
	}
	s := startServer(t, pulling(sink, sources...))
	for name := range bad {
		eventually(t, sink.said(name, "firing"))
	}

	for name, answer := range bad {
		liars[name].Will(answer)
	}
	for name := range bad {
		eventually(t, s.of(name, "tocsin_source_stale", 1))
		since, err := s.Labelled("tocsin_source_last_success_timestamp_seconds", map[string]string{"source": name})
		require.NoError(t, err)
		s.asks(name, "error", 2)
		require.NoError(t, s.of(name, "tocsin_source_last_success_timestamp_seconds", since)())
	}
	code, page, err := s.get("/")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code)
	for name := range bad {
		assert.Contains(t, html.UnescapeString(page), "Source "+name+" is stale")
		assert.Contains(t, s.stderr.String(), "source="+name, "the log")
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
	sink, mad := newSink(t), newLiar(t)
	mad.Says("Disk", listed("Disk")+","+listed("Locks"))
	s := startServer(t, pulling(sink, asking("vmalert", mad.URL)))
	eventually(t, sink.said("Disk", "firing"))

	mad.Says("Disk", listed("Disk")+`,{"state":"firing","labels":{},"annotations":{},"activeAt":"2026-01-01T00:00:00Z"}`)
	eventually(t, s.of("lab", "tocsin_source_alerts_invalid", 1))
	s.asks("lab", "ok", 2)
	require.NoError(t, s.of("lab", "tocsin_source_stale", 0)())
	assert.Contains(t, s.stderr.String(), "the alerts concerned are kept as they were")
	rounds(t, s, sink, named("Clock"))
	assert.Equal(t, []string{"firing"}, sink.About("Disk"))
}

// TestPullSourcesDisagree has an alert fire for as long as either of two sources says so.
func TestPullSourcesDisagree(t *testing.T) {
	t.Parallel()
	sink, yes, no := newSink(t), newLiar(t), newLiar(t)
	yes.Says("Disk", listed("Disk"))
	no.Says("Disk", "")
	source := func(name, url string) string {
		return fmt.Sprintf("{name: %s, type: vmalert, interval: 1s, urls: [%s]}", name, url)
	}
	s := startServer(t, pulling(sink, source("yes", yes.URL), source("no", no.URL)))
	eventually(t, sink.said("Disk", "firing"))
	s.asks("no", "ok", 3)
	rounds(t, s, sink, named("Clock"))
	assert.Equal(t, []string{"firing"}, sink.About("Disk"))
	no.Says("Disk", listed("Disk"))
	s.asks("no", "ok", 2)
	yes.Says("Disk", "")
	s.asks("yes", "ok", 3)
	rounds(t, s, sink, named("Watch"))
	assert.Equal(t, []string{"firing"}, sink.About("Disk"))
	no.Says("Disk", "")
	eventually(t, sink.said("Disk", "firing", "resolved"))
}
