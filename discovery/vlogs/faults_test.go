package vlogs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/vlogs/vlogstest"
)

// A transport answers requests without a socket.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}
}

func sent(t *testing.T, r *http.Request) string {
	d, err := zstd.NewReader(r.Body)
	require.NoError(t, err)
	defer d.Close()
	text, err := io.ReadAll(d)
	require.NoError(t, err)
	return string(text)
}

// What VictoriaLogs has no room or time for is sent again, later and later; what it calls broken is dropped,
// and what comes behind it is sent.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		script := []int{429, 503, 0, 400, 200}
		var last string
		client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			assert.Equal(t, "application/stream+json", r.Header.Get("Content-Type"))
			last = sent(t, r)
			at = append(at, time.Since(start))
			status := script[0]
			script = script[1:]
			if status == 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return answer(status, "remoteAddr: x; reason"), nil
		})}
		w, err := NewWriter("http://vl:9428", WriterOptions{Client: client, Receipt: -1})
		require.NoError(t, err)
		require.NoError(t, w.Write(t.Context(), cycle("first", now())))
		require.NoError(t, w.Write(t.Context(), cycle("second", now())))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		require.NoError(t, <-ended)
		require.Empty(t, script)
		assert.Contains(t, last, `"agent":"second"`)
		for i, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			waited := at[i+1] - at[i]
			assert.True(t, waited >= pause/2 && waited <= pause, "%d: %s", i, waited)
		}
		assert.Equal(t, at[3], at[4], "the next batch does not wait for one that is dropped")
		assert.InDelta(t, 1, testutil.ToFloat64(w.metrics.batches.WithLabelValues("rejected")), 0)
		assert.InDelta(t, 3, testutil.ToFloat64(w.metrics.batches.WithLabelValues("retried")), 0)
	})
}

// A 200 is no receipt.
func TestReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { return answer(200, ""), nil })}
		w, err := NewWriter("http://vl:9428", WriterOptions{Client: client})
		require.NoError(t, err)
		require.ErrorIs(t, w.Receipt(t.Context()), ErrNoReceipt)
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
		defer cancel()
		require.NoError(t, w.Run(ctx))
		assert.InDelta(t, 3, testutil.ToFloat64(w.metrics.receipts.WithLabelValues("missing")), 0)
	})
}

// The trap itself: with a form's content type a real VictoriaLogs says 200 and stores nothing.
func TestFormIsSwallowed(t *testing.T) {
	r := newRig(t, WriterOptions{Client: &http.Client{Transport: transport(func(req *http.Request) (*http.Response, error) {
		if req.URL.Path == "/insert/jsonline" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		return http.DefaultTransport.RoundTrip(req)
	})}})
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	r.write(cycle("a", now(), health("env-1", "a", now(), "{}")))
	assert.Empty(t, r.cycles())
}

// Out of time in the middle of an answer, VictoriaLogs closes the connection after a 200.
func TestCutAnswers(t *testing.T) {
	row := `{"kind":"cycle","cluster":"eu-1","agent":"a","row":"{\"cycle\":\"1\",\"services\":\"0\"}"}` + "\n"
	var mode atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch mode.Load() {
		case "cut":
			fmt.Fprint(w, row)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "half":
			fmt.Fprint(w, row+row[:20])
		case "long":
			fmt.Fprint(w, strings.Repeat(row, 1000))
		case "busy":
			http.Error(w, "remoteAddr: x; too many concurrent requests", http.StatusServiceUnavailable)
		case "garbage":
			fmt.Fprint(w, "<html>\n")
		default:
			fmt.Fprint(w, row)
		}
	}))
	defer srv.Close()
	r, err := NewReader(srv.URL, ReaderOptions{Bytes: 4000})
	require.NoError(t, err)
	defer r.CloseIdleConnections()
	ask := func(m string) error {
		mode.Store(m)
		cycles, err := r.Cycles(t.Context(), time.Now())
		if err != nil {
			assert.Empty(t, cycles)
		}
		return err
	}
	require.NoError(t, ask("well"))
	require.ErrorIs(t, ask("cut"), ErrCut)
	require.ErrorIs(t, ask("half"), ErrCut)
	require.ErrorIs(t, ask("long"), ErrCut)
	require.ErrorContains(t, ask("busy"), "too many concurrent requests")
	require.ErrorContains(t, ask("garbage"), "<html>")
}

