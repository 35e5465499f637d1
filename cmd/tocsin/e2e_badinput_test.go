package main_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBadAlerts posts what is not an alert. What of it is one is kept.
func TestBadAlerts(t *testing.T) {
	t.Parallel()
	s := startServer(t, amtoolConfig)
	past, before := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), time.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339)
	for name, c := range map[string]struct {
		body   string
		code   int
		says   string
		listed []model.LabelSet // of what is in the body
	}{
		"an empty list":        {`[]`, 200, ``, nil},
		"no label":             {`[{"labels":{}}]`, 400, `at least one label pair required`, nil},
		"labels missing":       {`[{"annotations":{"a":"b"}}]`, 422, `"code":602`, nil},
		"an empty label value": {`[{"labels":{"alertname":"Empty","gone":""}}]`, 200, ``, []model.LabelSet{named("Empty")}},
		"one bad among good": {
			`[{"labels":{"alertname":"Good1"}},{"labels":{}},{"labels":{"alertname":"Good2"}}]`, 400,
			`at least one label pair required`,
			[]model.LabelSet{named("Good1"), named("Good2")},
		},
		"an end before the start": {
			`[{"labels":{"alertname":"X"},"startsAt":"` + past + `","endsAt":"` + before + `"}]`, 400,
			`start time must be before end time`, nil,
		},
		"an end in the past":         {`[{"labels":{"alertname":"X"},"startsAt":"` + before + `","endsAt":"` + past + `"}]`, 200, ``, nil},
		"a time that is none":        {`[{"labels":{"alertname":"X"},"startsAt":"yesterday"}]`, 400, `parsing alerts body`, nil},
		"a label that is a number":   {`[{"labels":{"alertname":7}}]`, 400, `parsing alerts body`, nil},
		"an object":                  {`{"labels":{"alertname":"X"}}`, 400, `parsing alerts body`, nil},
		"half of it":                 {`[{"labels":{"alertname":"X"}`, 400, `parsing alerts body`, nil},
		"nothing":                    {``, 422, `"code":602`, nil},
		"a bad label name":           {`[{"labels":{"":"X"}}]`, 400, `invalid label set`, nil},
		"a generator that is no URL": {`[{"labels":{"alertname":"X"},"generatorURL":"no url"}]`, 422, `"code":601`, nil},
		"a label twice": {
			`[{"labels":{"alertname":"First","alertname":"Last"}}]`, 200, ``, []model.LabelSet{named("Last")},
		},
		"times that are not set": {
			`[{"labels":{"alertname":"Zero"},"startsAt":"0001-01-01T00:00:00.000Z","endsAt":"0001-01-01T00:00:00.000Z"}]`, 200,
			``,
			[]model.LabelSet{named("Zero")},
		},
		"a hostile value": {
			`[{"labels":{"alertname":"<script>\u0000\n\"\\"}}]`, 200, ``, []model.LabelSet{named("<script>\x00\n\"\\")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Alerts()
			code, body, err := s.do(http.MethodPost, "/api/v2/alerts", c.body)
			require.NoError(t, err)
			assert.Equal(t, c.code, code, body)
			assert.Contains(t, body, c.says)
			fresh := map[string]model.LabelSet{}
			for fp, a := range s.Alerts() {
				if _, known := before[fp]; !known {
					fresh[fp] = a.Labels
				}
			}
			want := map[string]model.LabelSet{}
			for _, labels := range c.listed {
				want[labels.Fingerprint().String()] = labels
			}
			assert.Equal(t, want, fresh)
		})
	}
}

// TestBadBodies posts what is no body.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	s := startServer(t, amtoolConfig)
	post := func(contentType, encoding string, body []byte) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.address+"/api/v2/alerts", bytes.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", contentType)
		if encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}
		code, text, err := s.answer(req)
		require.NoError(t, err)
		return code, text
	}
	good := `[{"labels":{"alertname":"X"}}]`

	code, _ := post("text/plain", "", []byte(good))
	assert.Equal(t, http.StatusUnsupportedMediaType, code)

	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write([]byte(good))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	code, _ = post("application/json", "gzip", packed.Bytes())
	assert.Equal(t, http.StatusBadRequest, code, "bodies are not unpacked")

	const limit = 10 << 20
	blank := func(size int) []byte { return append([]byte(good), bytes.Repeat([]byte(" "), size-len(good))...) }
	code, text := post("application/json", "", blank(limit+1))
	assert.Equal(t, http.StatusRequestEntityTooLarge, code, text)
	assert.Contains(t, text, "10", "the limit is named")
	assert.Empty(t, s.Alerts())
	code, text = post("application/json", "", blank(limit))
	assert.Equal(t, http.StatusOK, code, text)
	assert.Len(t, s.Alerts(), 1)
}

