package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/version"

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
		MaxSilences: max(s.flags.maxSilences, 0), MaxSizeBytes: max(s.flags.maxSilenceB, 0),
	})
	if err != nil {
		return nil, err
	}
	s.registry.MustRegister(silenceCollector{silences})
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
	page, err := web.New(s.engine, web.Options{
		Prefix: prefix, ExternalURL: external, Version: version.Version, Problems: s.problems, Logger: s.log.With("component", "web"),
	})
	if err != nil {
		return nil, err
	}
	return handlers{
		prefix: prefix, v2: v2, own: s.ownAPI(), page: page,
		metrics: s.registry, pprof: s.flags.pprof, ready: s.ready, reload: w.Reload,
	}.mux(), nil
}

// ownAPI is what is there beside Alertmanager's API.
func (s *server) ownAPI() map[string]http.Handler {
	return map[string]http.Handler{
		"GET explain":               serveExplain(s.engine),
		"GET dead-letters":          serveDeadLetters(s.engine),
		"POST dead-letters/retry":   orderDeadLetter(s.engine, false),
		"POST dead-letters/discard": orderDeadLetter(s.engine, true),
	}
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
	return s.engine.Trouble()
}

// problems are what the pages put in a banner.
func (s *server) problems() []string {
	var all []string
	if text := s.problem.Load(); text != nil {
		all = append(all, "The configuration on disk is bad, the old one stays in force: "+*text)
	}
	if err := s.engine.Trouble(); err != nil {
		all = append(all, "Alerts are refused: "+err.Error())
	}
	return all
}
