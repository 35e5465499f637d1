package apiv2_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/apiv2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStatus(t *testing.T) {
	started := time.Date(2026, 11, 21, 7, 0, 0, 123_999_999, time.UTC)
	f := newFake(t)
	off := newAPI(t, f, apiv2.Options{Started: started})
	assert.Equal(t, `{"cluster":{"peers":[],"status":"disabled"},"config":{"original":""},"uptime":"2026-11-21T07:00:00.123Z",`+
		`"versionInfo":{"branch":"","buildDate":"","buildUser":"","goVersion":"","revision":"","version":""}}`+"\n",
		do(off, "GET", "/api/v2/status", "", "").Body.String())

	on := newAPI(t, f, apiv2.Options{
		Prefix: "/am/", Started: started,
		Config:  func() string { return "route: <secret>" },
		Version: apiv2.Version{Branch: "b", BuildDate: "d", BuildUser: "u", GoVersion: "g", Revision: "r", Version: "1.2.3"},
		Cluster: &apiv2.Cluster{Name: "one", Peers: []apiv2.Peer{{Address: "10.0.0.1:9094", Name: "one"}}},
	})
	assert.Equal(t, `{"cluster":{"name":"one","peers":[{"address":"10.0.0.1:9094","name":"one"}],"status":"ready"},`+
		`"config":{"original":"route: <secret>"},"uptime":"2026-11-21T07:00:00.123Z",`+
		`"versionInfo":{"branch":"b","buildDate":"d","buildUser":"u","goVersion":"g","revision":"r","version":"1.2.3"}}`+"\n",
		do(on, "GET", "/am/api/v2/status", "", "").Body.String())
	assert.Equal(t, `{"code":404,"message":"path /api/v2/foo was not found"}`, do(on, "GET", "/am/api/v2/foo", "", "").Body.String())
	assert.Equal(t, http.StatusNotFound, do(on, "GET", "/api/v2/status", "", "").Code)
}

func TestErrorsOfTheEngine(t *testing.T) {
	const silence = `{"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"2000-01-01T00:00:00Z","endsAt":"2999-01-01T00:00:00Z","createdBy":"","comment":""}`
	tests := []struct {
		err    error
		status int
		retry  string
	}{
		{fmt.Errorf("%w: disk full", alarm.ErrNotStored), 503, "5"},
		{alarm.ErrStopped, 503, "5"},
		{errors.New("something else"), 500, ""},
	}
	for _, tt := range tests {
		t.Run(tt.err.Error(), func(t *testing.T) {
			f := newFake(t)
			f.err = tt.err
			a := newAPI(t, f, apiv2.Options{})
			for _, w := range []*httptest.ResponseRecorder{
				do(a, "POST", "/api/v2/alerts", js, `[{"labels":{"a":"b"}},{"labels":{}}]`),
				do(a, "POST", "/api/v2/silences", js, silence),
				do(a, "GET", "/api/v2/alerts", "", ""),
				do(a, "GET", "/api/v2/alerts/groups", "", ""),
				do(a, "GET", "/api/v2/silences", "", ""),
			} {
				assert.Equal(t, tt.status, w.Code)
				assert.Equal(t, tt.retry, w.Header().Get("Retry-After"))
				assert.Contains(t, w.Body.String(), tt.err.Error())
			}
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	a := newAPI(t, newFake(t), apiv2.Options{MaxBodyBytes: 100})
	for _, path := range []string{"/api/v2/alerts", "/api/v2/silences"} {
		w := do(a, "POST", path, js, `[{"labels":{"a":"`+strings.Repeat("b", 100)+`"}}]`)
		assert.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
		assert.Equal(t, `{"code":413,"message":"the body is larger than the limit of 100 bytes"}`, w.Body.String())
	}
}

// Alertmanager panics at these.
func TestNullsAreRefused(t *testing.T) {
	a := newAPI(t, newFake(t), apiv2.Options{})
	w := do(a, "POST", "/api/v2/alerts", js, `[null]`)
	assert.Equal(t, 422, w.Code)
	assert.Equal(t, `{"code":602,"message":"0.labels in body is required"}`, w.Body.String())
	w = do(a, "POST", "/api/v2/silences", js, `{"matchers":[null],`+from+`,`+who+`}`)
	assert.Equal(t, 422, w.Code)
	assert.Equal(t, `{"code":602,"message":"matchers.0 in body is required"}`, w.Body.String())
}

func TestWhatAlertmanagerDoesNotHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		a := newAPI(t, f, apiv2.Options{})
		f.alerts[1] = &alarm.Alert{Labels: model.LabelSet{"alertname": "P"}, State: alarm.Pending, EndsAt: time.Now().Add(time.Hour)}
		assert.Contains(t, do(a, "GET", "/api/v2/alerts", "", "").Body.String(), `"state":"unprocessed"`)
		assert.Equal(t, "[]\n", do(a, "GET", "/api/v2/alerts?unprocessed=false", "", "").Body.String())

		r := open{f, []alarm.Reading{{
			Alert:   &alarm.Alert{Labels: model.LabelSet{"alertname": "Pulled"}},
			Verdict: &alarm.Verdict{Suppressions: []alarm.Suppression{{Reason: "flood", By: "x"}}},
		}}}
		a, err := apiv2.New(r, pushNothing{}, f, apiv2.Options{})
		require.NoError(t, err)
		body := do(a, "GET", "/api/v2/alerts", "", "").Body.String()
		assert.Contains(t, body, `"endsAt":"2000-01-01T00:05:00.000Z"`)
		assert.Contains(t, body, `"status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"suppressed"}`)
		assert.Equal(t, "[]\n", do(a, "GET", "/api/v2/receivers?receiver_matchers=a%3Db", "", "").Body.String())
	})
}

func TestConcurrentReadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		f := newFake(t)
		a := newAPI(t, f, apiv2.Options{Concurrency: 2, Registerer: registry})
		f.gate = make(chan struct{})
		done := make(chan int, 2)
		for range 2 {
			go func() { done <- do(a, "GET", "/api/v2/alerts", "", "").Code }()
		}
		time.Sleep(time.Second)
		w := do(a, "GET", "/api/v2/status", "", "")
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Equal(t, "Limit of concurrent GET requests reached (2), try again later.\n\n", w.Body.String())
		assert.Equal(t, http.StatusOK, do(a, "POST", "/api/v2/alerts", js, "[]").Code, "writes are not bounded")
		assert.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP alertmanager_http_concurrency_limit_exceeded_total Total number of times an HTTP request failed because the concurrency limit was reached.
# TYPE alertmanager_http_concurrency_limit_exceeded_total counter
alertmanager_http_concurrency_limit_exceeded_total{method="get"} 1
# HELP alertmanager_http_requests_in_flight Current number of HTTP requests being processed.
# TYPE alertmanager_http_requests_in_flight gauge
alertmanager_http_requests_in_flight{method="get"} 2
`)))
		close(f.gate)
		assert.Equal(t, []int{200, 200}, []int{<-done, <-done})
		problems, err := testutil.GatherAndLint(registry)
		require.NoError(t, err)
		assert.Empty(t, problems)
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		a := newAPI(t, f, apiv2.Options{Timeout: time.Second})
		f.gate = make(chan struct{})
		w := do(a, "GET", "/api/v2/alerts", "", "")
		close(f.gate)
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Equal(t, "Exceeded configured timeout of 1s.\n", w.Body.String())
		synctest.Wait()
	})
}

func TestDurationsHaveBoundedHandlers(t *testing.T) {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "alertmanager_http_request_duration_seconds", Help: "Latencies."},
		[]string{"handler", "method", "code"})
	a := newAPI(t, newFake(t), apiv2.Options{Prefix: "/am", RequestDuration: seconds})
	do(a, "GET", "/am/api/v2/silence/1", "", "")
	do(a, "GET", "/am/api/v2/silence/2", "", "")
	do(a, "GET", "/am/api/v2/what", "", "")
	do(a, "GET", "/elsewhere", "", "")
	assert.Equal(t, 2, testutil.CollectAndCount(seconds))
}

func TestCORS(t *testing.T) {
	f := newFake(t)
	ask := func(a http.Handler, origin string) string {
		r := httptest.NewRequest("GET", "/api/v2/status", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		assert.Equal(t, 200, w.Code)
		return w.Header().Get("Access-Control-Allow-Origin")
	}
	assert.Empty(t, ask(newAPI(t, f, apiv2.Options{}), "https://a.example"))
	a := newAPI(t, f, apiv2.Options{CORSOrigin: `https://a\.example|https://b\.example`})
	assert.Equal(t, "https://a.example", ask(a, "https://a.example"))
	assert.Empty(t, ask(a, "https://a.example.org"))
	assert.Empty(t, ask(a, "https://b.example.org"))
}

func TestAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tw := newTwin(t)
		defer tw.stop()
		a := newAPI(t, newFake(t), apiv2.Options{})
		for _, accept := range []string{"*/*", "application/*", "text/html", "text/html, application/json;q=0.5", "application/json;q=0", "text/html,*/*;q=0.8", "TEXT/*"} {
			var got [2]answer
			for i, h := range []http.Handler{tw, a} {
				r := httptest.NewRequest("GET", "/api/v2/silences", nil)
				r.Header.Set("Accept", accept)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				got[i] = answerOf(w, nil)
			}
			assert.Equal(t, got[0], got[1], accept)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	f := newFake(t)
	_, err := apiv2.New(nil, pushNothing{}, f, apiv2.Options{})
	assert.ErrorContains(t, err, "an engine")
	_, err = apiv2.New(f, pushNothing{}, f, apiv2.Options{CORSOrigin: "("})
	assert.ErrorContains(t, err, "origin")
	r := prometheus.NewRegistry()
	_, err = apiv2.New(f, pushNothing{}, f, apiv2.Options{Registerer: r})
	require.NoError(t, err)
	_, err = apiv2.New(f, pushNothing{}, f, apiv2.Options{Registerer: r})
	assert.ErrorContains(t, err, "register metrics")
}

// FuzzTwin posts the same bytes to both.
func FuzzTwin(f *testing.F) {
	for _, s := range steps {
		if s.method == "POST" && s.contentType == js {
			f.Add(strings.HasSuffix(s.target, "silences"), []byte(s.body))
		}
	}
	tw := newTwin(f)
	f.Cleanup(tw.stop)
	ours := newAPI(f, newFake(f), apiv2.Options{})
	f.Fuzz(func(t *testing.T, silence bool, body []byte) {
		target := "/api/v2/alerts"
		if silence {
			target = "/api/v2/silences"
		}
		mine := do(ours, "POST", target, js, string(body))
		defer func() {
			if recover() != nil {
				assert.Equal(t, 422, mine.Code, "Alertmanager panics")
			}
		}()
		theirs := do(tw, "POST", target, js, string(body))
		assert.Equal(t, theirs.Code, mine.Code, "%s", mine.Body)
		if !silence {
			assert.Equal(t, answerOf(theirs, nil), answerOf(mine, nil))
		}
	})
}
