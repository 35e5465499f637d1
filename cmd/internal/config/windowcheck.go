package config

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/silence"
)

// windows checks what is planned. Teams were decoded before.
func (v validator) windows(t *Tocsin) {
	seen := map[string]bool{}
	planner := t.planner()
	for i := range t.Windows {
		w := &t.Windows[i]
		path := join(v.root, "windows"+index(i))
		if isNull(v.at("windows", i)) {
			continue // refused already
		}
		w.place = v.doc.problem(v.at("windows", i), path, "", "")
		at := func(key string) *yaml.Node { return v.at("windows", i, key) }
		if w.Name != "" && seen[w.Name] {
			v.refuse(at("name"), join(path, "name"), fmt.Sprintf("%q is given twice", w.Name), "choose another name")
		}
		seen[w.Name] = true
		if w.Start == "" {
			v.refuse(at("start"), join(path, "start"), "nothing says when it begins", "write one such as 2027-01-31T22:00")
			w.Start = "2000-01-01T00:00" // so that the rest is looked at
		}
		var refused *silence.RefusedError
		planned, err := planner.Plan(time.Time{}, w.asked())
		if errors.As(err, &refused) {
			for _, p := range refused.Problems {
				v.refuse(at(p.Field), join(path, p.Field), p.What, p.Remedy)
			}
		} else if err == nil && endless(planned) {
			v.refuse(at("duration"), join(path, "duration"), fmt.Sprintf("it never ends: each occurrence lasts %s, until the next one begins or longer", model.Duration(w.Duration)),
				"write less than the time from one start to the next")
		}
	}
	v.silenceGuard(t)
}

// endless says whether what recurs begins again before it has ended, each time as far as one looks. What
// counts is what the clock shows: a day has 23 or 25 hours now and then.
func endless(s *alarm.Silence) bool {
	if s.Recurrence == nil {
		return false
	}
	loc, err := time.LoadLocation(s.Recurrence.Zone)
	if err != nil {
		return false // it was planned, so that there is one
	}
	shows := func(t time.Time) time.Time {
		_, offset := t.In(loc).Zone()
		return t.UTC().Add(time.Duration(offset) * time.Second)
	}
	const ahead = 32 // more than a month has days
	last := s.StartsAt
	for n := range ahead {
		next, ok := s.NextStart(last)
		if !ok {
			return n > 0
		}
		if shows(next).Sub(shows(last)) > s.Recurrence.Duration {
			return false
		}
		last = next
	}
	return true
}

// silenceGuard checks the guard against the severities. The one that it has by default need not be among
// them: then the worst is meant.
func (v validator) silenceGuard(t *Tocsin) {
	path := join(v.root, "silence_guard")
	if t.SilenceGuard.Alerts < 0 {
		v.refuse(v.at("silence_guard", "alerts"), join(path, "alerts"), "less than zero", "write 0 for any number")
	}
	var names []string
	for _, s := range t.Severities {
		names = append(names, s.Name)
	}
	guarded := t.SilenceGuard.Severity
	if guarded == "" || len(names) == 0 || slices.Contains(names, guarded) {
		return
	}
	if given := get(get(v.section, "silence_guard"), "severity"); given != nil && !isNull(given) {
		v.refuse(given, join(path, "severity"), fmt.Sprintf("no severity %q: nobody would be asked", guarded), known(guarded, names))
		return
	}
	t.SilenceGuard.Severity = names[0]
}

// Past warns of windows that happen once, and were over before now.
func (c *Config) Past(now time.Time) Problems {
	var past Problems
	for i, s := range c.Windows() {
		if s.Recurrence == nil && s.EndsAt.Before(now) {
			p := c.Tocsin.Windows[i].place
			p.What = fmt.Sprintf("it was over at %s, and mutes nothing", s.EndsAt.UTC().Format(time.RFC3339))
			p.Remedy = "remove it, or correct start"
			past = append(past, p)
		}
	}
	return past
}
