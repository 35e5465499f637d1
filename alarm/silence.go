package alarm

import (
	"slices"
	"time"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// A SilenceKind says what a silence is for, and so which reason it gives.
type SilenceKind string

// The kinds of a silence. The zero value is a person's.
const (
	KindSilence  SilenceKind = ""         // a person does not want to hear of it
	KindWindow   SilenceKind = "window"   // planned maintenance
	KindActivity SilenceKind = "activity" // nobody uses the environment
)

// String returns the kind as a word: silence, window or activity.
func (k SilenceKind) String() string { return string(k.Reason()) }

// Reason is what an alert is withheld for by a silence of this kind.
func (k SilenceKind) Reason() Reason {
	switch k {
	case KindWindow:
		return ReasonWindow
	case KindActivity:
		return ReasonActivity
	default:
		return ReasonSilence
	}
}

// A Silence mutes the alerts that it matches between two instants. A person made it, a plan did (then
// it is a window, and may recur), or tocsin itself.
type Silence struct {
	ID          string
	Matchers    matcher.Matchers
	StartsAt    time.Time
	EndsAt      time.Time
	UpdatedAt   time.Time
	CreatedBy   string
	Comment     string
	Annotations map[string]string

	Kind  SilenceKind
	Name  string // of a window, for people; unique among those that have not expired
	Scope Scope  // what it was asked for; Matchers say the same, and what else they were given

	// Recurrence has it mute again and again. Then StartsAt and EndsAt are the bounds of the series: no
	// occurrence begins before the one, or lasts beyond the other. Nil mutes once.
	Recurrence *Recurrence

	// Exceptions are occurrences that were prolonged, cut short or called off, sorted by start.
	Exceptions []Span

	// Lease is for how long it was asked if its end was left open: EndsAt is the last renewal and Lease.
	Lease time.Duration

	// Grace is how long what still fires at the end stays withheld. What begins to fire meanwhile is not.
	Grace time.Duration

	// CloseOpen closes in level-triggered receivers what is open there.
	CloseOpen bool

	// FromFile says that the configuration file plans it: what is not there any more ends.
	FromFile bool
}

// A Scope is what maintenance is planned for, in the words of who plans. An empty field says nothing.
type Scope struct {
	Cluster     string `json:"cluster,omitempty"`
	Instance    string `json:"instance,omitempty"`
	Environment string `json:"environment,omitempty"`
	Team        string `json:"team,omitempty"`
}

// A Recurrence says when a window is repeated.
type Recurrence struct {
	Rule     string        // RFC 5545, without DTSTART, such as FREQ=WEEKLY;BYDAY=TU
	Zone     string        // of the clock that the rule means, by its IANA name
	Start    string        // on that clock, 2006-01-02T15:04:05: what the rule counts from
	Duration time.Duration // of each occurrence, as it passes: changes of the clock do not stretch it

	// Calendar computes when occurrences begin. It is not stored, and made anew from the other fields
	// (package silence does so). Without one nobody knows, and nothing is muted.
	Calendar Calendar
}

// A Calendar computes when occurrences begin. It may be used by any number of goroutines.
type Calendar interface {
	// Last returns the latest start at t or before.
	Last(t time.Time) (start time.Time, ok bool)

	// Next returns the earliest start after t.
	Next(t time.Time) (start time.Time, ok bool)
}

// A Span is one occurrence: a time that a silence mutes: from Start on, until just before End. If it ends when
// it starts, it was called off.
type Span struct {
	Start time.Time
	End   time.Time
}

func (o Span) contains(t time.Time) bool { return !t.Before(o.Start) && t.Before(o.End) }

// NoEnd is the EndsAt of a series that goes on for ever.
func NoEnd() time.Time { return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }

// SilenceState is where a silence is in its life.
type SilenceState string

// The states of a silence.
const (
	SilencePending SilenceState = "pending"
	SilenceActive  SilenceState = "active"
	SilenceExpired SilenceState = "expired"
)

// StateAt returns the silence's state at t: active from StartsAt on, expired from EndsAt on. One that
// recurs is active during each occurrence, pending between them, and expired after the last.
func (s *Silence) StateAt(t time.Time) SilenceState {
	o := Span{s.StartsAt, s.EndsAt}
	if !s.once() {
		var ok bool
		if o, ok = s.Occurrence(t); !ok {
			return SilenceExpired
		}
	}
	switch {
	case t.Before(o.Start):
		return SilencePending
	case t.Before(o.End):
		return SilenceActive
	default:
		return SilenceExpired
	}
}

// once says that the silence mutes from StartsAt to EndsAt, and that is all there is to it.
func (s *Silence) once() bool { return s.Recurrence == nil && len(s.Exceptions) == 0 }

// Occurrence returns the occurrence that is under way at t, or else the next one. It returns false if
// none is left. If two overlap, the one that ends later counts.
func (s *Silence) Occurrence(t time.Time) (Span, bool) {
	if o, ok := s.Latest(t); ok && o.contains(t) {
		return o, true
	}
	for from := t; ; {
		start, ok := s.startAfter(from)
		if !ok {
			return Span{}, false
		}
		if o := s.occurrence(start); o.End.After(o.Start) {
			return o, true
		}
		from = start
	}
}

// Latest returns the occurrence that began at t or before and ends last, whether it has ended or not.
func (s *Silence) Latest(t time.Time) (Span, bool) {
	var latest Span
	if start, ok := s.startUntil(t); ok {
		latest = s.occurrence(start)
	}
	for _, x := range s.Exceptions {
		if o := s.bounded(x); !o.Start.After(t) && o.End.After(o.Start) && o.End.After(latest.End) {
			latest = o
		}
	}
	return latest, latest.End.After(latest.Start)
}

// Ahead returns the first n occurrences that are under way at t or begin after it.
func (s *Silence) Ahead(t time.Time, n int) []Span {
	var all []Span
	for range n {
		o, ok := s.Occurrence(t)
		if !ok {
			break
		}
		all = append(all, o)
		t = o.End
	}
	return all
}

// NextStart returns when the first occurrence after t begins.
func (s *Silence) NextStart(t time.Time) (time.Time, bool) {
	for from := t; ; {
		start, ok := s.startAfter(from)
		if !ok {
			return time.Time{}, false
		}
		if o := s.occurrence(start); o.End.After(o.Start) {
			return start, true
		}
		from = start
	}
}

func (s *Silence) startUntil(t time.Time) (time.Time, bool) {
	switch {
	case s.Recurrence == nil:
		return s.StartsAt, !s.StartsAt.After(t)
	case s.Recurrence.Calendar == nil:
		return time.Time{}, false
	}
	if !t.Before(s.EndsAt) { // what begins at the end of the series is none of it
		t = s.EndsAt.Add(-1)
	}
	start, ok := s.Recurrence.Calendar.Last(t)
	return start, ok && !start.Before(s.StartsAt)
}

func (s *Silence) startAfter(t time.Time) (time.Time, bool) {
	switch {
	case s.Recurrence == nil:
		return s.StartsAt, s.StartsAt.After(t)
	case s.Recurrence.Calendar == nil:
		return time.Time{}, false
	}
	if t.Before(s.StartsAt) {
		t = s.StartsAt.Add(-1)
	}
	start, ok := s.Recurrence.Calendar.Next(t)
	return start, ok && start.Before(s.EndsAt)
}

// occurrence returns the one that begins at start, as it is after exceptions.
func (s *Silence) occurrence(start time.Time) Span {
	o := Span{Start: start, End: s.EndsAt}
	if s.Recurrence != nil {
		o.End = start.Add(s.Recurrence.Duration)
	}
	for _, x := range s.Exceptions {
		if x.Start.Equal(start) {
			o = x
		}
	}
	return s.bounded(o)
}

// bounded cuts an occurrence of a series at its end. A single one may be prolonged beyond EndsAt.
func (s *Silence) bounded(o Span) Span {
	if s.Recurrence != nil && o.End.After(s.EndsAt) {
		o.End = s.EndsAt
	}
	if o.End.Before(o.Start) {
		o.End = o.Start
	}
	return o
}

// At returns the silence as one who knows no recurrence is to see it at t: it begins and ends with the
// occurrence that is under way, or else with the next one, or else with the last.
func (s *Silence) At(t time.Time) *Silence {
	if s.once() {
		return s
	}
	o, ok := s.Occurrence(t)
	if !ok {
		if o, ok = s.Latest(t); !ok {
			return s
		}
	}
	shown := *s
	shown.StartsAt, shown.EndsAt = o.Start, o.End
	shown.Recurrence, shown.Exceptions = nil, nil
	return &shown
}

// Except returns the silence with one occurrence as it is from now on. Exceptions of which nothing is
// left at now are forgotten, but for the last.
func (s *Silence) Except(now time.Time, o Span) *Silence {
	changed := *s
	changed.Exceptions = nil
	for _, x := range s.Exceptions {
		over := !x.End.After(now) && s.Recurrence != nil && !x.Start.Add(s.Recurrence.Duration+s.Grace).After(now)
		if !x.Start.Equal(o.Start) && !over {
			changed.Exceptions = append(changed.Exceptions, x)
		}
	}
	changed.Exceptions = append(changed.Exceptions, o)
	slices.SortFunc(changed.Exceptions, func(a, b Span) int { return a.Start.Compare(b.Start) })
	changed.UpdatedAt = now
	return &changed
}

// A SilenceChange is a silence that was set, or one that retention removed.
type SilenceChange struct {
	Silence *Silence
	Removed bool
}
