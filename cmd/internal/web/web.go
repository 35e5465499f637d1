package web

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A Reader says what fires now. The values that it returns are not modified by anybody.
type Reader interface {
	// Alerts returns what fires or is pending, sorted by fingerprint.
	Alerts(ctx context.Context) ([]alarm.Reading, error)

	// Groups returns the groups in which something fires.
	Groups(ctx context.Context) ([]alarm.GroupReading, error)

	// Silences returns every silence that is kept.
	Silences(ctx context.Context) ([]*alarm.Silence, error)
}

// An Explainer says everything about one alert that is known since from, or nil.
type Explainer interface {
	Explain(ctx context.Context, fp model.Fingerprint, from time.Time) (*alarm.Explanation, error)

	// ExplainAt does so for an instant of the past.
	ExplainAt(ctx context.Context, fp model.Fingerprint, from, at time.Time) (*alarm.Explanation, error)
}

// A SourceLister says how each source stands.
type SourceLister interface {
	Sources() []alarm.SourceStatus
}

// An Engine is what the pages show.
type Engine interface {
	Reader
	Explainer
	SourceLister
}

var _ Engine = (*alarm.Engine)(nil)

// Options configures the pages. The zero value works.
type Options struct {
	// Prefix is the path under which the handler is reached, such as /tocsin. Empty: the root.
	Prefix string

	// ExternalURL is where people find the server. The pages show its host, so that one knows which
	// server one is looking at. Nil shows none.
	ExternalURL *url.URL

	// Version is printed at the foot of each page.
	Version string

	// Problems says what is wrong with the server itself and concerns everybody who reads its pages:
	// a configuration on disk that is not valid, a store that cannot be written. Nil has none.
	Problems func() []string

	// Severities returns the values of the severity label, the worst first, under the configuration in
	// force. Alerts with another value, or none, come after the worst. Nil, or no values: critical,
	// error, warning, info, none.
	Severities func() alarm.Severities

	// Teams says who owns which alerts. Nil: nothing is said of owners.
	Teams Teams

	// Receivers says how the receivers stand, and keeps the dead letters. Nil: there is no such page.
	Receivers Receivers

	// Maintenance keeps windows and silences. Nil: there is no such page.
	Maintenance Maintenance

	// Health says how the services of all environments are. Nil: there are no such pages.
	Health Health

	// Servers says who leads, if several servers share a database. Nil, or nothing: the pages do not say.
	Servers func(context.Context) string

	// Logger defaults to discarding.
	Logger *slog.Logger
}

// timeout bounds how long a page waits for the engine.
const timeout = 10 * time.Second

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed static
var staticFiles embed.FS

// A handler holds what does not change between requests, and the reading that viewers share.
type handler struct {
	engine   Engine
	opts     Options
	log      *slog.Logger
	prefix   string
	assets   assets
	readings readings
	pages    map[string]*template.Template
}

// New returns the pages of an engine.
func New(engine Engine, opts Options) (http.Handler, error) {
	if engine == nil {
		return nil, errors.New("web: no engine")
	}
	prefix := strings.TrimRight(opts.Prefix, "/")
	if prefix != "" && (path.Clean(prefix) != prefix || prefix[0] != '/' || strings.ContainsAny(prefix, "{} ?#")) {
		return nil, fmt.Errorf("web: prefix %q is not a clean absolute path", opts.Prefix)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	h := &handler{
		engine: engine, opts: opts, log: opts.Logger, prefix: prefix,
		readings: newReadings(engine),
		pages:    map[string]*template.Template{},
	}
	static, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	if h.assets, err = newAssets(static); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	for _, name := range []string{"alerts", "dependencies", "explain", "health", "maintenance", "message", "receivers"} {
		t, err := template.ParseFS(pageFiles, "pages/frame.html", "pages/parts.html", "pages/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
		h.pages[name] = t
	}
	return secured(h.routes()), nil
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+h.prefix+"/{$}", h.serveAlerts)
	mux.HandleFunc("GET "+h.prefix+"/alert/{fingerprint}", h.serveExplain)
	mux.HandleFunc("GET "+h.prefix+"/dependencies", h.serveDependencies)
	h.receiversRoutes(mux)
	mux.HandleFunc("GET "+h.prefix+"/favicon.ico", h.assets.serveIcon)
	mux.HandleFunc("GET "+h.prefix+"/static/{hash}/{name}", h.assets.serve)
	h.maintenanceRoutes(mux)
	h.healthRoutes(mux)
	mux.HandleFunc("GET "+h.prefix+"/", h.serveNothing)
	if h.prefix != "" {
		// The address is relative, for a proxy may have changed what stands before it.
		to := path.Base(h.prefix) + "/"
		mux.HandleFunc("GET "+h.prefix, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		})
	}
	return mux
}

func (h *handler) serveAlerts(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	reading, err := h.readings.take(ctx)
	if err != nil {
		h.serveTrouble(w, r, err)
		return
	}
	q := parseQuery(r.URL.Query())
	q.owns = ownedBy(h.opts.Teams, q.Team)
	status := http.StatusOK
	if q.Err != nil {
		status = http.StatusBadRequest
	}
	h.render(w, r, status, "alerts", h.alertsPage(time.Now(), reading, q, h.frame(r)))
}

func (h *handler) serveNothing(w http.ResponseWriter, r *http.Request) {
	h.serveMessage(w, r, http.StatusNotFound, "No such page", "There is nothing at this address.")
}

// serveTrouble says that the engine did not answer. A reader who went away is no trouble.
func (h *handler) serveTrouble(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return
	}
	h.log.Error("read the engine for a page", "path", r.URL.Path, "err", err)
	text := "The alerts cannot be read at the moment. This says nothing about whether anything fires."
	if errors.Is(err, context.DeadlineExceeded) {
		text = "The server does not answer in time: it may have just started and still be reading its state. This says nothing about whether anything fires."
	}
	w.Header().Set("Retry-After", "5")
	h.serveMessage(w, r, http.StatusServiceUnavailable, "No answer", text)
}

func (h *handler) serveMessage(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	f := h.frame(r)
	f.Title = title
	h.render(w, r, status, "message", messagePage{Frame: f, Text: text})
}
