package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cmd/internal/health"
	"github.com/tocsin/tocsin/discovery"
)

// A knownHealth is a Health that says what the test wants.
type knownHealth struct {
	source health.Source
	quiet  health.Quiet
}

func (k *knownHealth) Source() health.Source { return k.source }
func (k *knownHealth) Quiet() health.Quiet   { return k.quiet }

func (*knownHealth) Aliases() discovery.Aliases { return nil }

// noEngine is an engine of which a page about health needs only the sources.
type noEngine struct{ Engine }

func (noEngine) Sources() []alarm.SourceStatus { return nil }

func TestHealthPages(t *testing.T) {
	now := time.Now().UTC().Add(-time.Minute)
	store := cache.NewMemory(cache.MemoryOptions{})
	w, err := cache.NewWriter(store, cache.Options{})
	require.NoError(t, err)
	answer := func(namespace, service string, state discovery.State) discovery.Health {
		h := discovery.Health{Target: discovery.Target{Cluster: "eu&1", Namespace: namespace, Environment: namespace, Service: service}, At: now}
		h.State, h.Message, h.Format = state, `<script>alert("x")</script>`, discovery.Generic
		return h
	}
	_, err = w.Write(context.Background(), now, []discovery.Health{
		answer("shop", "cart", discovery.Fail), answer("shop", "orders", discovery.OK), answer("back", "cart", discovery.OK),
	})
	require.NoError(t, err)
	known := &knownHealth{}
	h, err := New(noEngine{}, Options{Health: known, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(t, err)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		assert.NotContains(t, w.Body.String(), "<script>alert", path)
		return w.Code, w.Body.String()
	}
	code, _ := get("/health")
	assert.Equal(t, http.StatusNotFound, code, "nothing is asked")

	known.source = cache.NewReader(cache.NewMemory(cache.MemoryOptions{}), cache.ReaderOptions{})
	code, body := get("/health")
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Contains(t, body, "asked for the first time")

	known.source = cache.NewReader(store, cache.ReaderOptions{})
	k := cache.Key{Cluster: "eu&1", Namespace: "shop"}
	known.quiet = health.Quiet{Since: map[cache.Key]time.Time{k: now}, Silenced: map[cache.Key]string{k: "id"}}
	for path, wants := range map[string][]string{
		"/health":              {`href="environment?cluster=eu%261&amp;namespace=shop"`, "cart", "silenced: nobody uses it", "1 fail"},
		"/environments":        {"shop", "back", "2, 1 fail"},
		"/environments?q=BACK": {"back"},
		"/environment?cluster=eu%261&namespace=shop": {"orders", "Nobody is told of this environment"},
		"/clusters":                     {"eu&amp;1", "2 active, 0 passive"},
		"/services":                     {`href="service?name=cart"`},
		"/service?name=cart":            {"shop", "back"},
		"/service?name=cart&state=warn": {"No environment that was chosen has it."},
	} {
		code, body := get(path)
		assert.Equal(t, http.StatusOK, code, path)
		for _, want := range wants {
			assert.Contains(t, body, want, path)
		}
	}
	_, body = get("/environments?q=BACK")
	assert.NotContains(t, body, "namespace=shop")
	for _, path := range []string{"/environment?cluster=no&namespace=where", "/service?name=none"} {
		code, _ := get(path)
		assert.Equal(t, http.StatusNotFound, code, path)
	}

	require.NoError(t, w.MarkStale(context.Background(), now))
	_, body = get("/health")
	assert.Contains(t, body, "What is shown is not up to date")
}
