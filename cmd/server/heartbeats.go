package server

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/notify/heartbeat"
	"github.com/tocsin/tocsin/notify/opsgenie"
)

// heartbeat makes the loop of one heartbeat.
func (k *keepers) heartbeat(a *assembly, h config.Heartbeat, registry prometheus.Registerer) (*heartbeat.Loop, error) {
	sender, err := pingerOf(a, h)
	if err != nil {
		return nil, err
	}
	return heartbeat.New(sender, func() error { return k.good(h.Source) }, heartbeat.Options{
		Name: h.Name, Interval: h.Interval, Logger: k.log.With("component", "heartbeat"), Registerer: registry,
	})
}

func pingerOf(a *assembly, h config.Heartbeat) (heartbeat.Sender, error) {
	if h.Opsgenie == "" {
		target, err := secretOf(h.URL, h.URLFile)
		if err != nil {
			return nil, fmt.Errorf("url_file: %w", err)
		}
		return heartbeat.NewURL(target, heartbeat.URLOptions{})
	}
	n := slices.IndexFunc(a.remotes, func(r remote) bool { return r.receiver == h.Opsgenie })
	if n < 0 {
		return nil, fmt.Errorf("no receiver %q keeps incidents", h.Opsgenie)
	}
	expires := cmp.Or(h.Expires, 3*h.Interval)
	return a.remotes[n].client.HeartbeatSender(opsgenie.HeartbeatSpec{
		Name: h.Name, Interval: max(expires.Round(time.Minute), time.Minute),
		Description: "tocsin sends it as long as all is well.",
		Message:     fmt.Sprintf("tocsin is not heard: heartbeat %s stopped", h.Name),
	}, h.Create), nil
}

// good says what is wrong with the last cycle, or with one source.
func (k *keepers) good(source string) error {
	now := time.Now()
	sources := k.server.engine.Sources()
	waiting, delivered := k.server.deliverer.Progress()
	v := heartbeat.Vitals{Cycle: k.server.pulse.last(), Stored: k.server.pulse.err(), Waiting: waiting, Delivered: delivered}
	for _, s := range sources {
		if s.Name == ownSource || s.Name == pushSource {
			continue // we are no proof of ourselves, and silence of senders is none
		}
		v.Sources++
		if !s.Stale {
			v.Fresh++
		}
		if s.Name == source && s.Stale {
			return errors.Join(v.Judge(now, heartbeat.Limits{}), fmt.Errorf("source %s is stale", source))
		}
	}
	return v.Judge(now, heartbeat.Limits{})
}
