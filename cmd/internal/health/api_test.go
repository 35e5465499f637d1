package health

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/examples/fleet"
)

// filled is a cache in this process with what a fleet answers at an instant, and the API over it.
type filled struct {
	writer  *cache.Writer
	reader  *cache.Reader
	api     *API
	mux     *http.ServeMux
	quiet   Quiet
	aliases discovery.Aliases
	now     time.Time
}

func newFilled(t testing.TB, environments int) *filled {
	t.Helper()
	store := cache.NewMemory(cache.MemoryOptions{})
	w, err := cache.NewWriter(store, cache.Options{})
	require.NoError(t, err)
	f := &filled{writer: w, mux: http.NewServeMux(), now: time.Now().UTC()}
	f.api = New(Options{Source: func() Source { return f.reader }, Quiet: func() Quiet { return f.quiet }, Aliases: func() discovery.Aliases { return f.aliases }})
	f.reader = cache.NewReader(store, cache.ReaderOptions{Prepare: f.api.Prepare})
	for pattern, h := range f.api.Handlers() {
		method, path := pattern[:3], pattern[4:]
		f.mux.Handle(method+" /api/v1/"+path, h)
	}
	f.Write(t, fleet.New(fleet.Options{Environments: environments, Calm: true, Largest: 20 << 10}))
	return f
}

// Write publishes what the services of a fleet answer.
func (f *filled) Write(t testing.TB, from *fleet.Fleet) {
	t.Helper()
	var results []discovery.Health
	for _, target := range from.Targets("http://fleet") {
		code, contentType, body := from.Document(target.Namespace, target.Service, f.now)
		h := discovery.Health{Target: target, At: f.now, Latency: time.Millisecond, Activity: target.Activity, Raw: body, ContentType: contentType}
		h.Report = discovery.Parse(discovery.Answer{Status: code, ContentType: contentType, Body: body, At: f.now})
		results = append(results, h)
	}
	_, err := f.writer.Write(context.Background(), f.now, results)
	require.NoError(t, err)
}

func (f *filled) get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/api/v1/health/"+path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.mux.ServeHTTP(w, r)
	return w
}

func data[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	var a struct {
		Version string
		At      time.Time
		Stale   json.RawMessage
		Data    T
	}
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a), w.Body)
	assert.NotEmpty(t, a.Version)
	assert.False(t, a.At.IsZero())
	assert.NotEmpty(t, a.Stale, "each answer says how old it is")
	return a.Data
}

func TestAPI(t *testing.T) {
	f := newFilled(t, 5)
	town := fleet.New(fleet.Options{Environments: 5, Calm: true, Largest: 20 << 10})
	town.Fail("env-0002", "orders", true)
	f.now = f.now.Add(time.Second)
	f.Write(t, town)

	assert.Equal(t, 1, data[cache.Summary](t, f.get("summary")).Fail)
	failing := data[[]FailingService](t, f.get("failing"))
	require.Len(t, failing, 1)
	k := failing[0].Key
	assert.Equal(t, cache.FailingService{
		Key: k, Environment: "env-0002", Activity: failing[0].Activity, Service: "orders", State: discovery.Fail,
		Message: failing[0].Message, FirstSeen: f.now, FailCount: 1,
	}, failing[0].FailingService)

	f.quiet = Quiet{Generation: 1, Since: map[cache.Key]time.Time{k: f.now}, Silenced: map[cache.Key]string{k: "abc"}}
	e := data[Panel](t, f.get("environments/"+k.Cluster+"/"+k.Namespace))
	assert.Equal(t, "abc", e.Silence, "it shows why nobody is told, at once")
	assert.Len(t, e.Services, 12)
	assert.Equal(t, []string{"orders"}, e.Failing)

	assert.Len(t, data[[]Environment](t, f.get("environments")), 5)
	assert.Len(t, data[[]Environment](t, f.get("environments?state=fail")), 1)
	clusters := data[[]Cluster](t, f.get("clusters"))
	at := slices.IndexFunc(clusters, func(c Cluster) bool { return c.Cluster == k.Cluster })
	assert.Equal(t, discovery.Fail, clusters[at].State)
	assert.Len(t, data[[]Service](t, f.get("services")), 12)
	assert.Len(t, data[[]Instance](t, f.get("services/orders")), 5)
	assert.Len(t, data[[]Instance](t, f.get("services/orders?state=fail")), 1)
	assert.Equal(t, "env-0003", data[[]cache.Hit](t, f.get("search?q=0003"))[0].Name)
	panel := data[ServicePanel](t, f.get("environments/"+k.Cluster+"/"+k.Namespace+"/services/orders"))
	assert.Equal(t, discovery.Fail, panel.State)
	assert.NotZero(t, panel.Size)

	document := f.get("environments/" + k.Cluster + "/" + k.Namespace + "/services/orders/document")
	assert.Equal(t, http.StatusOK, document.Code)
	assert.Equal(t, panel.Size, document.Body.Len())
	assert.Equal(t, "text/plain; charset=utf-8", document.Header().Get("Content-Type"), "nothing that a browser runs")
}

