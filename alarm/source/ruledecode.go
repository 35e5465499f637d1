package source

import (
	"errors"
	"fmt"
	"time"
)

// ErrNoRules is what Rules.Alerts returns when a server lists no group of rules at all. Either it has
// none, or a proxy answered that has lost its vmalert.
var ErrNoRules = errors.New("it lists no rules at all: there are none, or who answers is not the one who evaluates them")

// decodeRules reads an answer to /api/v1/rules and returns its alerting rules, and whether there was
// any group. Recording rules are left out.
func (l *listing) decodeRules(s *stream) (rules []rule, groups int, err error) {
	var status, kind, message, next string
	var warnings []string
	err = s.object(func(field string) error {
		switch field {
		case "status":
			return s.into(&status)
		case "errorType":
			return s.into(&kind)
		case "error":
			return s.into(&message)
		case "warnings":
			return s.into(&warnings)
		case "data":
			return s.object(func(field string) error {
				switch field {
				case "groupNextToken":
					return s.into(&next)
				case "groups":
					return s.array(func() error {
						groups++
						found, err := l.decodeGroup(s)
						rules = append(rules, found...)
						return err
					})
				}
				return s.skip()
			})
		}
		return s.skip()
	})
	if err == nil {
		err = s.finish()
	}
	switch {
	case err != nil:
		return nil, 0, err
	case status == "":
		return nil, 0, errors.New("it is not of this API: it has no status")
	case status != "success":
		return nil, 0, fmt.Errorf("it says %.20q, %.40q: %.200q", status, kind, message)
	case len(warnings) > 0:
		return nil, 0, fmt.Errorf("it is only a part of the truth: %.200q", warnings[0])
	case next != "":
		return nil, 0, errors.New("it is only a part of the truth: more groups are on a next page")
	}
	return rules, groups, nil
}

func (l *listing) decodeGroup(s *stream) ([]rule, error) {
	var rules []rule
	var name string
	var interval float64
	err := s.object(func(field string) error {
		switch field {
		case "name":
			return s.into(&name)
		case "interval":
			return s.into(&interval)
		case "rules":
			return s.array(func() error {
				r, recording, err := l.decodeRule(s)
				if !recording {
					rules = append(rules, r)
				}
				return err
			})
		}
		return s.skip()
	})
	for i := range rules {
		rules[i].group, rules[i].interval = name, seconds(interval)
	}
	return rules, err
}

func (l *listing) decodeRule(s *stream) (r rule, recording bool, err error) {
	var kind string
	var hold float64
	var evaluated string
	var labels map[string]string
	err = s.object(func(field string) error {
		switch field {
		case "type":
			return s.into(&kind)
		case "name":
			return s.into(&r.name)
		case "labels":
			return s.into(&labels)
		case "duration":
			return s.into(&hold)
		case "state":
			return s.into(&r.state)
		case "health":
			return s.into(&r.health)
		case "lastError":
			return s.into(&r.lastError)
		case "lastEvaluation":
			return s.into(&evaluated)
		case "alerts":
			return s.array(func() error { return l.decodeListed(s, &r) })
		}
		return s.skip()
	})
	if err != nil {
		return r, false, err
	}
	r.labels, r.hold = labelSet(labels), seconds(hold)
	if evaluated != "" {
		if r.evaluated, err = parseTime(evaluated); err != nil {
			return r, false, fmt.Errorf("lastEvaluation: %w", err)
		}
	}
	return r, kind == "recording", nil
}

// decodeListed reads one alert of a rule.
func (l *listing) decodeListed(s *stream, r *rule) error {
	raw, err := s.value()
	if err != nil {
		return err
	}
	a, err := l.read(raw)
	if errors.Is(err, errShape) {
		return err
	}
	if err != nil || a.state < firing || a.who.Name() == "" {
		r.invalid++
		return nil
	}
	r.alerts = append(r.alerts, a)
	return nil
}

// seconds turns the seconds of an API into a duration. What is beyond ten years is ten years.
func seconds(f float64) time.Duration {
	const most = 10 * 365 * 24 * 60 * 60
	return time.Duration(min(max(f, 0), most) * float64(time.Second))
}
