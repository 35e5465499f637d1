package apiv2

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/cors"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// An Engine is read from. Its answers are as of the moment of reading.
type Engine interface {
	// Matching returns the active alerts that match, sorted by fingerprint.
	Matching(ctx context.Context, ms matcher.Matchers) ([]alarm.Reading, error)

	// GroupsMatching returns the groups that hold active alerts that match, with only those, sorted
	// by their labels, then receiver; the alerts of each in the order of [alarm.CompareForMessage].
	GroupsMatching(ctx context.Context, ms matcher.Matchers) ([]alarm.GroupReading, error)

	// Receivers returns the receivers in the order of the configuration.
	Receivers() []alarm.ReceiverSpec
}

// A Push takes in alerts.
type Push interface {
	// Receive takes in the body of a POST to /alerts, and returns when what is valid of it is
	// committed. It does not keep body.
	Receive(ctx context.Context, now time.Time, body []byte) error
}

// Silences are read and edited. What it returns must not be modified.
type Silences interface {
	// Set makes or changes a silence and returns the ID that it has from now on.
	Set(ctx context.Context, s alarm.Silence) (id string, err error)

	// Expire ends a silence. To end it again is no error.
	Expire(ctx context.Context, id string) error

	// Get returns one silence.
	Get(ctx context.Context, id string) (*alarm.Silence, error)

	// List returns all that are kept, expired ones too.
	List(ctx context.Context) ([]*alarm.Silence, error)
}

// Options configures an API. The zero value works.
type Options struct {
	// Prefix is the path below which everything is served, such as /alertmanager. Defaults to none.
	Prefix string

	// Config returns the configuration that /status shows. Nil shows none.
	Config func() string

	// Version is what /status shows. Defaults to empty strings.
	Version Version

	// Cluster is what /status shows. Nil means that clustering is off.
	Cluster *Cluster

	// Started is what /status shows as uptime. Defaults to the time of New.
	Started time.Time

	// MaxBodyBytes bounds the body of a request. Defaults to 10 MiB.
	MaxBodyBytes int64

	// Timeout bounds the answer to a request, which is then held in memory until it is complete.
	// Defaults to none.
	Timeout time.Duration

	// Concurrency bounds how many GETs are answered at once; more are answered 503. Defaults to
	// GOMAXPROCS or 8, whichever is larger.
	Concurrency int

	// CORSOrigin is a regular expression, anchored at both ends, of the origins that browsers may
	// call from. Defaults to none.
	CORSOrigin string

	// Logger is told of answers with a status of 500 or more, at level Error, and of other refusals
	// at level Debug. Nil logs nothing.
	Logger *slog.Logger

	// Registerer collects the package's metrics. Nil registers none.
	Registerer prometheus.Registerer

	// RequestDuration observes each request in seconds. Its labels must be handler, method and code;
	// handler is one of a few patterns. Nil observes nothing.
	RequestDuration prometheus.ObserverVec
}

// API serves Alertmanager's API v2. It is an http.Handler.
type API struct {
	engine   Engine
	push     Push
	silences Silences
	options  Options
	logger   *slog.Logger
	metrics  *metrics
	slots    chan struct{} // one for each GET that is being answered
	handlers map[string]http.Handler
}

var _ http.Handler = (*API)(nil)

// New returns an API over the three things that it serves.
func New(engine Engine, push Push, silences Silences, o Options) (*API, error) {
	if engine == nil || push == nil || silences == nil {
		return nil, errors.New("api v2: an engine, a push and silences are needed")
	}
	a := &API{engine: engine, push: push, silences: silences, options: o, logger: o.Logger}
	a.options.Prefix = strings.TrimRight(o.Prefix, "/")
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	if a.options.Started.IsZero() {
		a.options.Started = time.Now()
	}
	if o.MaxBodyBytes <= 0 {
		a.options.MaxBodyBytes = 10 << 20
	}
	if o.Concurrency <= 0 {
		a.options.Concurrency = max(runtime.GOMAXPROCS(0), 8)
	}
	a.slots = make(chan struct{}, a.options.Concurrency)
	var err error
	if a.metrics, err = newMetrics(o.Registerer); err != nil {
		return nil, fmt.Errorf("api v2: register metrics: %w", err)
	}
	handler := http.Handler(http.HandlerFunc(a.serve))
	if o.CORSOrigin != "" {
		origin, err := regexp.Compile("^(?:" + o.CORSOrigin + ")$")
		if err != nil {
			return nil, fmt.Errorf("api v2: origin: %w", err)
		}
		handler = cors.New(cors.Options{
			AllowOriginFunc: origin.MatchString,
			AllowedMethods:  []string{http.MethodGet, http.MethodPost, http.MethodDelete},
			AllowedHeaders:  []string{"*"},
			MaxAge:          600,
		}).Handler(handler)
	}
	a.handlers = a.instrument(a.limit(handler))
	return a, nil
}

// instrument makes one handler for each pattern, so that the label is bounded.
func (a *API) instrument(h http.Handler) map[string]http.Handler {
	handlers := make(map[string]http.Handler, len(patterns)+1)
	for _, p := range append([]string{patternOther}, patterns[:]...) {
		handlers[p] = h
		if d := a.options.RequestDuration; d != nil {
			handlers[p] = promhttp.InstrumentHandlerDuration(d.MustCurryWith(prometheus.Labels{"handler": p}), h)
		}
	}
	return handlers
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pattern, _ := a.pattern(r)
	a.handlers[pattern].ServeHTTP(w, r)
}

// The patterns of the paths below the prefix.
const (
	patternAlerts    = "/api/v2/alerts"
	patternGroups    = "/api/v2/alerts/groups"
	patternSilences  = "/api/v2/silences"
	patternSilence   = "/api/v2/silence/{silenceID}"
	patternReceivers = "/api/v2/receivers"
	patternStatus    = "/api/v2/status"
	patternV1        = "/api/v1"
	patternOther     = "other"
)

var patterns = [...]string{
	patternAlerts, patternGroups, patternSilences, patternSilence, patternReceivers, patternStatus, patternV1,
}

// pattern returns the pattern of the request's path, and the silence's ID if there is one in it.
func (a *API) pattern(r *http.Request) (pattern, id string) {
	below, ok := strings.CutPrefix(r.URL.Path, a.options.Prefix)
	if !ok {
		return patternOther, ""
	}
	below = path.Clean(below)
	switch below {
	case patternAlerts, patternGroups, patternSilences, patternReceivers, patternStatus:
		return below, ""
	}
	if id, ok := strings.CutPrefix(below, "/api/v2/silence/"); ok && !strings.Contains(id, "/") {
		return patternSilence, id
	}
	if strings.HasPrefix(below, patternV1+"/") {
		return patternV1, ""
	}
	return patternOther, ""
}
