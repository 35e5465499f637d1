package probe

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func say(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func target(service, url string) discovery.Target {
	return discovery.Target{Cluster: "eu", Namespace: "env", Service: service, URL: url}
}

func prober(t *testing.T, opts Options, targets ...discovery.Target) *Prober {
	p, err := New(func() []discovery.Target { return targets }, opts)
	require.NoError(t, err)
	t.Cleanup(p.client.CloseIdleConnections)
	return p
}

// once asks a single target.
func once(t *testing.T, opts Options, target discovery.Target) discovery.Health {
	c := prober(t, opts, target).Cycle(t.Context(), 0)
	require.Len(t, c.Results, 1)
	return c.Results[0]
}

// closed is an address at which nobody listens.
func closed(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func TestWhatGoesWrong(t *testing.T) {
	release := make(chan struct{})
	hanging := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	huge := serve(t, say(`{"status":"UP","x":"`+strings.Repeat("x", 2<<20)+`"}`))
	bomb := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(bytes.Repeat([]byte("0"), 4<<20))
		_ = z.Close()
	})
	cutOff := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"status"`))
	})
	secure := httptest.NewTLSServer(say(`{"status":"UP"}`))
	defer secure.Close()
	missing := serve(t, http.NotFound)
	for name, c := range map[string]struct {
		url   string
		state discovery.State
		why   discovery.Why
	}{
		"refused":          {"http://" + closed(t), discovery.Fail, discovery.WhyRefused},
		"hangs":            {hanging, discovery.Fail, discovery.WhyTimeout},
		"huge":             {huge, discovery.Fail, discovery.WhyTooLarge},
		"bomb":             {bomb, discovery.Fail, discovery.WhyTooLarge},
		"cut off":          {cutOff, discovery.Fail, discovery.WhyRefused},
		"bad certificate":  {secure.URL, discovery.Fail, discovery.WhyTLS},
		"TLS to plain":     {strings.Replace(missing, "http:", "https:", 1), discovery.Fail, discovery.WhyTLS},
		"no such path":     {missing, discovery.Unknown, discovery.WhyConfiguration},
		"not a URL":        {"http://[::1", discovery.Unknown, discovery.WhyConfiguration},
		"a scheme unknown": {"gopher://x", discovery.Fail, discovery.WhyTransport},
	} {
		t.Run(name, func(t *testing.T) {
			opts := Options{}
			if c.url == hanging {
				opts.Timeout = 100 * time.Millisecond
			}
			h := once(t, opts, target("a", c.url))
			assert.Equal(t, c.state, h.State)
			assert.Equal(t, c.why, h.Why, h.Message)
			assert.NotEmpty(t, h.Message)
		})
	}
}

func TestTLSAndHeaders(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer x" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		say(`{"status":"UP","info":{"role":"standby"}}`)(w, r)
	}))
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	opts := Options{TLS: &tls.Config{RootCAs: pool}, Activity: discovery.ActivityRule{Role: discovery.Clue{Label: "role", Pointer: "/info/role"}}}
	assert.Equal(t, discovery.WhyConfiguration, once(t, opts, target("a", srv.URL)).Why)
	opts.Header = http.Header{"authorization": {"Bearer x"}}
	h := once(t, opts, target("a", srv.URL))
	assert.Equal(t, discovery.OK, h.State)
	assert.Equal(t, discovery.Passive, h.Activity.Role)
	labelled := target("a", srv.URL)
	labelled.Labels = model.LabelSet{"role": "active"}
	assert.Equal(t, discovery.Active, once(t, opts, labelled).Activity.Role)
}

// A redirect to another host is somebody else's health.
func TestRedirects(t *testing.T) {
	elsewhere := strings.Replace(serve(t, say(`{"status":"UP"}`)), "127.0.0.1", "localhost", 1)
	var asked atomic.Int32
	here := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, elsewhere, http.StatusFound)
		case "/within":
			http.Redirect(w, r, "/health", http.StatusFound)
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		default:
			say(`{"status":"UP"}`)(w, r)
		}
	})
	assert.Equal(t, discovery.OK, once(t, Options{}, target("a", here+"/within")).State)
	h := once(t, Options{}, target("a", here+"/away"))
	assert.Equal(t, discovery.Unknown, h.State)
	assert.Equal(t, discovery.WhyConfiguration, h.Why)
	asked.Store(0)
	assert.Equal(t, discovery.Unknown, once(t, Options{}, target("a", here+"/circle")).State)
	assert.LessOrEqual(t, asked.Load(), int32(4))
}

// When our own network is gone, nothing is reported down.
func TestOwnNetworkGone(t *testing.T) {
	dead := closed(t)
	other := strings.Replace(dead, "127.0.0.1", "localhost", 1)
	live, err := url.Parse(serve(t, say("ok")))
	require.NoError(t, err)
	down := func(c discovery.Cycle) (n int) {
		for _, h := range c.Results {
			if h.State == discovery.Fail {
				n++
			}
		}
		return n
	}
	two := []discovery.Target{target("a", "http://"+dead), target("b", "http://"+other)}

	c := prober(t, Options{Anchors: []string{dead}}, two...).Cycle(t.Context(), 0)
	assert.True(t, c.Blind, "no anchor answers")
	assert.Zero(t, down(c))
	assert.Equal(t, discovery.WhyOwnNetwork, c.Results[0].Why)

	c = prober(t, Options{Anchors: []string{dead, live.Host}}, two...).Cycle(t.Context(), 0)
	assert.False(t, c.Blind, "one answers: it is them")
	assert.Equal(t, 2, down(c))

	c = prober(t, Options{}, two...).Cycle(t.Context(), 0)
	assert.True(t, c.Blind, "without anchors: nobody answers at two hosts")

	c = prober(t, Options{}, append(two, target("c", live.String()))...).Cycle(t.Context(), 0)
	assert.False(t, c.Blind, "one target answers")
	assert.Equal(t, 2, down(c))

	c = prober(t, Options{}, two[0]).Cycle(t.Context(), 0)
	assert.False(t, c.Blind, "a single host is no network")
	assert.False(t, prober(t, Options{}).Cycle(t.Context(), 0).Blind)
}

// The bounds hold, and a host that hangs does not delay the others.
func TestBounds(t *testing.T) {
	var mu sync.Mutex
	open, most := map[string]int{}, map[string]int{}
	release := make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		mu.Lock()
		for _, name := range []string{host, "all"} {
			open[name]++
			most[name] = max(most[name], open[name])
		}
		mu.Unlock()
		if host == "localhost" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		say("ok")(w, r)
		mu.Lock()
		open[host]--
		open["all"]--
		mu.Unlock()
	}
	fast := serve(t, handler)
	slow := strings.Replace(fast, "127.0.0.1", "localhost", 1)
	var targets []discovery.Target
	for i := range 100 {
		base := fast
		if i%2 == 0 {
			base = slow
		}
		targets = append(targets, target(string(rune('a'+i%26))+string(rune('a'+i/26)), base))
	}
	var early atomic.Int32
	p := prober(t, Options{Concurrency: 8, PerHost: 3, Timeout: 20 * time.Second, Result: func(_ context.Context, h discovery.Health) {
		if strings.HasPrefix(h.Target.URL, fast) && early.Add(1) == 50 {
			close(release) // all fast ones are done while the slow ones hang
		}
	}}, targets...)
	c := p.Cycle(t.Context(), 0)
	for _, h := range c.Results {
		require.Equal(t, discovery.OK, h.State, h.Message)
	}
	mu.Lock()
	defer mu.Unlock()
	assert.LessOrEqual(t, most["127.0.0.1"], 3)
	assert.LessOrEqual(t, most["localhost"], 3)
	assert.LessOrEqual(t, most["all"], 6)
	assert.Positive(t, most["localhost"])
}

// What there is no time for is unknown, not failed.
func TestNotAsked(t *testing.T) {
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	var targets []discovery.Target
	for i := range 6 {
		targets = append(targets, target(string(rune('a'+i)), slow))
	}
	c := prober(t, Options{Interval: 600 * time.Millisecond, Timeout: 250 * time.Millisecond, PerHost: 1}, targets...).Cycle(t.Context(), 0)
	states := map[discovery.State]int{}
	for _, h := range c.Results {
		states[h.State]++
	}
	assert.Equal(t, 6, states[discovery.Fail]+states[discovery.Unknown])
	assert.LessOrEqual(t, states[discovery.Fail], 2)
	assert.NotZero(t, states[discovery.Fail])
}

// A service that stops answering keeps its dependencies, and connections are kept alive.
func TestCarriedOverCycles(t *testing.T) {
	var broken atomic.Bool
	var connections atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		say(`{"status":"UP","components":{"db":{"status":"UP"}}}`)(w, r)
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	var raw []string
	registry := prometheus.NewPedanticRegistry()
	p := prober(t, Options{Registerer: registry, Agent: "a", Cluster: "eu", Result: func(_ context.Context, h discovery.Health) { raw = append(raw, string(h.Raw)) }},
		target("a", srv.URL))
	first := p.Cycle(t.Context(), 0)
	again := p.Cycle(t.Context(), 0)
	assert.Equal(t, first.Results[0].Report, again.Results[0].Report)
	broken.Store(true)
	c := p.Cycle(t.Context(), 0)
	assert.Equal(t, discovery.Fail, c.Results[0].State)
	require.Len(t, c.Results[0].Nodes, 1)
	assert.Equal(t, again.Results[0].At, c.Results[0].Stale)
	assert.Equal(t, int32(1), connections.Load())
	assert.Equal(t, []string{`{"status":"UP","components":{"db":{"status":"UP"}}}`, `{"status":"UP","components":{"db":{"status":"UP"}}}`, ""}, raw)
	assert.Nil(t, c.Results[0].Raw, "a cycle has no documents")
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	assert.Empty(t, problems)
}

// Of the cycles before the last one nothing is kept.
func TestCyclesAreForgotten(t *testing.T) {
	p := prober(t, Options{}, target("a", serve(t, say("ok"))), target("b", serve(t, say("ok"))))
	p.Cycle(t.Context(), 0)
	first := weak.Make(p.last[discovery.Key{Cluster: "eu", Namespace: "env", Service: "a"}])
	p.Cycle(t.Context(), 0)
	p.Cycle(t.Context(), 0)
	runtime.GC()
	assert.Nil(t, first.Value())
	runtime.KeepAlive(p)
}

// Run delivers whole cycles only, and nothing before the targets are known.
func TestRun(t *testing.T) {
	srv := serve(t, say("ok"))
	var known atomic.Bool
	p, err := New(func() []discovery.Target {
		if !known.Swap(true) {
			return nil
		}
		return []discovery.Target{target("b", srv), target("a", srv)}
	}, Options{Interval: 60 * time.Millisecond, Timeout: 20 * time.Millisecond, Agent: "x"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var cycles []discovery.Cycle
	require.NoError(t, p.Run(ctx, func(_ context.Context, c discovery.Cycle) {
		if cycles = append(cycles, c); len(cycles) == 3 {
			cancel()
		}
	}))
	require.Len(t, cycles, 3)
	for i, c := range cycles {
		require.Len(t, c.Results, 2)
		assert.Equal(t, "a", c.Results[0].Target.Service)
		if i > 0 {
			assert.True(t, c.At.After(cycles[i-1].At))
		}
	}
}

// A target has its own place in the cycle, and the places are spread evenly.
func TestOffsets(t *testing.T) {
	const n, spread = 4200, 20 * time.Second
	var buckets [10]int
	for i := range n {
		k := discovery.Key{Cluster: "c", Namespace: "env-" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)), Service: string(rune('a' + i/676))}
		o := offset(k, spread)
		assert.Equal(t, o, offset(k, spread))
		require.Less(t, o, spread)
		buckets[o*10/spread]++
	}
	for _, b := range buckets {
		assert.InDelta(t, n/10, b, n/40)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	targets := func() []discovery.Target { return nil }
	for name, opts := range map[string]Options{
		"timeout":  {Interval: time.Second, Timeout: time.Second},
		"negative": {Concurrency: -1},
		"anchor":   {Anchors: []string{"kubernetes"}},
	} {
		_, err := New(targets, opts)
		require.Error(t, err, name)
	}
	_, err := New(nil, Options{})
	require.Error(t, err)
}

// Through a proxy, names are the proxy's business; and if it is gone, nobody is said to be down.
func TestProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "http://cart.shop.svc:8080/health", r.URL.String())
		_, _ = w.Write([]byte("UP"))
	}))
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	p := prober(t, Options{Proxy: u}, target("cart", "http://cart.shop.svc:8080/health"))
	assert.Equal(t, discovery.OK, p.Cycle(t.Context(), 0).Results[0].State)
	proxy.Close()
	c := p.Cycle(t.Context(), 0)
	assert.True(t, c.Blind)
	assert.Equal(t, discovery.WhyOwnNetwork, c.Results[0].Why)
}
