package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/kube"
	"github.com/tocsin/tocsin/discovery/probe"
	"github.com/tocsin/tocsin/discovery/vlogs"
)

// newHealthWriter makes what writes to VictoriaLogs.
func newHealthWriter(h *config.Health, spool string, log *slog.Logger, registry prometheus.Registerer) (*vlogs.Writer, error) {
	w, err := vlogs.NewWriter(h.VictoriaLogs.URL, vlogs.WriterOptions{
		Agent: h.Agent, Spool: spool, SpoolBytes: int64(h.VictoriaLogs.SpoolBytes), Logger: log, Registerer: registry,
	})
	if err != nil {
		return nil, fmt.Errorf("tocsin.health.victorialogs: %w", err)
	}
	return w, nil
}

// newHealthProber makes what asks services, and what finds them in Kubernetes, if that is asked for.
func newHealthProber(h *config.Health, targets func() []discovery.Target, result func(context.Context, discovery.Health), log *slog.Logger, registry prometheus.Registerer) (*probe.Prober, *kube.Discovery, error) {
	var found *kube.Discovery
	if k := h.Kubernetes; k != nil {
		var err error
		if found, err = newKube(k, h.Activity, log, registry); err != nil {
			return nil, nil, fmt.Errorf("tocsin.health.kubernetes: %w", err)
		}
		targets = both(targets, found.Targets)
	}
	p, agent := h.Probe, healthAgent(h)
	proxy, err := proxyOf(&p)
	if err != nil {
		return nil, nil, err
	}
	prober, err := probe.New(targets, probe.Options{
		Agent: agent.Agent, Cluster: agent.Cluster, Interval: p.Interval, Timeout: p.Timeout,
		Concurrency: p.Concurrency, PerHost: p.PerHost, MaxBody: int64(p.MaxBody), Anchors: p.Anchors, Proxy: proxy,
		Activity: h.Activity.Rule(), Result: result, Registerer: registry,
	})
	return prober, found, err
}

// proxyOf is the proxy that endpoints are asked through, or nil.
func proxyOf(p *config.HealthProbe) (*url.URL, error) {
	if p.ProxyURL == "" {
		return nil, nil
	}
	u, err := url.Parse(p.ProxyURL)
	if err != nil {
		return nil, fmt.Errorf("tocsin.health.probe.proxy_url: %w", errors.Unwrap(err)) // without the URL, which may hold a password
	}
	return u, nil
}

func newKube(k *config.HealthKubernetes, activity config.HealthActivity, log *slog.Logger, registry prometheus.Registerer) (*kube.Discovery, error) {
	client, err := kube.Connect(k.Kubeconfig)
	if err != nil {
		return nil, err
	}
	opts := kube.Options{
		Cluster: k.Cluster, Selector: k.Selector, Path: k.Path, EnvironmentLabel: k.EnvironmentLabel,
		Labels: activity.Labels(), Activity: activity.Rule(), Log: log, Registerer: registry,
	}
	if opts.Namespaces, err = whole(k.Namespaces); err != nil {
		return nil, fmt.Errorf("namespaces: %w", err)
	}
	if opts.Services, err = whole(k.Services); err != nil {
		return nil, fmt.Errorf("services: %w", err)
	}
	return kube.New(client, opts)
}

// whole returns what matches whole texts, or nil for an empty expression.
func whole(expression string) (*regexp.Regexp, error) {
	if expression == "" {
		return nil, nil
	}
	return regexp.Compile("^(?:" + expression + ")$")
}

// both are the targets of two, the first of which counts if they have one in common. As long as the second's
// are not known, none are.
func both(a, b func() []discovery.Target) func() []discovery.Target {
	return func() []discovery.Target {
		found := b()
		if found == nil {
			return nil
		}
		all := slices.Concat(a(), found)
		slices.SortStableFunc(all, func(x, y discovery.Target) int { return x.Key().Compare(y.Key()) })
		return slices.CompactFunc(all, func(x, y discovery.Target) bool { return x.Key() == y.Key() })
	}
}
