package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/silence"
)

// fakeMaintenance is a service over an engine that keeps silences in memory.
type fakeMaintenance struct {
	*silence.Service
	kept    []*alarm.Silence
	firing  []alarm.Reading
	started int
	err     error
}

func newFakeMaintenance(t *testing.T) *fakeMaintenance {
	m := &fakeMaintenance{}
	service, err := silence.NewService(m, silence.Options{})
	require.NoError(t, err)
	m.Service = service
	return m
}

func (m *fakeMaintenance) Submit(_ context.Context, in alarm.Input) error {
	for _, s := range in.Silences {
		m.started++
		for i := range m.kept {
			if m.kept[i].ID == s.ID {
				m.kept = append(m.kept[:i], m.kept[i+1:]...)
				break
			}
		}
		m.kept = append(m.kept, s)
	}
	return m.err
}

func (m *fakeMaintenance) Silences(context.Context) ([]*alarm.Silence, error) {
	return append([]*alarm.Silence(nil), m.kept...), m.err
}

func (m *fakeMaintenance) Preview(_ context.Context, s *alarm.Silence) (silence.Preview, error) {
	return silence.Look(s.Matchers, m.firing, nil, silence.Guard{Severity: "critical"}), m.err
}

func post(t *testing.T, h http.Handler, target string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func racks() url.Values {
	return url.Values{
		"kind": {"window"}, "name": {"racks"}, "cluster": {"eu"}, "matchers": {"severity=~\"c.*|w.*\"\n\nenv!=\"x\"\n"}, "duration": {"2h"},
		"author": {"anna"}, "comment": {`<script>alert("1")</script>`}, "do": {"start"},
	}
}

func TestMaintenanceFromThePlanToTheEnd(t *testing.T) {
	m := newFakeMaintenance(t)
	h := newHandler(t, night(), Options{Maintenance: m, Prefix: "/tocsin"})
	page := get(t, h, "/tocsin/windows")
	require.Equal(t, http.StatusOK, page.Code)
	assert.Contains(t, words(parse(t, page)), "Nothing is muted at the moment.")

	w := post(t, h, "/tocsin/windows", racks())
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	assert.Equal(t, "windows?done=started", w.Header().Get("Location"))
	require.Len(t, m.kept, 1)
	s := m.kept[0]
	assert.Equal(t, `{cluster="eu",severity=~"c.*|w.*",env!="x"}`, s.Matchers.String())

	page = get(t, h, "/tocsin/windows?done=started")
	text := words(parse(t, page))
	for _, want := range []string{"It is planned.", "Under way 1", "racks", `<script>alert("1")</script>`, "by anna.", "cluster eu"} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, page.Body.String(), "<script>alert", "a comment is text")
	assert.NotContains(t, page.Body.String(), " style=", "the policy allows none")

	before := s.EndsAt
	w = post(t, h, "/tocsin/windows/"+s.ID+"/extend", url.Values{"for": {"1h"}})
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	assert.Equal(t, "../../windows?done=extended", w.Header().Get("Location"))
	assert.Equal(t, before.Add(time.Hour), m.kept[0].EndsAt)
	w = post(t, h, "/tocsin/windows/"+s.ID+"/preview", nil)
	assert.Contains(t, words(parse(t, w)), "What window racks hits")
	w = post(t, h, "/tocsin/windows/"+s.ID+"/end", nil)
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	assert.Equal(t, alarm.SilenceExpired, m.kept[0].StateAt(time.Now()))
	assert.Contains(t, words(parse(t, get(t, h, "/tocsin/windows"))), "Past 1")
	assert.Equal(t, http.StatusSeeOther, get(t, h, "/tocsin/windows/"+s.ID+"/end").Code, "where a form answered, the list is read again")
}