// What was written while VictoriaLogs was away, by a process that was killed with -9, arrives.
func TestSpoolSurvivesKill(t *testing.T) {
	if dir := os.Getenv("VLOGS_TEST_SPOOL"); dir != "" {
		spoolAndWait(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSpoolSurvivesKill$")
	cmd.Env = append(os.Environ(), "VLOGS_TEST_SPOOL="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var text strings.Builder
	buf := make([]byte, 100)
	for !strings.Contains(text.String(), "written") {
		n, err := out.Read(buf)
		require.NoError(t, err)
		text.Write(buf[:n])
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	torn := filepath.Join(dir, "00000000000000ff.zst.new")
	require.NoError(t, os.WriteFile(torn, []byte("half a batch"), 0o600))

	s := vlogstest.Start(t)
	w, err := NewWriter(s.URL, WriterOptions{Spool: dir, Receipt: -1})
	require.NoError(t, err)
	assert.NoFileExists(t, torn)
	n, _ := w.Waiting()
	assert.Equal(t, 3, n)
	reader, err := NewReader(s.URL, ReaderOptions{})
	require.NoError(t, err)
	defer reader.CloseIdleConnections()
	defer w.client.CloseIdleConnections()
	r := &rig{w, reader, s, t}
	r.drain()
	cycles := r.cycles()
	require.Len(t, cycles, 1)
	require.Len(t, cycles[0].Results, 2)
	h := &cycles[0].Results[1]
	require.NoError(t, r.Documents(t.Context(), []*discovery.Health{h}))
	assert.JSONEq(t, `{"status":"UP","n":"2"}`, string(h.Raw))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// spoolAndWait is the process that is killed.
func spoolAndWait(t *testing.T, dir string) {
	w, err := NewWriter("http://127.0.0.1:1", WriterOptions{Spool: dir, Receipt: -1})
	require.NoError(t, err)
	go func() { _ = w.Run(t.Context()) }()
	at := now()
	for i := range 3 {
		a, b := health("env-1", "a", at, `{"status":"UP"}`), health("env-1", "b", at.Add(time.Duration(i)*time.Second), fmt.Sprintf(`{"status":"UP","n":"%d"}`, i))
		b.Hash[0] = byte(i)
		require.NoError(t, w.Document(t.Context(), b))
		require.NoError(t, w.Write(t.Context(), cycle("agent", at.Add(time.Duration(i)*time.Second), a, b)))
	}
	fmt.Println("written")
	select {}
}

// A full spool drops the oldest, and says how many.
func TestSpoolIsBounded(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		w, err := NewWriter("http://127.0.0.1:1", WriterOptions{Spool: dir, SpoolBytes: 3000})
		require.NoError(t, err)
		for i := range 50 {
			require.NoError(t, w.Write(t.Context(), cycle(fmt.Sprint("agent-", i), now())))
		}
		n, size := w.Waiting()
		assert.LessOrEqual(t, size, int64(3000))
		assert.Greater(t, size, int64(2000))
		assert.InDelta(t, 50-n, testutil.ToFloat64(w.metrics.batches.WithLabelValues("dropped")), 0)
		_, data, ok, err := w.spool.first()
		require.NoError(t, err)
		require.True(t, ok)
		d, err := zstd.NewReader(nil)
		require.NoError(t, err)
		text, err := d.DecodeAll(data, nil)
		d.Close()
		require.NoError(t, err)
		assert.Contains(t, string(text), fmt.Sprintf(`"agent":"agent-%d"`, 50-n), "the oldest that is left")
		if dir != "" {
			again, err := NewWriter("http://127.0.0.1:1", WriterOptions{Spool: dir, SpoolBytes: 3000})
			require.NoError(t, err)
			left, bytes := again.Waiting()
			assert.Equal(t, n, left)
			assert.Equal(t, size, bytes)
			require.NoError(t, again.Write(t.Context(), cycle("after", now())))
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			require.NoError(t, err)
			assert.NotEmpty(t, files)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, u := range []string{"", "vl:9428", "ftp://vl", "http://", "%"} {
		_, err := NewWriter(u, WriterOptions{})
		require.ErrorContains(t, err, "http://victorialogs:9428", u)
		_, err = NewReader(u, ReaderOptions{})
		require.ErrorContains(t, err, "http://victorialogs:9428", u)
	}
	_, err := NewWriter("http://vl", WriterOptions{MaxLine: 10})
	require.Error(t, err)
	_, err = NewReader("http://vl", ReaderOptions{Window: -1})
	require.Error(t, err)
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	_, err := NewWriter("http://vl:9428", WriterOptions{Registerer: registry})
	require.NoError(t, err)
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	assert.Empty(t, problems)
}
