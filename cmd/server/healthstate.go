package server

import (
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/rediscache"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/cmd/internal/health"
	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/vlogs"
)

// healthOrigin is what a healthState depends on: with another one, it begins anew.
type healthOrigin struct {
	agent discovery.AgentKey
	logs  string              // the URL of VictoriaLogs, or none
	cache *config.HealthCache // nil: in this process
}

func originOf(h *config.Health) healthOrigin {
	o := healthOrigin{agent: healthAgent(h), cache: h.Cache}
	if h.VictoriaLogs != nil {
		o.logs = h.VictoriaLogs.URL
	}
	return o
}

// A healthState is what is known of health. It survives changes of the settings.
type healthState struct {
	origin healthOrigin
	board  atomic.Pointer[discovery.Board]
	direct *cache.Direct
	logs   *vlogs.Reader // nil: what is found stays in this process
	reader *cache.Reader
	quiet  atomic.Pointer[health.Quiet]

	// refresher holds the lease of the store, and so is one for as long as the store is.
	refresher *cache.Refresher
	metrics   *prometheus.Registry
	closers   []func()
}

// newHealthState opens the cache: in Redis, or in this process.
//
// Prepare is given each version before it is shown; it may be nil.
func newHealthState(h *config.Health, prepare func(*cache.View), log *slog.Logger) (*healthState, error) {
	s := &healthState{origin: originOf(h), direct: &cache.Direct{}, metrics: prometheus.NewRegistry()}
	interval := h.Probe.Interval
	if h.Cache != nil {
		interval = h.Cache.Refresh
	}
	var upstream cache.Source = s.direct
	times := cacheTimes(interval)
	opts := rediscache.Options{
		Times:  times,
		Cache:  cache.Options{Interval: interval, Abandon: times.VersionTTL, Forget: 24 * time.Hour, Logger: log, Registerer: s.metrics},
		Reader: cache.ReaderOptions{Overdue: max(90*time.Second, 3*interval), Prepare: prepare},
	}
	if h.VictoriaLogs != nil {
		var err error
		if s.logs, err = vlogs.NewReader(h.VictoriaLogs.URL, vlogs.ReaderOptions{
			Window: max(2*time.Minute, 4*h.Probe.Interval), Timeout: min(max(10*time.Second, interval), 30*time.Second),
		}); err != nil {
			return nil, fmt.Errorf("tocsin.health.victorialogs: %w", err)
		}
		upstream = s.logs
		s.closers = append(s.closers, s.logs.CloseIdleConnections)
	}
	err := s.openCache(h, upstream, opts)
	if err != nil {
		s.close()
	}
	return s, err
}

// cacheTimes are how long leases, claims and versions last: in proportion to the interval, so that the publisher
// holds its lease from one refresh to the next, and long enough for a step of a slow machine.
func cacheTimes(interval time.Duration) cache.MemoryOptions {
	return cache.MemoryOptions{
		Lease:      max(10*time.Second, interval*3/2),
		ClaimAfter: max(10*time.Second, 2*interval),
		VersionTTL: max(time.Minute, 3*interval),
		Spare:      max(10*time.Minute, 6*interval),
	}
}

func (s *healthState) openCache(h *config.Health, upstream cache.Source, opts rediscache.Options) (err error) {
	if h.Cache == nil || h.Cache.Redis == "" {
		store := cache.NewMemory(cache.MemoryOptions{})
		s.reader = cache.NewReader(store, opts.Reader)
		s.refresher, err = cache.NewRefresher(store, cache.NewMemoryQueue(cache.MemoryOptions{}), upstream, opts.Cache)
		return err
	}
	client, err := rediscache.Connect(h.Cache.Redis.Reveal())
	if err != nil {
		return fmt.Errorf("tocsin.health.cache.redis: %w", err)
	}
	s.closers = append(s.closers, func() { _ = client.Close() })
	if s.reader, err = rediscache.NewReader(client, opts); err != nil {
		return err
	}
	if s.logs != nil { // others share the work
		s.refresher, err = rediscache.NewRefresher(client, upstream, opts)
		return err
	}
	store, err := rediscache.NewStore(client, opts)
	if err != nil {
		return err
	}
	s.refresher, err = cache.NewRefresher(store, cache.NewMemoryQueue(cache.MemoryOptions{}), upstream, opts.Cache)
	return err
}

// fits says whether the settings want this state.
func (s *healthState) fits(h *config.Health) bool {
	return s != nil && reflect.DeepEqual(s.origin, originOf(h))
}

func (s *healthState) close() {
	for _, c := range s.closers {
		c()
	}
}
