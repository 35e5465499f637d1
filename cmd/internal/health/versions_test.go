package health

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/cachetest"
	"github.com/tocsin/tocsin/cache/rediscache"
	"github.com/tocsin/tocsin/cache/rediscache/redistest"
	"github.com/tocsin/tocsin/discovery"
)

// Each answer is of one version, though very many are published while others ask: what it says of its version, its
// data and its tag belong together, and nobody is told that he has what he does not have. In process, and with Redis.
func TestAPIAnswersAreOfOneVersion(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		s := cache.NewMemory(cache.MemoryOptions{})
		answersOfOneVersion(t, s, cache.NewReader(s, cache.ReaderOptions{}), 300)
	})
	t.Run("redis", func(t *testing.T) {
		client, err := rediscache.Connect("redis://" + redistest.Start(t).Addr)
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Close() })
		s, err := rediscache.NewStore(client, rediscache.Options{})
		require.NoError(t, err)
		answersOfOneVersion(t, s, cache.NewReader(s, cache.ReaderOptions{}), 100)
	})
}

var began = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

func answersOfOneVersion(t *testing.T, s cache.Store, reader *cache.Reader, versions int) {
	w, err := cache.NewWriter(s, cache.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	write := func(n int) {
		at := began.Add(time.Duration(n) * time.Second)
		_, err := w.Write(ctx, at, cachetest.Results(10+n%2, 2, at, fmt.Sprintf("v%d.", n), discovery.Fail))
		require.NoError(t, err)
	}
	write(0)
	mux := http.NewServeMux()
	for pattern, h := range New(Options{Source: func() Source { return reader }}).Handlers() {
		mux.Handle("GET /api/v1/"+strings.TrimPrefix(pattern, "GET "), h)
	}
	var wg sync.WaitGroup
	paths := []string{
		"summary", "failing", "environments", "environments/cluster-3/env-0003", "environments/cluster-3/env-0003/services/service-00",
		"services/service-01", "search?q=env-&limit=100",
	}
	asked := make([]*asker, 4)
	for i := range asked {
		asked[i] = &asker{t: t, mux: mux, tags: map[string]string{}, bodies: map[string]string{}}
		wg.Go(func() {
			for n := i; ctx.Err() == nil && !t.Failed(); n++ {
				asked[i].ask(paths[n%len(paths)])
			}
		})
	}
	for n := 1; n <= versions && !t.Failed(); n++ {
		write(n)
	}
	cancel()
	wg.Wait()
	for i, a := range asked {
		assert.Greater(t, a.versions, 5, "%d saw hardly anything", i)
	}
}

// An asker asks as a browser does: with the tag of what it has.
type asker struct {
	t            *testing.T
	mux          http.Handler
	tags, bodies map[string]string // by path
	last         string            // the version that was answered last
	versions     int
}

func (a *asker) ask(path string) {
	r, w := httptest.NewRequest(http.MethodGet, apiPath+path, nil), httptest.NewRecorder()
	r.Header.Set("If-None-Match", a.tags[path])
	a.mux.ServeHTTP(w, r)
	tag := w.Header().Get("ETag")
	if w.Code == http.StatusNotModified {
		assert.Equal(a.t, a.tags[path], tag, path)
		<-time.After(100 * time.Microsecond) // leave something to others
		return
	}
	if !assert.Equal(a.t, http.StatusOK, w.Code, "%s: %s", path, w.Body) {
		return
	}
	body := w.Body.String()
	if tag == a.tags[path] {
		assert.Equal(a.t, a.bodies[path], body, "%s has one tag for two answers", path)
	}
	a.tags[path], a.bodies[path] = tag, body
	var answer struct {
		Version string
		At      time.Time
		Data    json.RawMessage
	}
	if !assert.NoError(a.t, json.Unmarshal([]byte(body), &answer), path) {
		return
	}
	assert.GreaterOrEqual(a.t, answer.Version, a.last, path)
	if answer.Version != a.last {
		a.versions++
	}
	a.last = answer.Version
	a.check(path, int(answer.At.Sub(began)/time.Second), string(answer.Data))
}

var words = regexp.MustCompile(`\bv[0-9]+\.`)

// check looks for what the version of an instant says, and for nothing else.
func (a *asker) check(path string, n int, data string) {
	environments, word := 10+n%2, fmt.Sprintf("v%d.", n)
	for _, found := range words.FindAllString(data, -1) {
		assert.Equal(a.t, word, found, "%s of version %d: %s", path, n, data)
	}
	for of, want := range map[string]map[string]int{
		"summary":                         {fmt.Sprintf(`"environments":%d,`, environments): 1, fmt.Sprintf(`"fail":%d`, 2*environments): 1},
		"failing":                         {`"message":"` + word: 2 * environments},
		"environments":                    {`"namespace":`: environments},
		"environments/cluster-3/env-0003": {`"version":"` + word: 2},
		"environments/cluster-3/env-0003/services/service-00": {`"version":"` + word: 1, `"data":[{"k":"error","v":"` + word: 1},
		"services/service-01":     {`"message":"` + word: environments},
		"search?q=env-&limit=100": {`"kind":"environment"`: environments},
	}[path] {
		assert.Equal(a.t, want, strings.Count(data, of), "%q in %s of version %d: %s", of, path, n, data)
	}
}
