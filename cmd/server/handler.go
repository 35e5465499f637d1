package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// handlers are what the endpoints need.
type handlers struct {
	prefix  string
	v2      http.Handler            // everything below /api/
	own     map[string]http.Handler // tocsin's own API, by method and path below /api/v1/
	page    http.Handler
	metrics prometheus.Gatherer
	pprof   bool
	ready   func() error
	reload  func(context.Context) error

	readyWords func() string // what is answered if it is
}

// mux puts the endpoints below the route prefix.
func (h handlers) mux() http.Handler {
	mux := http.NewServeMux()
	p := h.prefix
	mux.HandleFunc(p+"/-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "OK") })
	mux.HandleFunc(p+"/-/ready", h.serveReady)
	mux.HandleFunc(p+"/-/reload", h.serveReload)
	mux.Handle("GET "+p+"/metrics", promhttp.HandlerFor(h.metrics, promhttp.HandlerOpts{}))
	sameOrigin := http.NewCrossOriginProtection()
	for pattern, handler := range h.own { // the order does not matter to a mux
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" "+p+"/api/v1/"+path, sameOrigin.Handler(handler))
	}
	mux.Handle(p+"/api/", h.v2)
	mux.Handle(p+"/", h.page)
	if p != "" {
		mux.Handle("GET /{$}", http.RedirectHandler(p+"/", http.StatusFound))
	}
	if h.pprof {
		mux.HandleFunc(p+"/debug/pprof/", func(w http.ResponseWriter, r *http.Request) {
			http.StripPrefix(p, http.HandlerFunc(pprof.Index)).ServeHTTP(w, r)
		})
		mux.HandleFunc(p+"/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc(p+"/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc(p+"/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc(p+"/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func (h handlers) serveReady(w http.ResponseWriter, _ *http.Request) {
	if err := h.ready(); err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, h.readyWords())
}

func (h handlers) serveReload(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "This endpoint requires a POST request.", http.StatusMethodNotAllowed)
		return
	}
	// A client that goes away does not leave a reload half done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
	defer cancel()
	if err := h.reload(ctx); err != nil {
		http.Error(w, fmt.Sprintf("failed to reload config: %s", err), http.StatusInternalServerError)
	}
}
