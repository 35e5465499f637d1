package alarm

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// State is what an alert's sources say of it.
type State uint8

// The states of an alert. A pending alert is shown, never told, and never a cause.
const (
	Firing State = iota
	Pending
	Resolved
)

// String returns the state's name as API v2 and the pages print it.
func (s State) String() string {
	switch s {
	case Firing:
		return "firing"
	case Pending:
		return "pending"
	case Resolved:
		return "resolved"
	default:
		return fmt.Sprintf("State(%d)", uint8(s))
	}
}

// MarshalText returns the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(text []byte) error {
	for _, known := range [...]State{Firing, Pending, Resolved} {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("no alert state %q", text)
}

// An Alert is one condition that is, or was, true. Its identity is the fingerprint of its labels.
// An Alert and its maps are never modified once somebody else has seen them.
type Alert struct {
	fingerprint model.Fingerprint // first, for readers want it beside the next few

	Labels       model.LabelSet
	Annotations  model.LabelSet
	GeneratorURL string
	State        State

	// StartsAt is when it began to fire, the earliest of what its sources say.
	StartsAt time.Time

	// EndsAt is when it ends or ended, unless a source says otherwise until then. The zero time
	// means that it lasts until its source no longer reports it.
	EndsAt time.Time

	// UpdatedAt is when a source last spoke of it.
	UpdatedAt time.Time

	// Timeout says that EndsAt was not given by the source but is UpdatedAt + resolve_timeout.
	Timeout bool

	// Reports is what each source says of it, sorted by source. Presence keeps it.
	Reports []Report

	// RaisedBy is the name of the suppressor that raised the alert, or empty if sources report it.
	RaisedBy string

	// FirstSeen is when this alert was first seen, and Fired how many times it began to fire since.
	FirstSeen time.Time
	Fired     int

	// Counts are what else is counted. Nil while there is nothing but FirstSeen and Fired; see
	// [Alert.Occurrences], which has all of it.
	Counts *Counts
}

// A Report is what one source says of one alert.
type Report struct {
	Source    string    `json:"source"`
	State     State     `json:"state,omitempty"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt,omitzero"`
	UpdatedAt time.Time `json:"updatedAt"`
	Timeout   bool      `json:"timeout,omitempty"`
	Partial   bool      `json:"partial,omitempty"` // pushed: EndsAt ends it
}

// WithFingerprint returns a with its fingerprint computed, so that [Alert.Fingerprint] is free from
// then on. Call it after the labels are final.
func (a Alert) WithFingerprint() Alert {
	a.fingerprint = fingerprint(a.Labels)
	return a
}

// WithKnownFingerprint is WithFingerprint for a fingerprint that was computed before, of the same
// labels. It is not checked.
func (a Alert) WithKnownFingerprint(fp model.Fingerprint) Alert {
	a.fingerprint = fp
	return a
}

// Fingerprint is the 64-bit FNV-1a hash of the sorted labels, equal to Prometheus's and
// Alertmanager's.
func (a *Alert) Fingerprint() model.Fingerprint {
	if a.fingerprint != 0 {
		return a.fingerprint
	}
	return fingerprint(a.Labels)
}

// Name returns the alertname label.
func (a *Alert) Name() string { return string(a.Labels[model.AlertNameLabel]) }

// ResolvedAt says whether the alert has ended at t.
func (a *Alert) ResolvedAt(t time.Time) bool {
	if a.State == Resolved {
		return true
	}
	return !a.EndsAt.IsZero() && !a.EndsAt.After(t)
}

// String returns the alert's name and fingerprint, as logs and transcripts print it.
func (a *Alert) String() string {
	return fmt.Sprintf("%s[%s][%s]", a.Name(), a.Fingerprint().String()[:7], a.State)
}