func TestMaintenanceAsksBeforeItMutesMuch(t *testing.T) {
	m := newFakeMaintenance(t)
	m.firing = []alarm.Reading{firing(model.LabelSet{"alertname": "NodeDown", "severity": "critical", "cluster": "eu"}, nil, time.Hour)}
	h := newHandler(t, night(), Options{Maintenance: m})
	w := post(t, h, "/windows", racks())
	require.Equal(t, http.StatusConflict, w.Code)
	assert.Zero(t, m.started)
	doc := parse(t, w)
	text := words(doc)
	assert.Contains(t, text, "Sure? it would mute 1 of severity critical.")
	assert.Contains(t, text, "guarded NodeDown")

	confirmed := url.Values{} // what the button of the preview sends
	for _, input := range find(find(doc, "section", "preview")[0], "input", "") {
		confirmed.Add(attr(input, "name"), attr(input, "value"))
	}
	w = post(t, h, "/windows", confirmed)
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	require.Len(t, m.kept, 1)
	assert.Equal(t, `{cluster="eu",severity=~"c.*|w.*",env!="x"}`, m.kept[0].Matchers.String(), "as it was asked for")
	assert.Equal(t, "anna", m.kept[0].CreatedBy)

	form := racks()
	form.Set("do", "preview")
	form.Set("name", "other")
	form.Set("cluster", "us")
	w = post(t, h, "/windows", form)
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, words(parse(t, w)), "0 alerts fire now")
	assert.Equal(t, 1, m.started, "a preview mutes nothing")
}

func TestMaintenanceRefuses(t *testing.T) {
	m := newFakeMaintenance(t)
	h := newHandler(t, night(), Options{Maintenance: m})
	w := post(t, h, "/windows", url.Values{"zone": {"Mars"}, "duration": {"soon"}, "comment": {"kept"}})
	require.Equal(t, http.StatusBadRequest, w.Code)
	for _, want := range []string{"name: no name is given", "zone: no zone", "duration: ", "matchers: nothing says"} {
		assert.Contains(t, words(parse(t, w)), want)
	}
	assert.Contains(t, w.Body.String(), `value="kept"`, "what was typed is not lost")

	w = post(t, h, "/windows", racks(), "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, http.StatusForbidden, w.Code)
	w = post(t, h, "/windows", url.Values{"comment": {strings.Repeat("x", maxForm)}})
	assert.Equal(t, http.StatusBadRequest, w.Code)
	for _, what := range []string{"extend", "end", "preview"} {
		assert.Equal(t, http.StatusNotFound, post(t, h, "/windows/nobody/"+what, url.Values{"for": {"1h"}}).Code, what)
	}
	assert.Zero(t, m.started)
	m.err = errors.New("disk full")
	assert.Equal(t, http.StatusServiceUnavailable, get(t, h, "/windows").Code)
	assert.Equal(t, http.StatusNotFound, get(t, newHandler(t, night(), Options{}), "/windows").Code, "nobody keeps windows")
}

func TestMaintenanceShowsWhatRecurs(t *testing.T) {
	m := newFakeMaintenance(t)
	h := newHandler(t, night(), Options{Maintenance: m})
	form := racks()
	form.Set("rrule", "FREQ=DAILY")
	form.Set("start", "2026-01-01T01:00")
	form.Set("zone", "Europe/London")
	form.Set("grace", "5m")
	form.Set("close_open", "yes")
	require.Equal(t, http.StatusSeeOther, post(t, h, "/windows", form).Code)
	m.kept = append(m.kept, &alarm.Silence{
		ID: "b", Kind: alarm.KindWindow, Name: "bad", EndsAt: alarm.NoEnd(), Recurrence: &alarm.Recurrence{Rule: "FREQ=LATER", Zone: "UTC", Start: "2026-01-01T00:00:00"},
	})
	text := words(parse(t, get(t, h, "/windows")))
	for _, want := range []string{"Recurs: FREQ=DAILY, from 2026-01-01T01:00:00 in Europe/London. Then ", "Grace 5m. Closes what is open.", "End for good", "It never mutes"} {
		assert.Contains(t, text, want)
	}
	require.Equal(t, http.StatusSeeOther, post(t, h, "/windows/"+m.kept[0].ID+"/end", url.Values{"series": {"yes"}}).Code)
	now := time.Now()
	for _, s := range m.kept {
		assert.Equal(t, alarm.SilenceExpired, s.StateAt(now), s.Name)
	}
}
