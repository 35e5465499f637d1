package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/silence"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

// memorySilences keeps silences as an engine does.
type memorySilences struct {
	kept []*alarm.Silence
	err  error
}

func (m *memorySilences) Submit(_ context.Context, in alarm.Input) error {
	if m.err != nil {
		return m.err
	}
	for _, s := range in.Silences {
		m.kept = append(slices.DeleteFunc(m.kept, func(k *alarm.Silence) bool { return k.ID == s.ID }), s)
	}
	return nil
}

func (m *memorySilences) Silences(context.Context) ([]*alarm.Silence, error) {
	return slices.Clone(m.kept), nil
}

// pastWeek says that alerts of these names fired.
type pastWeek []string

func (p pastWeek) Fired(_ context.Context, from, _ time.Time, _ int, visit func(model.Fingerprint, model.LabelSet)) (time.Time, error) {
	for _, name := range p {
		ls := model.LabelSet{"alertname": model.LabelValue(name), "cluster": "eu"}
		visit(ls.Fingerprint(), ls)
	}
	return from, nil
}

// windowServer answers below /api/v1/ over silences in memory, while so many alerts fire in the
// cluster eu, one of them critical.
func windowServer(t *testing.T, firing int) (http.Handler, *memorySilences) {
	t.Helper()
	c, err := config.Parse(config.File{Name: "am.yml", Text: []byte(`
route: {receiver: r}
receivers: [{name: r}]
tocsin: {silence_guard: {alerts: 2, severity: critical}, teams: [{name: db, matchers: ['job="pg"'], receiver: r}]}
`)}, nil)
	require.NoError(t, err)
	m := &memorySilences{}
	service, err := silence.NewService(m, silence.Options{Planner: c.Planner})
	require.NoError(t, err)
	windows := &maintenance{
		Service: service, history: pastWeek{"Old", "Old", "Older"}, config: func() *config.Config { return c },
		alerts: func(_ context.Context, ms matcher.Matchers) ([]alarm.Reading, error) {
			var all []alarm.Reading
			for i := range firing {
				a := alarm.Alert{Labels: model.LabelSet{"alertname": "X", "cluster": "eu", "i": model.LabelValue(rune('a' + i))}, StartsAt: time.Now()}
				if i == 0 {
					a.Labels["severity"] = "critical"
				}
				if ms.Matches(a.Labels) {
					all = append(all, alarm.Reading{Alert: &a})
				}
			}
			return all, nil
		},
	}
	return handlers{own: windowHandlers(windows, slog.New(slog.DiscardHandler)), v2: http.NotFoundHandler(), page: http.NotFoundHandler()}.mux(), m
}

func askWindows(t *testing.T, h http.Handler, method, path, body string, out any, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/api/v1/"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if out != nil {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), out), "%s", w.Body)
	}
	return w
}

func TestWindowsByAPI(t *testing.T) {
	h, m := windowServer(t, 0)
	var made wireWindow
	w := askWindows(t, h, http.MethodPost, "windows", `{"name":"deploy","team":"db","cluster":"eu","lease":"15m","comment":"c","createdBy":"ci","grace":"1m","closeOpen":true}`, &made)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	assert.Equal(t, []string{`cluster="eu"`, `job="pg"`}, made.Matchers)
	assert.Equal(t, alarm.Scope{Cluster: "eu", Team: "db"}, made.Scope)
	assert.Equal(t, "active", made.State)
	assert.True(t, made.CloseOpen)

	var got wireWindow
	askWindows(t, h, http.MethodGet, "windows/deploy", "", &got)
	assert.Equal(t, made, got, "by its name")
	askWindows(t, h, http.MethodPost, "windows/"+made.ID+"/extend", "", &got)
	assert.True(t, got.EndsAt.After(made.EndsAt), "the lease was renewed")
	var longer wireWindow
	askWindows(t, h, http.MethodPost, "windows/deploy/extend", `{"for":"1h"}`, &longer)
	assert.Equal(t, time.Hour, longer.EndsAt.Sub(got.EndsAt))

	var list []wireWindow
	askWindows(t, h, http.MethodPost, "windows", `{"name":"weekly","matchers":["a=\"1\",b!=\"2\"","c=~\"3\""],"rrule":"FREQ=WEEKLY","start":"2026-01-01T00:00","zone":"Europe/London","duration":"2h"}`, &got)
	assert.Len(t, got.Next, 5)
	assert.Len(t, got.Matchers, 3)
	askWindows(t, h, http.MethodPost, "windows", `{"kind":"silence","matchers":["a=\"1\""],"duration":"2h"}`, nil)
	askWindows(t, h, http.MethodGet, "windows", "", &list)
	assert.Len(t, list, 2, "windows, and no silence")
	askWindows(t, h, http.MethodGet, "windows?kind=silence&kind=window&state=active", "", &list)
	assert.GreaterOrEqual(t, len(list), 2)

	w = askWindows(t, h, http.MethodDelete, "windows/deploy", "", &got)
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "expired", got.State)
	askWindows(t, h, http.MethodPost, "windows/weekly/end?series=true", "", &got)
	assert.Equal(t, "expired", got.State)
	assert.Equal(t, http.StatusNotFound, askWindows(t, h, http.MethodGet, "windows/deploy", "", nil).Code, "a name is free when it has ended")
	assert.Equal(t, http.StatusOK, askWindows(t, h, http.MethodGet, "windows/"+made.ID, "", nil).Code)
	assert.Len(t, m.kept, 3)
}

