package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/silence"
)

// A Window is maintenance that is planned in the file. What it mutes matches all that it says.
type Window struct {
	// Name is unique among the windows of the file. To rename a window is to end it and plan another.
	Name string `yaml:"name"`

	// Cluster, Instance, Environment and Team say what is maintained. An instance without a port means
	// each of its ports.
	Cluster     string `yaml:"cluster"`
	Instance    string `yaml:"instance"`
	Environment string `yaml:"environment"`
	Team        string `yaml:"team"`

	// Matchers must all match.
	Matchers []matcher.Matchers `yaml:"matchers"`

	// Start is when it begins, as 2026-01-06T22:00 on the clock of the zone, or as RFC 3339.
	Start string `yaml:"start"`

	// End is when it ends, in the same forms. Exclusive with duration and rrule.
	End string `yaml:"end"`

	// Duration is how long it lasts, or each of its occurrences.
	Duration time.Duration `yaml:"duration"`

	// RRule has it recur, by RFC 5545, counted from start. Defaults to once.
	RRule string `yaml:"rrule"`

	// Zone is the IANA name of the clock that start, end and rrule mean. Defaults to UTC.
	Zone string `yaml:"zone"`

	// Grace is how long what still fires at the end stays withheld. Defaults to 0.
	Grace time.Duration `yaml:"grace"`

	// CloseOpen closes in level-triggered receivers what is open there. Defaults to false.
	CloseOpen bool `yaml:"close_open"`

	// Comment is for people.
	Comment string `yaml:"comment"`

	place Problem // where it stands
}

// A SilenceGuard says which silences and windows must be confirmed before they mute.
type SilenceGuard struct {
	// Alerts is how many alerts that fire now one may mute unasked. Zero is any number. Defaults to 50.
	Alerts int `yaml:"alerts"`

	// Severity is the severity of which it may mute none unasked. Empty is none. Defaults to critical, or
	// if severities are given without one of that name, to the worst.
	Severity string `yaml:"severity"`
}

func (g *SilenceGuard) setDefaults() { g.Alerts, g.Severity = 50, "critical" }

// ScopeLabels name the labels that the scope of a window speaks of.
type ScopeLabels struct {
	// Cluster defaults to cluster, Instance to instance, Environment to environment.
	Cluster     string `yaml:"cluster"`
	Instance    string `yaml:"instance"`
	Environment string `yaml:"environment"`
}

// planner is what turns windows into silences under this configuration.
func (t *Tocsin) planner() silence.Planner {
	return silence.Planner{
		ClusterLabel: t.ScopeLabels.Cluster, InstanceLabel: t.ScopeLabels.Instance, EnvironmentLabel: t.ScopeLabels.Environment,
		Team: func(name string) (matcher.Matchers, bool) {
			n := slices.IndexFunc(t.Teams, func(team Team) bool { return team.Name == name })
			if n < 0 {
				return nil, false
			}
			return t.Teams[n].alerts(), true
		},
	}
}

// alerts returns what a team's alerts match.
func (t *Team) alerts() matcher.Matchers {
	all := slices.Concat(t.Matchers...)
	for _, of := range []struct {
		label  string
		values []string
	}{{"cluster", t.Clusters}, {"alertgroup", t.AlertGroups}} {
		quoted := make([]string, len(of.values))
		for i, v := range of.values {
			quoted[i] = regexp.QuoteMeta(v)
		}
		if len(quoted) > 0 {
			m, err := matcher.New(matcher.Regexp, of.label, strings.Join(quoted, "|"))
			if err != nil {
				panic(err) // what is quoted always compiles
			}
			all = append(all, m)
		}
	}
	return all
}

// Planner is what turns windows into silences under this configuration.
func (c *Config) Planner() silence.Planner { return c.Tocsin.planner() }

// Windows returns what the file plans, as silences without IDs.
func (c *Config) Windows() []*alarm.Silence {
	planner := c.Planner()
	var planned []*alarm.Silence
	for i := range c.Tocsin.Windows {
		s, err := planner.Plan(time.Time{}, c.Tocsin.Windows[i].asked())
		if err != nil {
			panic(err) // it was validated
		}
		planned = append(planned, s)
	}
	return planned
}

func (w *Window) asked() silence.Window {
	return silence.Window{
		Kind: alarm.KindWindow, Name: w.Name,
		Scope:    alarm.Scope{Cluster: w.Cluster, Instance: w.Instance, Environment: w.Environment, Team: w.Team},
		Matchers: slices.Concat(w.Matchers...), Start: w.Start, End: w.End, Duration: w.Duration, Rule: w.RRule, Zone: w.Zone,
		Grace: w.Grace, CloseOpen: w.CloseOpen, Comment: w.Comment, CreatedBy: "configuration",
	}
}
