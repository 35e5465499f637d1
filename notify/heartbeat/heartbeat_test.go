package heartbeat_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tocsin/tocsin/notify/heartbeat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDecide(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	bad := errors.New("bad")
	for _, tc := range []struct {
		name string
		beat heartbeat.Beat
		bad  error
		send bool
		next time.Duration
	}{
		{"the first", heartbeat.Beat{}, nil, true, time.Minute},
		{"the first, but bad", heartbeat.Beat{}, bad, false, 15 * time.Second},
		{"due", heartbeat.Beat{Sent: ago(time.Minute), Tried: ago(time.Minute)}, nil, true, time.Minute},
		{"due, but bad", heartbeat.Beat{Sent: ago(time.Minute), Tried: ago(time.Minute)}, bad, false, 15 * time.Second},
		{"not due", heartbeat.Beat{Sent: ago(50 * time.Second), Tried: ago(50 * time.Second)}, nil, false, 10 * time.Second},
		{"failed a moment ago", heartbeat.Beat{Sent: ago(time.Hour), Tried: ago(5 * time.Second)}, nil, false, 10 * time.Second},
		{"failed a while ago", heartbeat.Beat{Sent: ago(time.Hour), Tried: ago(15 * time.Second)}, nil, true, time.Minute},
		{"never succeeded", heartbeat.Beat{Tried: ago(15 * time.Second)}, nil, true, time.Minute},
		{"the clock was set back", heartbeat.Beat{Sent: now.Add(time.Hour), Tried: now.Add(time.Hour)}, nil, true, time.Minute},
	} {
		got := heartbeat.Decide(now, tc.beat, time.Minute, tc.bad)
		assert.Equal(t, heartbeat.Decision{Send: tc.send, Next: now.Add(tc.next)}, got, tc.name)
	}
}

func TestVitals(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	good := heartbeat.Vitals{Cycle: now.Add(-time.Minute), Sources: 2, Fresh: 1}
	for _, tc := range []struct {
		name   string
		change func(*heartbeat.Vitals)
		want   string
	}{
		{"one source of two is down", func(*heartbeat.Vitals) {}, ""},
		{"no sources are configured", func(v *heartbeat.Vitals) { v.Sources, v.Fresh = 0, 0 }, ""},
		{"all sources are down", func(v *heartbeat.Vitals) { v.Fresh = 0 }, "none of 2 sources is fresh"},
		{"it hangs", func(v *heartbeat.Vitals) { v.Cycle = now.Add(-4 * time.Minute) }, "the last cycle ended 4m0s ago"},
		{"it has just begun", func(v *heartbeat.Vitals) { v.Cycle = time.Time{} }, "no cycle was completed yet"},
		{"the disk is full", func(v *heartbeat.Vitals) { v.Stored = errors.New("disk full") }, "the store cannot be written: disk full"},
		{"one receiver of two is down", func(v *heartbeat.Vitals) {
			v.Waiting, v.Delivered = now.Add(-time.Hour), now.Add(-time.Minute)
		}, ""},
		{"the outbox stands still", func(v *heartbeat.Vitals) {
			v.Waiting, v.Delivered = now.Add(-11*time.Minute), now.Add(-time.Hour)
		}, "the outbox stands still for 11m0s"},
		{"a quiet night, then an alert", func(v *heartbeat.Vitals) {
			v.Waiting, v.Delivered = now.Add(-time.Second), now.Add(-9*time.Hour)
		}, ""},
	} {
		v := good
		tc.change(&v)
		err := v.Judge(now, heartbeat.Limits{})
		if tc.want == "" {
			assert.NoError(t, err, tc.name)
		} else {
			assert.EqualError(t, err, tc.want, tc.name)
		}
	}
}

// pings counts, and fails or hangs when told to.
type pings struct {
	mu   sync.Mutex
	at   []time.Time
	err  error
	hang bool
	bad  error // of the cycle
}

func (p *pings) Send(ctx context.Context) error {
	p.mu.Lock()
	p.at = append(p.at, time.Now())
	hang, err := p.hang, p.err
	p.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (p *pings) good() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bad
}

func (p *pings) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.at)
}

func (p *pings) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pings{}
		registry := prometheus.NewPedanticRegistry()
		l, err := heartbeat.New(p, p.good, heartbeat.Options{Registerer: registry})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		during := func(d time.Duration) int {
			t.Helper()
			synctest.Wait()
			before := p.count()
			time.Sleep(d)
			synctest.Wait()
			return p.count() - before
		}

		synctest.Wait()
		assert.Equal(t, 1, p.count(), "at once")
		assert.Equal(t, 10, during(10*time.Minute))
		p.set(func() { p.bad = errors.New("store") })
		assert.Equal(t, 0, during(10*time.Minute), "nothing while the cycle is bad")
		p.set(func() { p.bad = nil })
		assert.Equal(t, 1, during(16*time.Second), "at once when it is good again")
		p.set(func() { p.err = errors.New("503") })
		assert.Equal(t, 4, during(105*time.Second), "sooner after a failure")
		p.set(func() { p.err = nil })
		during(15 * time.Second)
		p.set(func() { p.hang = true })
		assert.GreaterOrEqual(t, during(2*time.Minute), 3, "a ping that hangs is cut off")
		p.set(func() { p.hang = false })
		problems, err := testutil.GatherAndLint(registry)
		require.NoError(t, err)
		assert.Empty(t, problems)
		cancel()
		require.NoError(t, <-done)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestURL(t *testing.T) {
	code, failing := 200, error(nil)
	var seen *http.Request
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		seen = r
		if failing != nil {
			return nil, failing
		}
		return &http.Response{StatusCode: code, Body: http.NoBody, Header: http.Header{"Location": {"/elsewhere"}}}, nil
	})}
	u, err := heartbeat.NewURL("https://hc.example/ping/s3cret", heartbeat.URLOptions{
		Method: http.MethodPost, Header: http.Header{"Authorization": {"Bearer x"}}, HTTPClient: client,
	})
	require.NoError(t, err)
	require.NoError(t, u.Send(t.Context()))
	assert.Equal(t, "Bearer x", seen.Header.Get("Authorization"))
	assert.Equal(t, http.MethodPost, seen.Method)
	code = 302
	assert.NoError(t, u.Send(t.Context()))
	code = 404
	assert.EqualError(t, u.Send(t.Context()), "ping: answered 404 Not Found")
	failing = errors.New("connection refused")
	err = u.Send(t.Context())
	assert.EqualError(t, err, "ping: connection refused")
	for _, bad := range []string{"", "hc.other/ping", "ftp://x/y", "http://\x7f"} {
		_, err := heartbeat.NewURL(bad, heartbeat.URLOptions{})
		require.Error(t, err, bad)
		if bad != "" {
			assert.NotContains(t, err.Error(), bad, "an address is a secret")
		}
	}
}
