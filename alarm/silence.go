package alarm

import (
	"time"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// A Silence mutes the alerts that it matches between two instants. A person made it.
type Silence struct {
	ID          string
	Matchers    matcher.Matchers
	StartsAt    time.Time
	EndsAt      time.Time
	UpdatedAt   time.Time
	CreatedBy   string
	Comment     string
	Annotations map[string]string
}

// SilenceState is where a silence is in its life.
type SilenceState string

// The states of a silence.
const (
	SilencePending SilenceState = "pending"
	SilenceActive  SilenceState = "active"
	SilenceExpired SilenceState = "expired"
)

// StateAt returns the silence's state at t: active from StartsAt on, expired from EndsAt on.
func (s *Silence) StateAt(t time.Time) SilenceState {
	switch {
	case t.Before(s.StartsAt):
		return SilencePending
	case t.Before(s.EndsAt):
		return SilenceActive
	default:
		return SilenceExpired
	}
}

// A SilenceChange is a silence that was set, or one that retention removed.
type SilenceChange struct {
	Silence *Silence
	Removed bool
}
