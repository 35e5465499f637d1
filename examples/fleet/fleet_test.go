package fleet

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// The parser agrees with the fleet about every service, in every format.
func TestDocumentsSayWhatTheyMean(t *testing.T) {
	f := New(Options{Environments: 60, Largest: 40 << 10})
	formats := map[discovery.Format]int{}
	failing := 0
	for _, target := range f.Targets("http://fleet") {
		code, contentType, body := f.Document(target.Namespace, target.Service, noon)
		r := discovery.Parse(discovery.Answer{Status: code, ContentType: contentType, Body: body})
		formats[r.Format]++
		want := discovery.OK
		if f.Fails(target.Namespace, target.Service, noon) {
			want = discovery.Fail
			failing++
		}
		require.Equal(t, want, r.State, "%s: %s", target.Key(), body)
		assert.False(t, r.Contradicts)
		assert.False(t, r.Truncated)
		assert.LessOrEqual(t, len(body), 41<<10)
	}
	for _, format := range []discovery.Format{discovery.ASPNet, discovery.Spring3, discovery.MicroProfile, discovery.HealthJSON, discovery.HealthGo, discovery.Text} {
		assert.NotZero(t, formats[format], format)
	}
	assert.NotZero(t, failing)
	assert.Less(t, failing, 720/10)
}

// The same seed at the same instant gives the same bytes; half a minute later the bytes differ, and what
// they say does not.
func TestDeterministic(t *testing.T) {
	a, b := New(Options{Seed: 7, Calm: true}), New(Options{Seed: 7, Calm: true})
	service := a.Services()[0]
	parse := func(f *Fleet, at time.Time) ([]byte, discovery.Report) {
		code, contentType, body := f.Document("env-0001", service, at)
		return body, discovery.Parse(discovery.Answer{Status: code, ContentType: contentType, Body: body})
	}
	one, _ := parse(a, noon)
	two, report := parse(b, noon)
	assert.Equal(t, one, two)
	assert.InDelta(t, 170<<10, len(one), 4<<10)
	later, same := parse(a, noon.Add(30*time.Second))
	assert.NotEqual(t, one, later)
	assert.Equal(t, report.Hash, same.Hash)
	assert.Greater(t, len(report.Nodes), 100)
	other, _ := parse(New(Options{Seed: 8, Calm: true}), noon)
	assert.NotEqual(t, one, other)
}

func TestServe(t *testing.T) {
	f := New(Options{Environments: 2, Services: 15, Calm: true, Clock: func() time.Time { return noon }})
	srv := httptest.NewServer(f)
	defer srv.Close()
	get := func(path string) int {
		resp, err := http.Get(srv.URL + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	targets := f.Targets(srv.URL)
	assert.Len(t, targets, 30)
	assert.Equal(t, 200, get("/env-0001/orders/health"))
	f.Fail("env-0001", "orders", true)
	assert.Equal(t, 503, get("/env-0001/orders/health"))
	f.Fail("env-0001", "orders", false)
	f.Fail("env-0001", "", true)
	assert.Equal(t, 503, get("/env-0001/billing/health"))
	assert.Equal(t, 404, get("/env-0009/orders/health"))
	f.Add("env-0009")
	assert.Equal(t, 200, get("/env-0009/orders/health"))
	f.Remove("env-0009")
	assert.Equal(t, 404, get("/env-0009/orders/health"))
}

// As a proxy it answers for the names of a cluster, and another process has services fail.
func TestServeAsProxy(t *testing.T) {
	f := New(Options{Environments: 2, Calm: true})
	srv, control := httptest.NewServer(f), httptest.NewServer(f.Control())
	defer srv.Close()
	defer control.Close()
	u, err := url.Parse(srv.URL)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(u)}}
	defer client.CloseIdleConnections()
	ask := func(method, url string) int {
		r, err := http.NewRequest(method, url, nil)
		require.NoError(t, err)
		c := client
		if method != http.MethodGet {
			c = http.DefaultClient
		}
		resp, err := c.Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode
	}
	get := func(service, namespace string) int {
		return ask(http.MethodGet, "http://"+service+"."+namespace+".svc:8080/health")
	}
	assert.Equal(t, 200, get("orders", "env-0001"))
	assert.Equal(t, 404, get("orders", "env-0009"))
	assert.Equal(t, 204, ask(http.MethodPut, control.URL+"/-/failing/env-0001/orders"))
	assert.Equal(t, 204, ask(http.MethodPut, control.URL+"/-/failing/env-0000/"))
	assert.Equal(t, 204, ask(http.MethodPut, control.URL+"/-/environments/env-0009"))
	assert.Equal(t, 503, get("orders", "env-0001"))
	assert.Equal(t, 503, get("basket", "env-0000"))
	assert.Equal(t, 200, get("orders", "env-0009"))
	assert.Equal(t, 204, ask(http.MethodDelete, control.URL+"/-/failing/env-0001/orders"))
	assert.Equal(t, 204, ask(http.MethodDelete, control.URL+"/-/environments/env-0009"))
	assert.Equal(t, 200, get("orders", "env-0001"))
	assert.Equal(t, 404, get("orders", "env-0009"))
}
