package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// An alert as a sender pushes it.
type alert struct {
	Labels   model.LabelSet `json:"labels"`
	StartsAt time.Time      `json:"startsAt,omitzero"`
	EndsAt   time.Time      `json:"endsAt,omitzero"` // zero: until resolve_timeout
}

// firing is an alert that its sender keeps for an hour.
func firing(labels model.LabelSet) alert {
	return alert{Labels: labels, EndsAt: time.Now().Add(time.Hour)}
}

// ended is an alert that has ended now.
func ended(labels model.LabelSet) alert { return alert{Labels: labels, EndsAt: time.Now()} }

// each makes an alert out of each label set.
func each(sets []model.LabelSet, as func(model.LabelSet) alert) []alert {
	alerts := make([]alert, len(sets))
	for i, labels := range sets {
		alerts[i] = as(labels)
	}
	return alerts
}

// fingerprints are the identities of label sets, as API and webhooks write them.
func fingerprints(sets []model.LabelSet) map[string]bool {
	fps := make(map[string]bool, len(sets))
	for _, labels := range sets {
		fps[labels.Fingerprint().String()] = true
	}
	return fps
}

// do sends one request and returns the status code and the body.
func (s *server) do(method, path, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	return s.answer(req)
}

func (s *server) answer(req *http.Request) (int, string, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func (s *server) get(path string) (int, string, error) { return s.do(http.MethodGet, path, "") }

// getJSON fails the test unless the answer is 200 and fits.
func (s *server) getJSON(path string, into any) {
	s.t.Helper()
	code, body, err := s.get(path)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, code, body)
	require.NoError(s.t, json.Unmarshal([]byte(body), into))
}

// push posts alerts. Without an error they were acknowledged.
func (s *server) push(alerts []alert) error { return s.post("/api/v2/alerts", alerts, nil) }

// Push posts alerts in batches and fails the test if one is not taken.
func (s *server) Push(alerts ...alert) {
	s.t.Helper()
	const batch = 256
	for len(alerts) > 0 {
		n := min(batch, len(alerts))
		require.NoError(s.t, s.push(alerts[:n]))
		alerts = alerts[n:]
	}
}

func (s *server) post(path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	code, answer, err := s.do(http.MethodPost, path, string(text))
	switch {
	case err != nil:
		return err
	case code/100 != 2:
		return fmt.Errorf("POST %s: %d %s", path, code, answer)
	case into == nil:
		return nil
	}
	return json.NewDecoder(bytes.NewBufferString(answer)).Decode(into)
}

// A silence as API v2 has it.
type silence struct {
	ID        string           `json:"id,omitempty"`
	Matchers  []silenceMatcher `json:"matchers"`
	StartsAt  time.Time        `json:"startsAt"`
	EndsAt    time.Time        `json:"endsAt"`
	CreatedBy string           `json:"createdBy"`
	Comment   string           `json:"comment"`
	Status    silenceStatus    `json:"status,omitzero"`
}

type silenceMatcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

type silenceStatus struct {
	State string `json:"state"`
}

// silencing is a silence of one label value, from now on.
func silencing(name, value string, duration time.Duration) silence {
	now := time.Now().UTC()
	return silence{
		Matchers: []silenceMatcher{{Name: name, Value: value, IsEqual: true}},
		StartsAt: now, EndsAt: now.Add(duration), CreatedBy: "e2e", Comment: value,
	}
}

// silence posts a silence and returns its ID. Without an error it was acknowledged.
func (s *server) silence(sil silence) (string, error) {
	var answer struct {
		SilenceID string `json:"silenceID"`
	}
	err := s.post("/api/v2/silences", sil, &answer)
	return answer.SilenceID, err
}

// Silence posts a silence and fails the test if it is not taken.
func (s *server) Silence(sil silence) string {
	s.t.Helper()
	id, err := s.silence(sil)
	require.NoError(s.t, err)
	return id
}

// Expire ends a silence.
func (s *server) Expire(id string) {
	s.t.Helper()
	code, body, err := s.do(http.MethodDelete, "/api/v2/silence/"+id, "")
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, code, body)
}

// Silences returns all silences by ID.
func (s *server) Silences() map[string]silence {
	s.t.Helper()
	var list []silence
	s.getJSON("/api/v2/silences", &list)
	byID := make(map[string]silence, len(list))
	for _, sil := range list {
		byID[sil.ID] = sil
	}
	return byID
}

// A gettableAlert is what the API says of one alert.
type gettableAlert struct {
	Labels      model.LabelSet `json:"labels"`
	Fingerprint string         `json:"fingerprint"`
	Status      struct {
		State string `json:"state"`
	} `json:"status"`
}

// Alerts returns the active alerts that match all filters, by fingerprint.
func (s *server) Alerts(filters ...string) map[string]gettableAlert {
	s.t.Helper()
	var list []gettableAlert
	s.getJSON("/api/v2/alerts?"+url.Values{"filter": filters}.Encode(), &list)
	byFingerprint := make(map[string]gettableAlert, len(list))
	for _, a := range list {
		byFingerprint[a.Fingerprint] = a
	}
	return byFingerprint
}

// Metric returns the value of a metric that has no labels.
func (s *server) Metric(name string) (float64, error) { return s.Labelled(name, nil) }

// Labelled returns the value of the one metric that has these labels, perhaps among others.
func (s *server) Labelled(name string, labels map[string]string) (float64, error) {
	families, err := s.metrics()
	if err != nil {
		return 0, err
	}
	var found []float64
	for _, m := range families[name].GetMetric() {
		same := 0
		for _, l := range m.GetLabel() {
			if value, ok := labels[l.GetName()]; ok && value == l.GetValue() {
				same++
			}
		}
		if same == len(labels) {
			found = append(found, m.GetGauge().GetValue()+m.GetCounter().GetValue())
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("metric %s%v: not there once", name, labels)
	}
	return found[0], nil
}

// metrics returns all metrics by name.
func (s *server) metrics() (map[string]*dto.MetricFamily, error) {
	code, body, err := s.get("/metrics")
	if err != nil || code != http.StatusOK {
		return nil, fmt.Errorf("GET /metrics: %d %w", code, err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(strings.NewReader(body))
}
