package config

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Heartbeat is sent again and again as long as all is well, so that somebody notices when it stops.
type Heartbeat struct {
	// Name is the heartbeat's at the service, and its word in metrics. Defaults to tocsin.
	Name string `yaml:"name"`

	// Opsgenie names a receiver with the key opsgenie:, whose account has the heartbeat. Exclusive
	// with URL.
	Opsgenie string `yaml:"opsgenie"`

	// URL is asked by GET. Exclusive with URLFile, a file that holds it.
	URL     Secret `yaml:"url"`
	URLFile string `yaml:"url_file"`

	// Interval is the time between two. Defaults to 1 minute.
	Interval time.Duration `yaml:"interval"`

	// Expires is how long the service waits for one, in whole minutes. Defaults to three intervals.
	Expires time.Duration `yaml:"expires"`

	// MaxCycleAge is how old the last cycle that was stored may be. Defaults to 3 minutes.
	MaxCycleAge time.Duration `yaml:"max_cycle_age"`

	// MaxStandstill is how long notifications may wait while no attempt at any ends, be it well or badly.
	// Defaults to 10 minutes.
	MaxStandstill time.Duration `yaml:"max_standstill"`

	// Create makes the heartbeat at the service if it is not there.
	Create bool `yaml:"create"`

	// Source is a source that has to be fresh. Empty means that any is enough.
	Source string `yaml:"source"`
}

func (h *Heartbeat) setDefaults() { h.Name, h.Interval = "tocsin", time.Minute }

func (v validator) heartbeats(hs []Heartbeat, receivers []Receiver, sources []Source) {
	seen := map[string]bool{}
	for i := range hs {
		h := &hs[i]
		path := join(v.root, "heartbeats"+index(i))
		at := func(key string) *yaml.Node { return v.at("heartbeats", i, key) }
		if isNull(v.at("heartbeats", i)) {
			continue // refused already
		}
		ways := 0
		for _, given := range []bool{h.Opsgenie != "", h.URL != "", h.URLFile != ""} {
			if given {
				ways++
			}
		}
		if ways != 1 {
			v.refuse(v.at("heartbeats", i), path, "it goes to one place", "write opsgenie: and a receiver, or url:, or url_file:")
		}
		id := h.Name + "\x00" + h.Opsgenie + "\x00" + h.URL.Reveal() + "\x00" + h.URLFile
		if seen[id] {
			v.refuse(v.at("heartbeats", i), path, "it is given twice", "give it another name, or remove it")
		}
		seen[id] = true
		if h.Opsgenie != "" && !slices.ContainsFunc(receivers, func(r Receiver) bool { return r.Name == h.Opsgenie && r.Opsgenie != nil }) {
			v.refuse(at("opsgenie"), join(path, "opsgenie"), fmt.Sprintf("no receiver %q with opsgenie: below tocsin.receivers", h.Opsgenie), "name one that has it")
		}
		if u, err := url.Parse(h.URL.Reveal()); h.URL != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			v.refuse(at("url"), join(path, "url"), "not the URL of a server", "write one such as https://hc.example/ping/abc")
		}
		h.URLFile = absolute(v.doc.name, h.URLFile)
		if h.Interval < time.Second {
			v.refuse(at("interval"), join(path, "interval"), "more often than once a second", "leave it out for 1m")
		}
		if h.MaxCycleAge != 0 && h.MaxCycleAge < 30*time.Second {
			v.refuse(at("max_cycle_age"), join(path, "max_cycle_age"), "a cycle is asked for each 15s", "write 30s or more, or leave it out for 3m")
		}
		if h.MaxStandstill < 0 {
			v.refuse(at("max_standstill"), join(path, "max_standstill"), "less than none", "leave it out for 10m")
		}
		if h.Source != "" && !slices.ContainsFunc(sources, func(s Source) bool { return s.Name == h.Source }) {
			v.refuse(at("source"), join(path, "source"), fmt.Sprintf("no source %q below tocsin.sources", h.Source), "name one of them")
		}
	}
}
