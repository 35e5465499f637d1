package server

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/apiv2"
	"github.com/tocsin/tocsin/alarm/silence"
	"github.com/tocsin/tocsin/alarm/source"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/cmd/internal/web"
)

// The engine meets what the packages around it consume.
var (
	_ apiv2.Silences = (*silence.Service)(nil)
	_ apiv2.Push     = (*source.Push)(nil)
)

// pushSource is the name of the source that API v2 feeds.
const pushSource = "push"

// handler makes everything that answers requests.
func (s *server) handler(listeners []net.Listener, w *watcher) (http.Handler, error) {
	prefix, err := s.routePrefix()
	if err != nil {
		return nil, err
	}
	silences, err := silence.NewService(s.engine, silence.Options{
		MaxSilences: max(s.flags.maxSilences, 0), MaxSizeBytes: max(s.flags.maxSilenceB, 0), Planner: s.planner,
	})
	if err != nil {
		return nil, err
	}
	s.registry.MustRegister(silenceCollector{silences}, deadLetterCollector{s.engine, func() []string { return slices.Sorted(maps.Keys(s.current.Load().receivers)) }})
	pushed := senders{engine: s.engine, sources: func() []config.Source { return s.current.Load().senders }}
	push, err := source.NewPush(pushSource, pushed, source.PushOptions{
		ResolveTimeout: func() time.Duration { return s.current.Load().config.ResolveTimeout() },
		Registerer:     s.registry,
	})
	if err != nil {
		return nil, err
	}
	v2, err := apiv2.New(s.engine, push, silences, s.v2Options(prefix, listeners))
	if err != nil {
		return nil, err
	}
	external, err := url.Parse(s.external)
	if err != nil {
		return nil, fmt.Errorf("--web.external-url: %w", err)
	}
	windows := &maintenance{
		Service: silences, alerts: s.engine.Matching, history: s.db, config: func() *config.Config { return s.current.Load().config },
	}
	page, err := web.New(s.engine, web.Options{
		Maintenance: windows,
		Receivers:   receivers{s.engine, s.keepers, s.deliverer},
		Health:      s.health,
		Teams:       &owners{config: func() *config.Config { return s.current.Load().config }},
		Severities:  func() alarm.Severities { return s.current.Load().config.Severities() },
		Servers:     s.rollWords,
		Prefix:      prefix, ExternalURL: external, Version: version.Version, Problems: s.problems, Logger: s.log.With("component", "web"),
	})
	if err != nil {
		return nil, err
	}
	return handlers{
		prefix: prefix, v2: v2, own: s.ownAPI(windows), page: page,
		metrics: prometheus.Gatherers{s.registry, s.keepers, s.health}, pprof: s.flags.pprof, ready: s.ready, readyWords: s.readyWords, reload: w.Reload,
	}.mux(), nil
}

// ownAPI is what is there beside Alertmanager's API.
func (s *server) ownAPI(windows *maintenance) map[string]http.Handler {
	own := map[string]http.Handler{
		"GET explain":                  serveExplain(s.engine, s.db),
		"GET leader":                   http.HandlerFunc(s.serveRoll),
		"GET dead-letters":             serveDeadLetters(s.engine),
		"POST dead-letters/retry":      orderDeadLetter(s.engine, false),
		"POST dead-letters/discard":    orderDeadLetter(s.engine, true),
		"GET reconciliations":          http.HandlerFunc(s.keepers.serveReconciled),
		"POST reconciliations/approve": http.HandlerFunc(s.keepers.approve),
		"POST opsgenie/{receiver}":     serveRemoteHook(func() []remote { return s.current.Load().remotes }, s.keepers.hint),
	}
	maps.Copy(own, s.health.handlers())
	maps.Copy(own, windowHandlers(windows, s.log.With("component", "windows")))
	return own
}

// prefix is the route prefix, which was found to be valid.
func (s *server) prefix() string {
	p, _ := s.routePrefix()
	return p
}

func (s *server) routePrefix() (string, error) {
	if s.flags.routePrefix != "" {
		return prefix(s.flags.routePrefix), nil
	}
	u, err := url.Parse(s.external)
	if err != nil {
		return "", fmt.Errorf("--web.external-url: %w", err)
	}
	return prefix(u.Path), nil
}

func (s *server) v2Options(prefix string, listeners []net.Listener) apiv2.Options {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "alertmanager_http_request_duration_seconds",
		Help:    "Histogram of latencies for HTTP requests.",
		Buckets: prometheus.DefBuckets,
	}, []string{"handler", "method", "code"})
	s.registry.MustRegister(duration)
	return apiv2.Options{
		Prefix:  prefix,
		Config:  func() string { return s.current.Load().config.Original() },
		Cluster: s.cluster(listeners),
		Version: apiv2.Version{
			Version: alertmanagerVersion(), Revision: version.GetRevision(), Branch: version.Branch,
			BuildUser: version.BuildUser, BuildDate: version.BuildDate, GoVersion: version.GoVersion,
		},
		Timeout: max(s.flags.timeout, 0), Concurrency: s.flags.concurrency, CORSOrigin: s.flags.corsOrigin,
		Logger: s.log.With("component", "api"), Registerer: s.registry, RequestDuration: duration,
	}
}

// cluster is what the status shows: a cluster of one, ourselves, unless it is switched off.
func (s *server) cluster(listeners []net.Listener) *apiv2.Cluster {
	if s.flags.clusterAddr == "" {
		return nil
	}
	name := s.flags.peerName
	if name == "" {
		name = s.instance
	}
	address := s.flags.advertise
	if address == "" {
		address = listeners[0].Addr().String()
	}
	return &apiv2.Cluster{Name: name, Peers: []apiv2.Peer{{Name: name, Address: address}}}
}

// ready says why requests should go elsewhere, if they should.
func (s *server) ready() error {
	if s.stopping.Load() {
		return errors.New("stopping")
	}
	return s.trouble()
}

// trouble is why what is shown or asked for does not count at the moment.
func (s *server) trouble() error {
	if s.follower != nil {
		return s.follower.trouble()
	}
	if err := s.engine.Trouble(); err != nil {
		return err
	}
	if !s.lease.holds() {
		return errors.New("the lease was not renewed in time: nothing is delivered until it is")
	}
	return nil
}

// problems are what the pages put in a banner.
func (s *server) problems() []string {
	var all []string
	if text := s.problem.Load(); text != nil {
		all = append(all, "The configuration on disk is bad, the old one stays in force: "+*text)
	}
	switch err := s.trouble(); {
	case err != nil && s.follower != nil:
		all = append(all, "This server follows another one, and cannot: "+err.Error())
	case err != nil:
		all = append(all, "Alerts are refused: "+err.Error())
	}
	if s.follower != nil {
		return all // it asks no source
	}
	all = append(all, s.keepers.guardProblems()...)
	return append(all, sourceProblems(s.current.Load().sources)...)
}