// Services that have another name in some environments are compared as one.
func TestAPIAliases(t *testing.T) {
	f := newFilled(t, 2)
	target := func(namespace, service string) discovery.Health {
		return discovery.Health{
			Target: discovery.Target{Cluster: "c", Namespace: namespace, Service: service}, At: f.now.Add(time.Second),
			Report: discovery.Report{Format: discovery.Text, State: discovery.OK},
		}
	}
	store := cache.NewMemory(cache.MemoryOptions{})
	w, err := cache.NewWriter(store, cache.Options{})
	require.NoError(t, err)
	_, err = w.Write(context.Background(), f.now, []discovery.Health{target("a", "orders db"), target("b", "OrdersDb"), target("c", "cart")})
	require.NoError(t, err)
	f.reader = cache.NewReader(store, cache.ReaderOptions{Prepare: f.api.Prepare})
	assert.Len(t, data[[]Service](t, f.get("services")), 3)
	assert.Equal(t, noDocument, data[ServicePanel](t, f.get("environments/c/a/services/orders%20db")).Note)
	f.aliases = discovery.Aliases{"OrdersDb": "orders db"}
	services := data[[]Service](t, f.get("services"))
	require.Len(t, services, 2, "at once")
	assert.Equal(t, Service{Name: "orders db", State: discovery.OK, Environments: 2, Counts: Counts{Services: 2, OK: 2}}, services[1])
	for _, name := range []string{"orders%20db", "OrdersDb"} {
		rows := data[[]Instance](t, f.get("services/"+name))
		require.Len(t, rows, 2, name)
		assert.Equal(t, "OrdersDb", rows[1].Name, "its own name is shown")
	}
}

func TestAPIRefuses(t *testing.T) {
	f := newFilled(t, 2)
	for path, want := range map[string]int{
		"environments/no/where": http.StatusNotFound, "services/none": http.StatusNotFound,
		"environments?activity=both": http.StatusBadRequest, "failing?state=bad": http.StatusBadRequest, "search?limit=0": http.StatusBadRequest,
	} {
		w := f.get(path)
		assert.Equal(t, want, w.Code, path)
		assert.Contains(t, w.Body.String(), `{"error":`, path)
	}
	empty := New(Options{Source: func() Source { return cache.NewReader(cache.NewMemory(cache.MemoryOptions{}), cache.ReaderOptions{}) }})
	w := httptest.NewRecorder()
	empty.Handlers()["GET health/summary"].ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	none := New(Options{Source: func() Source { return nil }})
	w = httptest.NewRecorder()
	none.Handlers()["GET health/summary"].ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Equal(t, http.StatusNotFound, w.Code)
}

