package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/dedupe"
)

// Transients say what becomes of alerts that are gone at once.
type Transients struct {
	// Hold is how long the first page of an alert waits, by severity. Others do not wait.
	Hold Holds `yaml:"hold"`

	// Linger keeps an alert up for so long after its source resolved it. Defaults to none.
	Linger time.Duration `yaml:"linger"`

	// Promote says when alerts that were gone within their hold are told after all, as one.
	Promote Promote `yaml:"promote"`
}

// Promote says how many transients within what time are told as one alert.
type Promote struct {
	// Count defaults to 3; 0 tells none.
	Count int `yaml:"count"`

	// Within defaults to 1 hour.
	Within time.Duration `yaml:"within"`
}

func (p *Promote) setDefaults() { p.Count, p.Within = 3, time.Hour }

func (t *Transients) setDefaults() { t.Promote.setDefaults() }

// Holds are durations by severity, in the order of the file.
type Holds []HoldOf

// A HoldOf is how long alerts of one severity wait.
type HoldOf struct {
	Severity string
	For      time.Duration
}

func (h *Holds) decodeNode(d *decoder, n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		d.refuse(n, path, "a mapping is wanted, not "+describe(n), "write warning: 30s")
		return
	}
	for _, e := range entries(n) {
		of := HoldOf{Severity: e.key.Value}
		at := join(path, of.Severity)
		d.decode(e.value, at, reflect.ValueOf(&of.For).Elem())
		if slices.ContainsFunc(*h, func(o HoldOf) bool { return o.Severity == of.Severity }) {
			d.refuse(e.key, at, "key given twice", "remove one")
			continue
		}
		*h = append(*h, of)
	}
}

// Flap says when an alert flaps: it is told once then, and stays open until it is steady.
type Flap struct {
	// Mode is decay, the default, or icinga.
	Mode string `yaml:"mode"`

	// HalfLife is after how long a change of state counts half. Defaults to 15 minutes.
	HalfLife time.Duration `yaml:"half_life"`

	// Start and Stop are the scores at which flapping begins and ends. Default to 3 and 1; in mode
	// icinga to 30 and 25 percent.
	Start Score `yaml:"start"`
	Stop  Score `yaml:"stop"`

	// Min and Max bound how long an alert flaps. Default to 10 minutes and 6 hours.
	Min time.Duration `yaml:"min"`
	Max time.Duration `yaml:"max"`

	// NoteEvery is how often flapping is noted at most. Defaults to 30 minutes.
	NoteEvery time.Duration `yaml:"note_every"`
}

// flapModes are the names of the modes.
func flapModes() []string { return []string{dedupe.DecayFlap.String(), dedupe.IcingaFlap.String()} }

func (f *Flap) setDefaults() {
	f.Mode, f.HalfLife, f.NoteEvery = flapModes()[0], 15*time.Minute, 30*time.Minute
	f.Min, f.Max = 10*time.Minute, 6*time.Hour
}

// A Score is a number above 0, or 0 for the default.
type Score float64

func (s *Score) decodeNode(d *decoder, n *yaml.Node, path string) {
	value, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || err != nil || !(value > 0) || math.IsInf(value, 0) {
		d.refuse(n, path, "a number above 0 is wanted", "write one such as 3.0")
		return
	}
	*s = Score(value)
}

// Flood says how many pages are too many: those beyond join one alert.
type Flood struct {
	// Pages within Within is what a team is sent at most. Default to 20 and 2 minutes.
	Pages  int           `yaml:"pages"`
	Within time.Duration `yaml:"within"`

	// Max is after how long in a flood an alert that still fires gets a page of its own. Defaults to
	// 6 hours.
	Max time.Duration `yaml:"max"`
}

func (f *Flood) setDefaults() { f.Pages, f.Within, f.Max = 20, 2*time.Minute, 6*time.Hour }

