package source

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// asked is when the servers in these tests answer, by their own clock.
var asked = time.Date(2026, 11, 21, 10, 56, 42, 0, time.UTC)

// A fake answers over a real connection whatever a test wants.
type fake struct {
	*httptest.Server

	mu     sync.Mutex
	answer http.HandlerFunc
	seen   []*http.Request
}

func newFake(t *testing.T, answer http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{answer: answer}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		answer := f.answer
		f.seen = append(f.seen, r)
		f.mu.Unlock()
		w.Header().Set("Date", asked.Format(http.TimeFormat))
		answer(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) will(answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fake) with(userinfo, path string) string {
	return strings.Replace(f.URL, "http://", "http://"+userinfo, 1) + path
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

func fails(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func golden(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(b)
}

// options are those of a test, whose log can be read.
func options(t *testing.T) (PullOptions, *bytes.Buffer) {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	var log bytes.Buffer
	handler := slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	return PullOptions{Client: &http.Client{Transport: transport}, Logger: slog.New(handler)}, &log
}

func newTestRules(t *testing.T, kind Kind, urls ...string) *Rules {
	t.Helper()
	o, _ := options(t)
	r, err := NewRules("test", kind, urls, o)
	require.NoError(t, err)
	return r
}

func read(t *testing.T, s alarm.Source) alarm.Snapshot {
	t.Helper()
	got, err := s.Alerts(t.Context())
	require.NoError(t, err)
	return got
}

// told prints a snapshot, one line for each alert and each unknown.
func told(s alarm.Snapshot) []string {
	lines := []string{}
	for _, a := range s.Alerts {
		lines = append(lines, fmt.Sprintf("%s %s %s", a.State, a.Labels, a.StartsAt.Format("15:04:05")))
	}
	for _, ms := range s.Unknowns {
		lines = append(lines, "unknown "+ms.String())
	}
	return lines
}

func TestNewRefuses(t *testing.T) {
	tests := map[string]struct {
		name string
		kind Kind
		urls []string
		o    PullOptions
		want string
	}{
		"no name":       {"", VMAlert, []string{"http://x"}, PullOptions{}, "rules: a source needs a name"},
		"no kind":       {"a", "", []string{"http://x"}, PullOptions{}, `rules: the kind "" is neither vmalert nor prometheus`},
		"no address":    {"a", VMAlert, nil, PullOptions{}, "rules: a source needs an address"},
		"no URL":        {"a", VMAlert, []string{"vmalert:8880"}, PullOptions{}, "rules: an address is not of the form http://host:port/path"},
		"broken secret": {"a", VMAlert, []string{"http://u:secret@[x"}, PullOptions{}, "rules: an address is not of the form http://host:port/path"},
		"twice":         {"a", VMAlert, []string{"http://u:secret@x", "http://x"}, PullOptions{}, "rules: the address http://x is there twice"},
		"time-out":      {"a", VMAlert, []string{"http://x"}, PullOptions{Timeout: -1}, "rules: a limit is less than nothing"},
		"label":         {"a", VMAlert, []string{"http://x"}, PullOptions{Labels: labelSet(map[string]string{"": "x"})}, `rules: invalid label set: invalid name ""`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := NewRules(tt.name, tt.kind, tt.urls, tt.o)
			assert.EqualError(t, err, tt.want)
		})
	}
	_, err := NewAlertmanager("a", nil, PullOptions{})
	assert.EqualError(t, err, "alertmanager: a source needs an address")
}

// Whatever a server answers but the truth is an error that says what is wrong, and never a snapshot.
func TestBadAnswers(t *testing.T) {
	good := golden(t, "vmalert-old.json")
	endless := func(open string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, open)
			for line := strings.Repeat("x", 1<<16); ; {
				if _, err := io.WriteString(w, line); err != nil {
					return
				}
			}
		}
	}
	wrap := func(alert string) http.HandlerFunc {
		return says(`{"status":"success","data":{"groups":[{"name":"g","rules":[{"name":"X","alerts":[` + alert + `]}]}]}}`)
	}
	tests := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"500":            {fails(500, "boom"), `status 500; it begins "boom"`},
		"401":            {fails(401, ""), `status 401; it is empty`},
		"302 to nowhere": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) }, `status 302; it is empty`},
		"HTML":           {says("<html><body>login</body></html>"), `status 200: unexpected character '<'; it begins "<html><body>login`},
		"half a body":    {says(good[:len(good)/2]), `it ends in the middle; it begins "{\"status\":\"success\"`},
		"a broken transfer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9999")
			io.WriteString(w, good)
		}, `unexpected EOF`},
		"nothing":           {says(""), `status 200: it ends in the middle; it is empty`},
		"no rules":          {says(`{"status":"success","data":{"groups":[]}}`), `it lists no rules at all`},
		"no data":           {says(`{"status":"success"}`), `it lists no rules at all`},
		"null":              {says(`null`), `it ends in the middle; it begins "null"`},
		"an empty object":   {says(`{}`), `it has no status`},
		"a list":            {says(`[]`), `unexpected character '['`},
		"an error with 200": {says(`{"status":"error","errorType":"bad_data","error":"no such thing"}`), `it says "error", "bad_data": "no such thing"`},
		"a part":            {says(`{"status":"success","data":{"groups":[{}]},"warnings":["store x is away"]}`), `it is only a part of the truth: "store x is away"`},
		"a page":            {says(`{"status":"success","data":{"groups":[{}],"groupNextToken":"x"}}`), `it is only a part of the truth: more groups`},
		"trailing rubbish":  {says(good + `{}`), `unexpected character '{'`},
		"an endless body":   {endless(`{"status":"success","junk":"`), `a value of more than 8 MiB`},
		"endless space":     {endless(strings.Repeat(" ", 16<<20)), `the answer is longer than allowed`},
		"a wrong type":      {says(`{"status":"success","data":{"groups":[{"interval":"x"}]}}`), `data: groups: interval: json: cannot unmarshal string`},
		"a huge number":     {says(`{"status":"success","data":{"groups":[{"interval":1e999}]}}`), `interval: json: cannot unmarshal number 1e999`},
		"NaN":               {says(`{"status":"success","data":{"groups":[{"interval":NaN}]}}`), `unexpected character 'N'`},
		"labels as a list":  {wrap(`{"labels":["a"],"state":"firing"}`), `alerts: an alert is not of the expected form: "labels"`},
		"labels nested":     {wrap(`{"labels":{"a":{"b":"c"}},"state":"firing"}`), `alerts: an alert is not of the expected form: "labels"`},
		"a number as label": {wrap(`{"labels":{"a":1},"state":"firing"}`), `alerts: an alert is not of the expected form: labels`},
		"a bad time":        {wrap(`{"labels":{"alertname":"X"},"state":"firing","activeAt":"yesterday"}`), `"activeAt" is "yesterday"`},
		"an alert as text":  {wrap(`"firing"`), `an alert is not of the expected form`},
		"bad evaluation":    {says(`{"status":"success","data":{"groups":[{"rules":[{"lastEvaluation":"x"}]}]}}`), `lastEvaluation: parsing time`},
		"an echo of secrets": {
			fails(400, `remoteAddr: "127.0.0.1"; requestURI: /api/v1/rules?authKey=t0p%2Fsecret; user:hunter2`),
			`status 400; it begins "remoteAddr: \"127.0.0.1\"; requestURI: /api/v1/rules?authKey=<secret>; user:<secret>"`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, tt.answer)
			o, log := options(t)
			o.MaxBody = 12 << 20
			r, err := NewRules("gen2", VMAlert, []string{f.with("user:hunter2@", "?authKey=t0p/secret")}, o)
			require.NoError(t, err)
			got, err := r.Alerts(t.Context())
			require.Error(t, err)
			assert.ErrorContains(t, err, "source gen2: "+f.URL+"/api/v1/rules: ")
			assert.ErrorContains(t, err, tt.want)
			assert.Equal(t, alarm.Snapshot{}, got)
			for _, secret := range []string{"hunter2", "t0p"} {
				assert.NotContains(t, err.Error()+log.String(), secret)
			}
			assert.Less(t, len(err.Error()), 1000)
		})
	}
}

