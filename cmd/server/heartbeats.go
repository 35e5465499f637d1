package server

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/notify/heartbeat"
	"github.com/tocsin/tocsin/notify/opsgenie"
)

// heartbeat makes the loop of one heartbeat, which has a word in metrics and logs.
func (k *keepers) heartbeat(a *assembly, h config.Heartbeat, word string, registry prometheus.Registerer) (*heartbeat.Loop, error) {
	sender, err := pingerOf(a, h)
	if err != nil {
		return nil, err
	}
	return heartbeat.New(sender, func() error { return k.good(a, h) }, heartbeat.Options{
		Name: word, Interval: h.Interval, Logger: k.log.With("component", "heartbeat"), Registerer: registry,
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

// wordOf is the word of the i-th heartbeat in metrics and logs: its name, and its place if an earlier one has
// the same name elsewhere.
func wordOf(all []config.Heartbeat, i int) string {
	same := func(h config.Heartbeat) bool { return h.Name == all[i].Name }
	if slices.ContainsFunc(all[:i], same) {
		return fmt.Sprintf("%s[%d]", all[i].Name, i)
	}
	return all[i].Name
}

// good says what is wrong with the last cycle, or with the source that the heartbeat is about. A server whose
// lease has ended says nothing of those who watch: the one that leads does.
func (k *keepers) good(a *assembly, h config.Heartbeat) error {
	if err := k.server.barred(); err != nil {
		return err
	}
	waiting, delivered := k.server.deliverer.Progress()
	v := heartbeat.Vitals{Cycle: k.server.pulse.last(), Stored: k.server.pulse.err(), Waiting: waiting, Delivered: delivered}
	for _, s := range a.config.Tocsin.Sources {
		v.Sources++
		if k.unheard(a, s.Name) == nil {
			v.Fresh++
		}
	}
	err := v.Judge(time.Now(), heartbeat.Limits{Cycle: h.MaxCycleAge, Outbox: h.MaxStandstill})
	if h.Source != "" {
		err = errors.Join(err, k.unheard(a, h.Source))
	}
	return err
}

// heard says what keeps us from knowing everything that fires: a source that nobody hears, or that senders may
// not have spoken since the start.
func (k *keepers) heard(a *assembly) error {
	if wait := a.config.Tocsin.StartupGrace - time.Since(k.began); wait > 0 {
		return fmt.Errorf("senders have %s left to speak up", wait.Truncate(time.Second))
	}
	return k.unheard(a, "")
}

// unheard says which source of the configuration nobody hears: it is stale, was never read, or answers and
// sees nothing. With a name it speaks of that one alone. That somebody pushes without being a source, or
// that we hear ourselves, proves nothing.
func (k *keepers) unheard(a *assembly, name string) error {
	standing, blind := map[string]alarm.SourceStatus{}, blind(a.sources)
	for _, s := range k.server.engine.Sources() {
		standing[s.Name] = s
	}
	var all []error
	for _, src := range a.config.Tocsin.Sources {
		if name != "" && src.Name != name {
			continue
		}
		s, known := standing[src.Name]
		switch {
		case !src.Pulled() && src.ExpectEvery == 0: // it has nothing to say when nothing fires
		case !known, src.Pulled() && s.LastSuccess.Before(k.began):
			all = append(all, fmt.Errorf("source %s was not read since the start", src.Name))
		case s.Stale:
			all = append(all, fmt.Errorf("source %s is stale", src.Name))
		case blind[src.Name] != nil:
			all = append(all, fmt.Errorf("source %s sees nothing: %w", src.Name, blind[src.Name]))
		}
	}
	return errors.Join(all...)
}