func TestWindowsThatMuteMuchAreConfirmed(t *testing.T) {
	h, m := windowServer(t, 3)
	const body = `{"name":"w","cluster":"eu","duration":"1h"}`
	var failure windowFailure
	w := askWindows(t, h, http.MethodPost, "windows", body, &failure)
	require.Equal(t, http.StatusConflict, w.Code)
	assert.Equal(t, "it would mute 3 alerts that fire now, more than 2, and it would mute 1 of severity critical: send it again with confirm=true if that is meant", failure.Error)
	require.NotNil(t, failure.Preview)
	assert.Equal(t, 3, failure.Preview.Now)
	assert.True(t, failure.Preview.Hits[0].Guarded, "the guarded ones on top")
	assert.Equal(t, 5, failure.Preview.Past, "what fires now, and two of the past, each once")
	assert.Empty(t, m.kept)

	var p silence.Preview
	askWindows(t, h, http.MethodPost, "windows/preview", body, &p)
	assert.Equal(t, failure.Preview.Confirm, p.Confirm)
	assert.Equal(t, []silence.NameCount{{Name: "X", Alerts: 3}, {Name: "Old", Alerts: 1}, {Name: "Older", Alerts: 1}}, p.PastTop)
	assert.Empty(t, m.kept)
	assert.Equal(t, http.StatusOK, askWindows(t, h, http.MethodPost, "windows?confirm=true", body, nil).Code)
	assert.Len(t, m.kept, 1)
	askWindows(t, h, http.MethodPost, "windows/w/preview", "", &p)
	assert.Equal(t, 3, p.Now)
}

func TestWindowsRefused(t *testing.T) {
	h, m := windowServer(t, 0)
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"all at once":     {"POST", "windows", `{"zone":"Mars","grace":"x","rrule":"FREQ=NEVER"}`, 400, `"field":"zone"`},
		"unknown field":   {"POST", "windows", `{"colour":"red"}`, 400, "unknown field"},
		"no JSON":         {"POST", "windows", `name=w`, 400, "send one JSON object"},
		"two":             {"POST", "windows", `{} {}`, 400, "one window at a time"},
		"kind":            {"POST", "windows", `{"kind":"activity","name":"w","cluster":"a","duration":"1h"}`, 400, "no kind"},
		"past":            {"POST", "windows", `{"name":"w","cluster":"a","start":"2020-01-01T00:00","duration":"1h"}`, 400, "it ends before now"},
		"large":           {"POST", "windows", `{"comment":"` + strings.Repeat("x", maxWindowBody) + `"}`, 413, "larger than"},
		"nobody":          {"GET", "windows/nobody", "", 404, "GET /api/v1/windows lists them"},
		"nobody extended": {"POST", "windows/nobody/extend", "", 404, "no window"},
		"state":           {"GET", "windows?state=odd", "", 400, "no state"},
		"for and until":   {"POST", "windows/x/extend", `{"for":"1h","until":"2027-01-01T00:00:00Z"}`, 400, "exclude each other"},
	} {
		w := askWindows(t, h, tc.method, tc.path, tc.body, nil)
		assert.Equal(t, tc.status, w.Code, name)
		assert.Contains(t, w.Body.String(), tc.want, name)
		assert.True(t, json.Valid(w.Body.Bytes()), name)
	}
	good := `{"name":"w","cluster":"a","duration":"1h"}`
	assert.Equal(t, http.StatusForbidden, askWindows(t, h, http.MethodPost, "windows", good, nil, "Sec-Fetch-Site", "cross-site").Code)
	assert.Equal(t, http.StatusBadRequest, askWindows(t, h, http.MethodPost, "windows", good, nil, "Content-Type", "text/plain").Code, "what a form of another page could send")
	assert.Empty(t, m.kept)
	require.Equal(t, http.StatusOK, askWindows(t, h, http.MethodPost, "windows", good, nil).Code)
	w := askWindows(t, h, http.MethodPost, "windows", good, nil)
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.Contains(t, w.Body.String(), "is there already")
	m.err = alarm.ErrNotStored
	w = askWindows(t, h, http.MethodDelete, "windows/w", "", nil)
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "5", w.Header().Get("Retry-After"))
}

func FuzzWindowsAPI(f *testing.F) {
	f.Add("windows", `{"name":"w","cluster":"eu","duration":"1h"}`)
	f.Add("windows/w/extend", `{"for":"1h"}`)
	f.Add("windows/preview", `{"matchers":["a=\"b\""],"lease":"1m"}`)
	f.Fuzz(func(t *testing.T, path, body string) {
		if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`%"?#`, r) }) {
			return
		}
		h, _ := windowServer(t, 1)
		w := askWindows(t, h, http.MethodPost, path, body, nil)
		require.NotEqual(t, http.StatusInternalServerError, w.Code, "%s", w.Body)
	})
}