func TestUnreachable(t *testing.T) {
	f := newFake(t, says(""))
	url := f.with("user:hunter2@", "/prefix/?authKey=secret")
	f.Close()
	_, err := newTestRules(t, VMAlert, url).Alerts(t.Context())
	require.ErrorContains(t, err, "/prefix/api/v1/rules: dial tcp ")
	assert.ErrorContains(t, err, "connection refused")
	assert.NotContains(t, err.Error(), "secret")
	assert.NotContains(t, err.Error(), "hunter2")
}

// A transport answers without a network.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// A server that hangs does not keep the answer of the other.
func TestTimeout(t *testing.T) {
	good := golden(t, "vmalert-old.json")
	synctest.Test(t, func(t *testing.T) {
		o, log := options(t)
		o.Client = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			body := io.NopCloser(strings.NewReader(good))
			if r.URL.Host == "hangs" {
				body = io.NopCloser(io.MultiReader(strings.NewReader(`{"status":"suc`), hanging{r.Context().Done(), r.Context().Err}))
			}
			return &http.Response{StatusCode: 200, Header: http.Header{"Date": {asked.Format(http.TimeFormat)}}, Body: body}, nil
		})}
		r, err := NewRules("gen2", VMAlert, []string{"http://hangs"}, o)
		require.NoError(t, err)
		began := time.Now()
		_, err = r.Alerts(t.Context())
		assert.Equal(t, 10*time.Second, time.Since(began))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, `context deadline exceeded; it begins "{\"status\":\"suc"`)

		r, err = NewRules("gen2", VMAlert, []string{"http://hangs", "http://good"}, o)
		require.NoError(t, err)
		assert.Len(t, read(t, r).Alerts, 3)
		assert.Contains(t, log.String(), "level=WARN msg=\"one of the servers of a source does not answer well\" source=gen2")
	})
}

// hanging is a body of which no more arrives.
type hanging struct {
	done <-chan struct{}
	err  func() error
}

func (h hanging) Read([]byte) (int, error) {
	<-h.done
	return 0, h.err()
}
