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
	barred  func() error                             // of one that leads: its lease has ended
	certain func(ctx context.Context, no bool) error // of one that leads: why an answer, which may be a no, may not be true
	leader  func() string                            // where changes go; empty: there is no leader
	age     func() time.Duration                     // of the truth
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
	case t.leads && changes(r, t.prefix):
		t.change(w, r)
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

// change answers a request that may change something, as long as the lease holds and the store is well. What
// is committed needs no such care, for the database refuses a late leader; but not every answer follows a
// commit. That an alert fires already, or that there is no such silence, may long be untrue where another
// server leads, or it follows from a change that is not stored.
func (t *term) change(w http.ResponseWriter, r *http.Request) {
	if err := t.barred(); err != nil {
		later(w, err.Error())
		return
	}
	pushes := r.URL.Path == t.prefix+"/api/v2/alerts" // these are refused for what they are
	led := &ledWriter{ResponseWriter: w, certain: func(status int) error {
		return t.certain(r.Context(), status >= http.StatusBadRequest && !pushes)
	}}
	t.handler.ServeHTTP(led, r)
	if !led.decided { // an answer without a word is a yes
		led.WriteHeader(http.StatusOK)
	}
}

// A ledWriter turns an answer into a refusal if it may not be true when it is given. One that has failed
// speaks for itself.
type ledWriter struct {
	http.ResponseWriter
	certain func(status int) error
	decided bool
	refused bool
}

// WriteHeader answers, or refuses.
func (w *ledWriter) WriteHeader(status int) {
	if !w.decided && status >= http.StatusOK {
		w.decided = true
		if status < http.StatusInternalServerError {
			if err := w.certain(status); err != nil {
				w.refused = true
				later(w.ResponseWriter, err.Error())
			}
		}
	}
	if !w.refused {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write answers, or has refused.
func (w *ledWriter) Write(b []byte) (int, error) {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *ledWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

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
