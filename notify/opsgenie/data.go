package opsgenie

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// Data is what templates see. Fields with the names of Alertmanager's template data mean the same, so
// that its templates for Opsgenie can be taken over.
type Data struct {
	Receiver          string
	Status            string // firing or resolved
	Alerts            Alerts
	GroupLabels       KV
	CommonLabels      KV
	CommonAnnotations KV
	ExternalURL       string

	// Labels and Annotations are the alert's, or what the alerts of a group have in common.
	Labels      KV
	Annotations KV

	// Name is the label alertname, Team the label team of the route, or of the alerts.
	Name string
	Team string
}

// An Alert is one alert of an incident.
type Alert struct {
	Status       string // firing or resolved
	Labels       KV
	Annotations  KV
	StartsAt     time.Time
	EndsAt       time.Time
	GeneratorURL string
	Fingerprint  string
	Fired        int // how often it began to fire
}

// Alerts are the alerts of an incident, in the delivery's order.
type Alerts []Alert

// Firing returns those that fire.
func (as Alerts) Firing() []Alert { return as.with("firing") }

// Resolved returns those that ended.
func (as Alerts) Resolved() []Alert { return as.with("resolved") }

func (as Alerts) with(status string) []Alert {
	var kept []Alert
	for _, a := range as {
		if a.Status == status {
			kept = append(kept, a)
		}
	}
	return kept
}

// KV are labels or annotations.
type KV map[string]string

// A Pair is one of them.
type Pair struct{ Name, Value string }

// Pairs are some of them, in order.
type Pairs []Pair

// SortedPairs returns them by name, alertname first.
func (kv KV) SortedPairs() Pairs {
	var pairs Pairs
	if name, ok := kv[model.AlertNameLabel]; ok {
		pairs = append(pairs, Pair{model.AlertNameLabel, name})
	}
	for _, name := range slices.Sorted(maps.Keys(kv)) {
		if name != model.AlertNameLabel {
			pairs = append(pairs, Pair{name, kv[name]})
		}
	}
	return pairs
}

// Remove returns kv without some names.
func (kv KV) Remove(names []string) KV {
	kept := maps.Clone(kv)
	for _, name := range names {
		delete(kept, name)
	}
	return kept
}

// Names returns the names, sorted.
func (kv KV) Names() []string { return kv.SortedPairs().Names() }

// Values returns the values, in the order of the names.
func (kv KV) Values() []string { return kv.SortedPairs().Values() }

// Names returns the names.
func (ps Pairs) Names() []string {
	names := make([]string, 0, len(ps))
	for _, p := range ps {
		names = append(names, p.Name)
	}
	return names
}

// Values returns the values.
func (ps Pairs) Values() []string {
	values := make([]string, 0, len(ps))
	for _, p := range ps {
		values = append(values, p.Value)
	}
	return values
}

// Title is the name and what tells it apart, for alerts without a summary.
func (d *Data) Title() string {
	parts := []string{}
	if n := len(d.Alerts.Firing()); len(d.Alerts) > 1 {
		parts = append(parts, fmt.Sprintf("[%d]", n))
	}
	if d.Name != "" {
		parts = append(parts, d.Name)
	}
	parts = append(parts, d.Labels.Remove([]string{model.AlertNameLabel}).Values()...)
	if len(parts) == 0 {
		return "alert"
	}
	return strings.Join(parts, " ")
}

// Text is the description and the other annotations, and the alerts if there are several.
func (d *Data) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if text := d.Annotations["description"]; text != "" {
		line("%s\n", text)
	}
	for _, p := range d.Annotations.SortedPairs() {
		if p.Name != "description" && p.Name != "summary" {
			line("%s: %s", p.Name, p.Value)
		}
	}
	if len(d.Alerts) == 1 && d.Alerts[0].GeneratorURL != "" {
		line("source: %s", d.Alerts[0].GeneratorURL)
	}
	for _, a := range d.Alerts {
		if len(d.Alerts) == 1 {
			break
		}
		own := a.Labels.Remove(d.Labels.Names())
		line("- %s: %s %s", a.Status, strings.Join(own.SortedPairs().Values(), " "), a.Annotations["summary"])
	}
	return strings.TrimSpace(b.String())
}

// data returns what templates see of a delivery.
func (c *Client) data(d *alarm.Delivery) *Data {
	data := &Data{
		Receiver:    d.Key.Receiver,
		Status:      "resolved",
		GroupLabels: kv(d.GroupLabels),
		ExternalURL: c.opts.ExternalURL,
	}
	for i := range d.Alerts {
		a := &d.Alerts[i]
		status := "firing"
		if a.ResolvedAt(d.Now) {
			status = "resolved"
		} else {
			data.Status = status
		}
		data.Alerts = append(data.Alerts, Alert{
			Status: status, Labels: kv(a.Labels), Annotations: kv(a.Annotations), StartsAt: a.StartsAt, EndsAt: a.EndsAt,
			GeneratorURL: a.GeneratorURL, Fingerprint: a.Fingerprint().String(), Fired: a.Fired,
		})
	}
	data.CommonLabels = common(data.Alerts, func(a *Alert) KV { return a.Labels })
	data.CommonAnnotations = common(data.Alerts, func(a *Alert) KV { return a.Annotations })
	data.Labels, data.Annotations = data.CommonLabels, data.CommonAnnotations
	data.Name = data.Labels[model.AlertNameLabel]
	data.Team = string(d.RouteLabels["team"])
	if data.Team == "" {
		data.Team = data.Labels["team"]
	}
	return data
}

func kv(ls model.LabelSet) KV {
	m := make(KV, len(ls))
	for name, value := range ls {
		m[string(name)] = string(value)
	}
	return m
}

// common returns what all alerts have in common.
func common(alerts []Alert, of func(*Alert) KV) KV {
	if len(alerts) == 0 {
		return KV{}
	}
	shared := maps.Clone(of(&alerts[0]))
	for i := range alerts[1:] {
		other := of(&alerts[i+1])
		maps.DeleteFunc(shared, func(name, value string) bool {
			have, ok := other[name]
			return !ok || have != value
		})
	}
	return shared
}

// functions are those of Alertmanager's templates that make sense here.
func functions() template.FuncMap {
	return template.FuncMap{
		"toUpper":   strings.ToUpper,
		"toLower":   strings.ToLower,
		"trimSpace": strings.TrimSpace,
		"join":      func(sep string, s []string) string { return strings.Join(s, sep) },
		"match":     regexp.MatchString,
		"reReplaceAll": func(pattern, repl, text string) (string, error) {
			re, err := regexp.Compile(pattern)
			if err != nil {
				return "", err
			}
			return re.ReplaceAllString(text, repl), nil
		},
		"stringSlice": func(s ...string) []string { return s },
		"date":        func(layout string, t time.Time) string { return t.Format(layout) },
		"tz": func(zone string, t time.Time) (time.Time, error) {
			loc, err := time.LoadLocation(zone)
			return t.In(loc), err
		},
	}
}