// transients checks what is said of transients, flapping and floods.
func (v validator) transients(t *Tocsin) {
	if tr := t.Transients; tr != nil {
		at := join(v.root, "transients")
		var names []string
		for _, s := range t.Severities {
			names = append(names, s.Name)
		}
		for _, h := range tr.Hold {
			if len(names) > 0 && !slices.Contains(names, h.Severity) {
				v.refuse(v.at("transients", "hold", h.Severity), join(at, "hold."+h.Severity), fmt.Sprintf("no severity %q", h.Severity), known(h.Severity, names))
			}
		}
		if tr.Promote.Count < 0 {
			v.refuse(v.at("transients", "promote", "count"), join(at, "promote.count"), "less than none", "write 0 to tell none")
		}
		if tr.Promote.Within <= 0 {
			v.refuse(v.at("transients", "promote", "within"), join(at, "promote.within"), "nothing happens within no time", "leave it out for 1h")
		}
	}
	if t.Flap != nil {
		v.flap(t.Flap)
	}
	if f := t.Flood; f != nil {
		at := join(v.root, "flood")
		if f.Pages <= 0 {
			v.refuse(v.at("flood", "pages"), join(at, "pages"), "nothing would ever page", "leave it out for 20, or remove flood")
		}
		if f.Within <= 0 {
			v.refuse(v.at("flood", "within"), join(at, "within"), "nothing happens within no time", "leave it out for 2m")
		}
		if f.Max <= 0 {
			v.refuse(v.at("flood", "max"), join(at, "max"), "what joins a flood would leave it at once", "leave it out for 6h")
		}
	}
}

func (v validator) flap(f *Flap) {
	at := join(v.root, "flap")
	if !slices.Contains(flapModes(), f.Mode) {
		v.refuse(v.at("flap", "mode"), join(at, "mode"), fmt.Sprintf("no mode %q", f.Mode), known(f.Mode, flapModes()))
		return
	}
	ok := true
	for _, d := range []struct {
		key  string
		is   time.Duration
		then string
	}{{"half_life", f.HalfLife, "15m"}, {"min", f.Min, "10m"}, {"max", f.Max, "6h"}, {"note_every", f.NoteEvery, "30m"}} {
		if d.is <= 0 {
			v.refuse(v.at("flap", d.key), join(at, d.key), "no time at all", "leave it out for "+d.then)
			ok = false
		}
	}
	if _, err := dedupe.NewFlap(f.options()); ok && err != nil {
		v.refuse(v.at("flap"), at, strings.TrimPrefix(err.Error(), "flap: "), "start above stop, and min below max")
	}
}

func (f *Flap) options() dedupe.FlapOptions {
	return dedupe.FlapOptions{
		Mode: dedupe.FlapMode(max(0, slices.Index(flapModes(), f.Mode))), HalfLife: f.HalfLife, Start: float64(f.Start), Stop: float64(f.Stop),
		Min: f.Min, Max: f.Max, NoteEvery: f.NoteEvery,
	}
}

// Linger is how long an alert is kept up after its source resolved it.
func (c *Config) Linger() time.Duration {
	if c.Tocsin.Transients == nil {
		return 0
	}
	return c.Tocsin.Transients.Linger
}

// Flap says when an alert flaps, or nil if none ever does.
func (c *Config) Flap() *dedupe.FlapOptions {
	if c.Tocsin.Flap == nil {
		return nil
	}
	o := c.Tocsin.Flap.options()
	return &o
}

// Hold says how long first pages wait, or false if none does.
func (c *Config) Hold() (dedupe.HoldOptions, bool) {
	t := c.Tocsin.Transients
	if t == nil || !slices.ContainsFunc(t.Hold, func(h HoldOf) bool { return h.For > 0 }) {
		return dedupe.HoldOptions{}, false
	}
	o := dedupe.HoldOptions{
		Severities: c.Severities(), For: map[string]time.Duration{}, Promote: t.Promote.Count, Within: t.Promote.Within,
	}
	if o.Promote == 0 {
		o.Promote = -1
	}
	known := len(o.Severities.Values) > 0
	for _, h := range t.Hold {
		o.For[h.Severity] = h.For
		if !known { // there is no order but this
			o.Severities.Values = append(o.Severities.Values, alarm.Severity{Name: h.Severity, Page: true})
		}
	}
	return o, true
}

// Flood says how many pages a team is sent at most, or false if there is no bound. team names whom an
// alert pages.
func (c *Config) Flood(team func(model.LabelSet) string) (dedupe.FloodOptions, bool) {
	f := c.Tocsin.Flood
	if f == nil {
		return dedupe.FloodOptions{}, false
	}
	return dedupe.FloodOptions{Severities: c.Severities(), Pages: f.Pages, Within: f.Within, Max: f.Max, Team: team}, true
}
