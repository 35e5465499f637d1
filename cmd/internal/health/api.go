package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/discovery"
)

// Options configure an [API].
type Options struct {
	// Source gives what is known; nil from the function means that nothing is asked at all.
	Source func() Source

	// Quiet says which environments nobody uses. Nil says nothing of that.
	Quiet func() Quiet

	// Aliases are names of services that mean the same. Nil has none.
	Aliases func() discovery.Aliases

	// Log is told what goes wrong. Nil means nobody is.
	Log *slog.Logger
}

// An API answers below /api/v1/health/.
type API struct {
	opts Options
	memo memo
}

// New returns the API.
func New(opts Options) *API {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Quiet == nil {
		opts.Quiet = func() Quiet { return Quiet{} }
	}
	if opts.Aliases == nil {
		opts.Aliases = func() discovery.Aliases { return nil }
	}
	return &API{opts: opts}
}

// timeout bounds an answer.
const timeout = 10 * time.Second

// Handlers returns the operations by their method and path below /api/v1/.
func (a *API) Handlers() map[string]http.Handler {
	const environment = "GET health/environments/{cluster}/{namespace}"
	return map[string]http.Handler{
		"GET health/summary":                         a.handler(summary),
		"GET health/failing":                         a.handler(failing),
		"GET health/environments":                    a.handler(environments),
		environment:                                  a.handler(environmentOf),
		environment + "/services/{service}":          a.handler(serviceOf),
		environment + "/services/{service}/document": http.HandlerFunc(a.serveDocument),
		"GET health/clusters":                        a.handler(clusters),
		"GET health/services":                        a.handler(services),
		"GET health/services/{service}":              a.handler(across),
		"GET health/search":                          a.handler(search),
	}
}

// A question is what is asked of a version.
type question struct {
	*http.Request
	view    *cache.View
	quiet   Quiet
	aliases discovery.Aliases
}

// An operation returns the data of an answer.
type operation func(q question) (any, error)

// A refusal is a question that cannot be answered.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func (a *API) handler(op operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		v, err := a.view(ctx)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		body, err := a.answer(question{r.WithContext(ctx), v, a.opts.Quiet(), a.opts.Aliases()}, op)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		body.serve(w, r)
	})
}

// answer returns what is answered, made if it was not yet.
func (a *API) answer(q question, op operation) (*body, error) {
	return a.memo.get(keyOf(q), func() (*body, error) {
		data, err := op(q)
		if err != nil {
			return nil, err
		}
		return newBody(q.view, data)
	})
}

// apiPath is where the operations are, behind a prefix.
const apiPath = "/api/v1/health/"

// preparedServices is of how many services the list of their environments is made in advance.
const preparedServices = 64

// Prepare makes the lists of a version, so that nobody waits for them who asks first: give it to
// [cache.ReaderOptions].
func (a *API) Prepare(v *cache.View) {
	quiet, aliases := a.opts.Quiet(), a.opts.Aliases()
	prepare := func(path, service string, op operation) {
		r := &http.Request{URL: &url.URL{Path: apiPath + path + service}}
		r.SetPathValue("service", service)
		if _, err := a.answer(question{r, v, quiet, aliases}, op); err != nil {
			a.opts.Log.Error("make an answer for health in advance", "path", r.URL.Path, "err", err)
		}
	}
	for path, op := range map[string]operation{ // the order does not matter
		"summary": summary, "failing": failing, "environments": environments, "clusters": clusters, "services": services,
	} {
		prepare(path, "", op)
	}
	rows := Services(v, aliases)
	for i := range rows[:min(len(rows), preparedServices)] {
		prepare("services/", rows[i].Name, across)
	}
}

// view returns the current version.
func (a *API) view(ctx context.Context) (*cache.View, error) {
	s := a.opts.Source()
	if s == nil {
		return nil, &refusal{http.StatusNotFound, "no health is asked: write tocsin.health in the configuration"}
	}
	return s.View(ctx, time.Now())
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var refused *refusal
	status, text := http.StatusServiceUnavailable, err.Error()
	switch {
	case errors.As(err, &refused):
		status = refused.status
	case r.Context().Err() != nil:
		return // who asked went away
	case errors.Is(err, cache.ErrEmpty), errors.Is(err, cache.ErrExpired):
		w.Header().Set("Retry-After", "5")
	default:
		a.opts.Log.Error("answer for health", "path", r.URL.Path, "err", err)
		w.Header().Set("Retry-After", "5")
	}
	serveFailure(w, status, text)
}

func summary(q question) (any, error) { return q.view.Summary, nil }

func failing(q question) (any, error) {
	f, err := filter(q.URL.Query())
	return Failing(q.view, q.quiet, f), err
}

func environments(q question) (any, error) {
	f, err := filter(q.URL.Query())
	return Environments(q.view, q.quiet, f), err
}

func clusters(q question) (any, error) { return Clusters(q.view), nil }

func services(q question) (any, error) { return Services(q.view, q.aliases), nil }

func across(q question) (any, error) {
	f, err := filter(q.URL.Query())
	if err != nil {
		return nil, err
	}
	name := q.PathValue("service")
	rows := Across(q.view, name, q.aliases, f)
	if len(rows) == 0 && f == (Filter{}) {
		return nil, &refusal{http.StatusNotFound, fmt.Sprintf("no service %q in any environment: GET /api/v1/health/services lists them", name)}
	}
	return rows, nil
}

func search(q question) (any, error) {
	limit := 20
	if text := q.URL.Query().Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 1000 {
			return nil, &refusal{http.StatusBadRequest, "limit: write a number from 1 to 1000"}
		}
	}
	hits, err := q.view.Search(q.Context(), q.URL.Query().Get("q"), limit)
	if hits == nil {
		hits = []cache.Hit{}
	}
	return hits, err
}

// filter reads the parameters cluster, namespace, activity and state.
func filter(q url.Values) (Filter, error) {
	f := Filter{Cluster: q.Get("cluster"), Namespace: q.Get("namespace"), Role: q.Get("activity"), State: q.Get("state")}
	if f.Role != "" && f.Role != discovery.Active.String() && f.Role != discovery.Passive.String() {
		return f, &refusal{http.StatusBadRequest, fmt.Sprintf("activity %q: write active or passive", f.Role)}
	}
	if f.State != "" && new(discovery.State).UnmarshalText([]byte(f.State)) != nil {
		return f, &refusal{http.StatusBadRequest, fmt.Sprintf("state %q: write ok, unknown, warn or fail", f.State)}
	}
	return f, nil
}
