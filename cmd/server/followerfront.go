package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tocsin/tocsin/cmd/internal/web"
)

// A front is what requests reach first, whatever term it is. A server that leads answers all of them. One
// that follows answers what only reads, and passes on to the leader what changes anything or asks how services
// are; while there is none, that is answered 503 with Retry-After.
type front struct {
	log     *slog.Logger
	term    atomic.Pointer[term]
	forward *http.Transport
}

// A term is how requests are answered for the time being.
type term struct {
	handler http.Handler
	prefix  string
	leads   bool
	leader  func() string        // where changes go; empty: there is no leader
	age     func() time.Duration // of the truth
}

// How one who follows speaks to the leader, and to its clients.
const (
	forwardedHeader = "Tocsin-Forwarded" // by whom; what was passed on is not passed on again
	ageHeader       = "Tocsin-Truth-Age" // in seconds, of what an answer was read from
	forwardTimeout  = 10 * time.Second   // until the leader begins to answer
	retryAfter      = "1"
)

func newFront(log *slog.Logger) *front {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil // servers that share a database see each other
	t.MaxIdleConnsPerHost = 64
	t.ResponseHeaderTimeout = forwardTimeout
	return &front{log: log, forward: t}
}

// show has requests answered so from now on. Nil: there is nobody to answer them yet.
func (f *front) show(t *term) { f.term.Store(t) }

// ServeHTTP answers, or passes on.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t := f.term.Load()
	switch {
	case t == nil && strings.HasSuffix(r.URL.Path, "/-/healthy"):
		fmt.Fprintln(w, "OK")
	case t == nil:
		later(w, "the server changes its role")
	case t.leads:
		t.handler.ServeHTTP(w, r)
	case !changes(r, t.prefix) && !asksHealth(r, t.prefix):
		w.Header().Set(ageHeader, strconv.FormatFloat(t.age().Seconds(), 'f', 3, 64))
		t.handler.ServeHTTP(w, r)
	default:
		f.passOn(w, r, t)
	}
}

// changes says whether a request may change what all servers share. A reload concerns the server that is
// asked, and a profile too.
func changes(r *http.Request, prefix string) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	path := strings.TrimPrefix(r.URL.Path, prefix)
	return path != "/-/reload" && !strings.HasPrefix(path, "/debug/pprof/")
}

// asksHealth says whether a request asks what only the leader knows: how services are. Its answers say
// themselves how old they are.
func asksHealth(r *http.Request, prefix string) bool {
	path := strings.TrimPrefix(r.URL.Path, prefix)
	return strings.HasPrefix(path, "/api/v1/health/") || web.HealthPage(strings.TrimPrefix(path, "/"))
}

// later refuses a request that will do better in a moment.
func later(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", retryAfter)
	http.Error(w, why+": try again", http.StatusServiceUnavailable)
}

func (f *front) passOn(w http.ResponseWriter, r *http.Request, t *term) {
	leader := t.leader()
	to, err := url.Parse(leader)
	switch {
	case leader == "":
		later(w, "no server leads")
		return
	case r.Header.Get(forwardedHeader) != "":
		later(w, "this server does not lead any more")
		return
	case err != nil || to.Host == "":
		later(w, fmt.Sprintf("the server that leads calls itself %q, which is no URL: give it --tocsin.advertise-url", leader))
		return
	}
	proxy := httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Path = strings.TrimPrefix(p.In.URL.Path, t.prefix)
			p.Out.URL.RawPath = strings.TrimPrefix(p.In.URL.RawPath, t.prefix)
			p.SetURL(to)
			p.Out.Host = p.In.Host // pages compare it with where a form came from
			p.SetXForwarded()
			p.Out.Header.Set(forwardedHeader, "1")
		},
		Transport: f.forward,
		ErrorLog:  slog.NewLogLogger(f.log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if !errors.Is(err, context.Canceled) {
				f.log.Debug("pass on to the leader", "leader", leader, "path", r.URL.Path, "err", err)
			}
			later(w, "the server that leads does not answer")
		},
	}
	proxy.ServeHTTP(w, r)
}