func TestAPIETagAndCompression(t *testing.T) {
	f := newFilled(t, 20)
	plain := f.get("environments")
	zipped := f.get("environments", "Accept-Encoding", "gzip")
	assert.Equal(t, "gzip", zipped.Header().Get("Content-Encoding"))
	assert.Less(t, zipped.Body.Len(), plain.Body.Len()/2)
	r, err := gzip.NewReader(zipped.Body)
	require.NoError(t, err)
	var a answer
	require.NoError(t, json.NewDecoder(r).Decode(&a))
	again := f.get("environments", "If-None-Match", plain.Header().Get("ETag"))
	assert.Equal(t, http.StatusNotModified, again.Code)
	assert.Empty(t, again.Body.Bytes())
	f.quiet.Generation++ // something else changed, and the answer is the same
	assert.Equal(t, http.StatusNotModified, f.get("environments", "If-None-Match", plain.Header().Get("ETag")).Code)
	f.now = f.now.Add(time.Second)
	f.Write(t, fleet.New(fleet.Options{Environments: 20, Calm: true, Largest: 20 << 10}))
	assert.Equal(t, http.StatusOK, f.get("environments", "If-None-Match", plain.Header().Get("ETag")).Code)
}

func TestAPISaysThatItIsOld(t *testing.T) {
	f := newFilled(t, 2)
	require.NoError(t, f.writer.MarkStale(context.Background(), f.now))
	w := f.get("failing")
	assert.Contains(t, w.Body.String(), `"stale":{"since":`)
	assert.Contains(t, w.Body.String(), "too few")
}

// The lists of a version are made before anybody asks for them.
func TestAPIPrepares(t *testing.T) {
	f := newFilled(t, 3)
	f.get("summary")
	v, err := f.reader.View(context.Background(), f.now)
	require.NoError(t, err)
	for _, path := range []string{"summary", "failing", "environments", "clusters", "services", "services/orders"} {
		q := question{httptest.NewRequest(http.MethodGet, "/prefix/api/v1/health/"+path, nil), v, f.quiet, nil}
		b, err := f.api.answer(q, func(question) (any, error) { return nil, fmt.Errorf("%s is made when it is asked for", path) })
		require.NoError(t, err)
		assert.Equal(t, f.get(path).Body.String(), string(b.plain))
	}
}

// The answers of the API with the 99th percentile of each, in milliseconds: asked for the first time in a
// version, and after that. The lists of a version are made when it comes, which lists-ms is the time of.
func BenchmarkAPI(b *testing.B) {
	for _, n := range []int{350, 3500} {
		f := newFilled(b, n)
		town := fleet.New(fleet.Options{Environments: n, Calm: true, Largest: 20 << 10})
		for i := 0; i < n; i += 50 {
			town.Fail(fmt.Sprintf("env-%04d", i), "orders", true)
		}
		f.now = f.now.Add(time.Second)
		f.Write(b, town)
		v, err := f.reader.View(context.Background(), f.now)
		require.NoError(b, err)
		paths := []string{"summary", "failing", "environments", "clusters", "services", "services/orders", "environments/" + v.Environments()[n/2].Key.String(), "environments?state=fail", "search?q=env-01", "search?q=33"}
		for _, first := range []bool{true, false} {
			b.Run(fmt.Sprintf("environments=%d/first=%t", n, first), func(b *testing.B) {
				took := map[string][]time.Duration{}
				measure := func(name string, do func()) {
					began := time.Now()
					do()
					took[name] = append(took[name], time.Since(began))
				}
				for b.Loop() {
					if first {
						f.quiet.Generation++ // as another version would be
						measure("lists", func() { f.api.Prepare(v) })
					}
					for i, path := range paths {
						name := []string{"summary", "failing", "environments", "clusters", "services", "service", "environment", "filtered", "search-prefix", "search-within"}[i]
						measure(name, func() { f.get(path, "Accept-Encoding", "gzip") })
					}
				}
				for name, all := range took {
					slices.Sort(all)
					b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, name+"-ms")
				}
			})
		}
	}
}
