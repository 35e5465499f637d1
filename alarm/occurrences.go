package alarm

import (
	"fmt"
	"time"
)

// Occurrences counts what happened to one alert since it was first seen: what somebody asks who
// wonders whether it is worth having. It is kept across restarts, and for a while after the alert was
// forgotten. How often an alert was sent again is not among it.
type Occurrences struct {
	FirstSeen time.Time // when this alert was first seen, pending or firing
	LastSeen  time.Time // when a source last spoke of it
	Fired     int       // how many times it began to fire
	Counts
}

// Counts are what an alert does not carry before it matters: most alerts fire once. They are never
// modified once somebody else has seen them.
type Counts struct {
	// Since is when it last began to count as firing. Under an alert that keeps firing it does not
	// move, and StartsAt may be earlier, for that is what the sources say.
	Since time.Time `json:"since,omitzero"`

	// Ended is when it last ceased to count as firing.
	Ended time.Time `json:"ended,omitzero"`

	// Firing is how long it counted as firing, without what is under way: see FiringAt. It is measured
	// from cycle to cycle, so that history gives the same.
	Firing time.Duration `json:"firing,omitempty"`

	// Reopens is how many times it came back while it was kept up although no source reported it: by
	// linger, or because it flaps.
	Reopens int `json:"reopens,omitempty"`

	// Flaps is how many times it began to flap.
	Flaps int `json:"flaps,omitempty"`

	// Transients is how many times it fired and ended within its hold, for an alert that Hold raised in
	// place of one that does so again and again.
	Transients int `json:"transients,omitempty"`

	// Flapping says that it flaps now.
	Flapping *Flapping `json:"flapping,omitempty"`
}

// Flapping is an alert's present instability.
type Flapping struct {
	Since   time.Time `json:"since"`   // when it began to flap
	Changes int       `json:"changes"` // changes of state, with those that made it flap

	// Noted is when somebody was last to be told that it flaps on, and NotedChanges what Changes were
	// then: whoever shows a note does so when Noted moves. Zero until the first note.
	Noted        time.Time `json:"noted,omitzero"`
	NotedChanges int       `json:"notedChanges,omitempty"`
}

// Occurrences returns what happened to the alert so far.
func (a *Alert) Occurrences() Occurrences {
	o := Occurrences{FirstSeen: a.FirstSeen, LastSeen: a.UpdatedAt, Fired: a.Fired}
	if a.Counts != nil {
		o.Counts = *a.Counts
	}
	if o.Since.IsZero() && a.State != Pending {
		o.Since = a.FirstSeen
		if o.Since.IsZero() { // nobody counts: raised by a suppressor, or made by a test
			o.Since = a.StartsAt
		}
	}
	return o
}

// FiringAt is for how long the alert has counted as firing, until now. The time under way counts if
// it fires.
func (o Occurrences) FiringAt(now time.Time, firing bool) time.Duration {
	if !firing || o.Since.IsZero() || now.Before(o.Since) {
		return o.Firing
	}
	return o.Firing + now.Sub(o.Since)
}

// Note says in one sentence what is unusual about the alert, or nothing. It changes when it is time to
// tell somebody: not with every change of a flapping alert.
func (o Occurrences) Note() string {
	f := o.Flapping
	switch {
	case o.Transients > 0:
		return fmt.Sprintf("Fired and ended %d times since %s, each time too briefly to tell.", o.Transients, clock(o.FirstSeen))
	case f == nil:
		return ""
	case f.NotedChanges > 0:
		return fmt.Sprintf("Flapping since %s: %d changes of state by %s.", clock(f.Since), f.NotedChanges, clock(f.Noted))
	default:
		return fmt.Sprintf("Flapping since %s.", clock(f.Since))
	}
}

// clock prints an instant for people who are in no particular time zone.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
