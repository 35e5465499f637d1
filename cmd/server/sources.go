package server

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/source"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

// sources makes the sources that are asked, those of the configuration behind the others, and lists
// those that push and are told apart.
func sources(c *config.Config, o buildOptions) (pulled []namedSource, senders []config.Source, err error) {
	pulled = slices.Clone(o.sources)
	for i := range c.Tocsin.Sources {
		src := &c.Tocsin.Sources[i]
		if slices.ContainsFunc(pulled, func(n namedSource) bool { return n.name == src.Name }) {
			return nil, nil, fmt.Errorf("source %q: there is one of that name already", src.Name)
		}
		if !src.Pulled() {
			senders = append(senders, *src)
			continue
		}
		s, err := o.keepOrMake(madeOf{*src, c.Tocsin.ReplicaLabels})
		if err != nil {
			return nil, nil, fmt.Errorf("source %q: %w", src.Name, err)
		}
		pulled = append(pulled, s)
	}
	return pulled, senders, nil
}

// keepOrMake returns the source that was made of the same before, for it remembers its servers, or
// makes one.
func (o buildOptions) keepOrMake(of madeOf) (namedSource, error) {
	for _, old := range o.previous {
		if reflect.DeepEqual(old.made, of) {
			return old, nil
		}
	}
	s, err := pullSource(&of.config, o, of.replicas)
	return namedSource{
		name: of.config.Name, source: s, collect: alarm.CollectOptions{Interval: of.config.Interval}, made: of,
	}, err
}

// standing is what decides when a source is stale.
type standing struct {
	names    []string                 // of those that are asked
	expect   map[string]time.Duration // of those that push
	maxStale map[string]time.Duration
}

func standingOf(c *config.Config, pulled []namedSource) standing {
	st := standing{names: []string{}, expect: map[string]time.Duration{}, maxStale: map[string]time.Duration{}}
	for _, p := range pulled {
		st.names = append(st.names, p.name)
	}
	for _, src := range c.Tocsin.Sources {
		st.maxStale[src.Name] = src.MaxStale
		if !src.Pulled() {
			st.expect[src.Name] = src.ExpectEvery
		}
	}
	return st
}

// pullSource makes a source that is asked.
func pullSource(c *config.Source, o buildOptions, replicas []model.LabelName) (alarm.Source, error) {
	client, err := commonconfig.NewClientFromConfig(c.HTTP.HTTPClientConfig, c.Name)
	if err != nil {
		return nil, fmt.Errorf("http_config: %w", err)
	}
	opts := source.PullOptions{
		Client: client, Labels: c.Labels, ReplicaLabels: replicas, Timeout: c.Timeout, MaxBody: int64(c.MaxBody),
		AllowEmpty: c.AllowEmpty, Settle: c.Settle, Logger: o.log, Registerer: o.registry,
	}
	switch c.Type {
	case config.Alertmanager:
		return source.NewAlertmanager(c.Name, c.URLs, opts)
	case config.Prometheus:
		return source.NewRules(c.Name, source.Prometheus, c.URLs, opts)
	default:
		return source.NewRules(c.Name, source.VMAlert, c.URLs, opts)
	}
}

// blind returns, of the sources that can say so, why they see nothing although they answer.
func blind(sources []namedSource) map[string]error {
	found := map[string]error{}
	for _, s := range sources {
		if b, ok := s.source.(interface{ Blind() error }); ok {
			if err := b.Blind(); err != nil {
				found[s.name] = err
			}
		}
	}
	return found
}

// sourceProblems returns, of the sources that can say so, what is wrong with them although they answer.
func sourceProblems(sources []namedSource) []string {
	var all []string
	for _, s := range sources {
		if p, ok := s.source.(interface{ Problems() []string }); ok {
			for _, text := range p.Problems() {
				all = append(all, fmt.Sprintf("Source %s: %s", s.name, text))
			}
		}
	}
	return all
}