// TestBadlyLargeAlerts posts alerts that are larger than any alert should be.
func TestBadlyLargeAlerts(t *testing.T) {
	t.Parallel()
	s := startServer(t, amtoolConfig)

	many := named("Many")
	for i := range 1000 {
		many[model.LabelName(fmt.Sprintf("l%d", i))] = "x"
	}
	huge := named("Huge")
	huge["l"] = model.LabelValue(strings.Repeat("x", 1<<20))
	for name, labels := range map[string]model.LabelSet{"too many labels": many, "too many bytes": huge} {
		err := s.push([]alert{firing(labels), firing(named("Beside " + name))})
		assert.ErrorContains(t, err, ": 400 ", name)
		assert.ErrorContains(t, err, "more than the limit", name)
	}
	var kept []string
	for _, a := range s.Alerts() {
		kept = append(kept, string(a.Labels[model.AlertNameLabel]))
	}
	assert.ElementsMatch(t, []string{"Beside too many labels", "Beside too many bytes"}, kept, "the valid rest")
}

// TestBadRequests asks for what is not there, and in words that mean nothing.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := startServer(t, amtoolConfig)
	now := time.Now().UTC()
	silence := func(fields ...string) string {
		text := fmt.Sprintf(`{"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"me","comment":"why"}`,
			now.Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339))
		return strings.NewReplacer(fields...).Replace(text)
	}
	const unknown = "00000000-0000-4000-8000-000000000000"
	for name, c := range map[string]struct {
		method, path, body string
		code               int
		says               string
	}{
		"a silence of nothing":     {"POST", "/api/v2/silences", silence(`{"name":"a","value":"b","isRegex":false}`, ``), 422, `612`},
		"a silence of nobody":      {"POST", "/api/v2/silences", silence(`"createdBy":"me",`, ``), 422, `602`},
		"a silence of everything":  {"POST", "/api/v2/silences", silence(`"value":"b","isRegex":false`, `"value":".*","isRegex":true`), 400, ``},
		"a silence of no regexp":   {"POST", "/api/v2/silences", silence(`"value":"b","isRegex":false`, `"value":"(","isRegex":true`), 400, ``},
		"a silence that is over":   {"POST", "/api/v2/silences", silence(now.Add(time.Hour).Format(time.RFC3339), now.Add(-time.Hour).Format(time.RFC3339)), 400, ``},
		"a silence that is not":    {"POST", "/api/v2/silences", silence(`{"matchers"`, `{"id":"`+unknown+`","matchers"`), 404, ``},
		"a broken silence":         {"POST", "/api/v2/silences", `{"matchers":`, 400, ``},
		"an ID that is none":       {"GET", "/api/v2/silence/x", ``, 422, `601`},
		"an unknown ID":            {"GET", "/api/v2/silence/" + unknown, ``, 404, ``},
		"the end of an unknown ID": {"DELETE", "/api/v2/silence/" + unknown, ``, 404, ``},
		"a filter that is none":    {"GET", "/api/v2/alerts?filter=%7B", ``, 400, `brace`},
		"no regexp in a filter":    {"GET", "/api/v2/alerts?filter=a%3D~%22(%22", ``, 400, `parsing regexp`},
		"no regexp of receivers":   {"GET", "/api/v2/alerts?receiver=(", ``, 400, ``},
		"a path that is not there": {"GET", "/api/v2/nothing", ``, 404, `"code":404`},
		"the API of old":           {"POST", "/api/v1/alerts", `[]`, 410, `deprecated`},
		"a reload by GET":          {"GET", "/-/reload", ``, 405, ``},
	} {
		t.Run(name, func(t *testing.T) {
			code, body, err := s.do(c.method, c.path, c.body)
			require.NoError(t, err)
			assert.Equal(t, c.code, code, body)
			assert.Contains(t, body, c.says)
		})
	}
	assert.Empty(t, s.Silences())
}
