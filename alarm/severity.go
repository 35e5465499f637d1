package alarm

import (
	"slices"

	"github.com/prometheus/common/model"
)

// A Severity is one value of the severity label, and what follows from it.
type Severity struct {
	Name     string // the label's value
	Page     bool   // somebody is woken up for it
	Priority string // at receivers that have priorities, such as P1; may be empty
}

// Severities are the values of the severity label, the worst first. The zero value knows none: then all
// alerts are equal.
type Severities struct {
	Label  model.LabelName // defaults to severity
	Values []Severity
}

// Rank returns how bad an alert is: 0 is the worst, and every step is milder. It returns false if the
// alert has no severity that is known.
func (s *Severities) Rank(ls model.LabelSet) (int, bool) {
	label := s.Label
	if label == "" {
		label = "severity"
	}
	value := string(ls[label])
	n := slices.IndexFunc(s.Values, func(v Severity) bool { return v.Name == value })
	return n, n >= 0
}

// Of returns the severity of an alert, or false if it has none that is known.
func (s *Severities) Of(ls model.LabelSet) (Severity, bool) {
	n, ok := s.Rank(ls)
	if !ok {
		return Severity{}, false
	}
	return s.Values[n], true
}

// Milder says whether an alert is known to be less severe than another. One without a known severity
// counts as equal to any other.
func (s *Severities) Milder(a, than model.LabelSet) bool {
	x, known := s.Rank(a)
	y, alsoKnown := s.Rank(than)
	return known && alsoKnown && x > y
}
