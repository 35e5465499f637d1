package silence

import (
	"errors"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A Window is maintenance as somebody asks for it. Exactly one of Duration, End and Lease says how long
// it lasts.
type Window struct {
	// Kind defaults to KindWindow where [Window.Silence] is asked through [Planner.Plan].
	Kind alarm.SilenceKind

	// Name is for people, and to extend and end it by. It is required of a window.
	Name string

	// Scope and Matchers say what it mutes: what matches all of them.
	Scope    alarm.Scope
	Matchers matcher.Matchers

	// Start is when it begins: 2006-01-02T15:04 on the clock of Zone, or RFC 3339. Empty is now. What
	// recurs is counted from it, on the clock of Zone.
	Start string

	// End is when it ends, in the same forms.
	End string

	// Duration is how long it lasts, or each occurrence.
	Duration time.Duration

	// Rule has it recur: an RRULE of RFC 5545.
	Rule string

	// Zone is an IANA name. Defaults to UTC.
	Zone string

	// Lease leaves the end open: it ends when it was not renewed for so long.
	Lease time.Duration

	// Grace is how long what still fires at the end stays withheld.
	Grace time.Duration

	// CloseOpen closes in level-triggered receivers what is open there.
	CloseOpen bool

	CreatedBy string
	Comment   string
}

// A Planner turns what was asked for into silences.
type Planner struct {
	// ClusterLabel, InstanceLabel and EnvironmentLabel name the labels that a scope speaks of. Default
	// to cluster, instance and environment.
	ClusterLabel, InstanceLabel, EnvironmentLabel string

	// Team returns what a team's alerts match, or false if there is no such team. Nil knows none.
	Team func(name string) (matcher.Matchers, bool)
}

const (
	wallForm   = "2006-01-02T15:04:05"
	timeRemedy = "write 2027-01-31T22:00, or 2027-01-31T22:00:00Z"

	maxName     = 200
	maxDuration = 366 * 24 * time.Hour
	minLease    = time.Second
)

// Plan returns the silence that a window is to be, without an ID, or a *RefusedError with everything
// that is wrong with it.
func (p Planner) Plan(now time.Time, w Window) (*alarm.Silence, error) {
	var wrong problems
	s := &alarm.Silence{
		Kind: w.Kind, Name: w.Name, Scope: w.Scope, Grace: w.Grace, CloseOpen: w.CloseOpen,
		CreatedBy: w.CreatedBy, Comment: w.Comment, UpdatedAt: now,
	}
	if w.Kind == alarm.KindWindow && strings.TrimSpace(w.Name) == "" {
		wrong.add("name", "give it one, to extend and end it by", "no name is given")
	}
	if len(w.Name) > maxName || strings.ContainsFunc(w.Name, unprintable) {
		wrong.add("name", "write a short one in a line", "longer than %d bytes, or not printable", maxName)
	}
	s.Matchers = p.matchers(w, &wrong)
	w.times(now, s, &wrong)
	if w.Grace < 0 || w.Grace > maxDuration {
		wrong.add("grace", "write one such as 5m", "%s is no grace", model.Duration(w.Grace))
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return s, nil
}

func unprintable(r rune) bool { return r < ' ' || r == 0x7f }

// matchers returns what the scope and the matchers say together.
func (p Planner) matchers(w Window, wrong *problems) matcher.Matchers {
	var all matcher.Matchers
	for _, of := range []struct{ label, otherwise, value string }{
		{p.ClusterLabel, "cluster", w.Scope.Cluster},
		{p.EnvironmentLabel, "environment", w.Scope.Environment},
	} {
		if of.label == "" {
			of.label = of.otherwise
		}
		if of.value != "" {
			all = append(all, &matcher.Matcher{Type: matcher.Equal, Name: of.label, Value: of.value})
		}
	}
	if w.Scope.Instance != "" {
		label := p.InstanceLabel
		if label == "" {
			label = "instance"
		}
		all = append(all, onInstance(label, w.Scope.Instance))
	}
	if name := w.Scope.Team; name != "" {
		var team matcher.Matchers
		known := false
		if p.Team != nil {
			team, known = p.Team(name)
		}
		if !known || len(team) == 0 {
			wrong.add("team", "name one of tocsin.teams, or write matchers", "no team %q with matchers", shown(name))
		}
		all = append(all, team...)
	}
	all = append(all, w.Matchers...)
	if len(all) == 0 {
		if w.Scope.Team == "" {
			wrong.add("matchers", "name a cluster, an instance, an environment, a team, or write matchers", "nothing says what it mutes")
		}
		return nil
	}
	compiled, err := compile(all)
	if err == nil && !slices.ContainsFunc(compiled, func(m *matcher.Matcher) bool { return !matchesEmpty(m) }) {
		err = errors.New("at least one matcher must not match the empty string")
	}
	if err != nil {
		wrong.add("matchers", `write some such as env="staging"`, "%v", err)
		return nil
	}
	return compiled
}

// onInstance matches a host with whatever port, or exactly what has a port.
func onInstance(label, instance string) *matcher.Matcher {
	if _, _, err := net.SplitHostPort(instance); err == nil {
		return &matcher.Matcher{Type: matcher.Equal, Name: label, Value: instance}
	}
	return &matcher.Matcher{Type: matcher.Regexp, Name: label, Value: regexp.QuoteMeta(instance) + "(:[0-9]+)?"}
}

// times sets when the silence begins and ends.
func (w Window) times(now time.Time, s *alarm.Silence, wrong *problems) {
	if w.Zone == "" {
		w.Zone = "UTC"
	}
	loc, err := zone(w.Zone)
	if err != nil {
		wrong.also(err)
		return
	}
	begin := now
	if w.Start != "" {
		if begin, err = ParseTime(w.Start, loc); err != nil {
			wrong.also(inField("start", err))
			return
		}
	}
	if !w.oneLength(wrong) {
		return
	}
	switch {
	case w.Rule != "":
		w.series(begin, loc, s, wrong)
		return
	case w.Lease > 0:
		s.Lease, s.EndsAt = w.Lease, latest(now, begin).Add(w.Lease)
	case w.Duration > 0:
		s.EndsAt = begin.Add(w.Duration)
	default:
		if s.EndsAt, err = ParseTime(w.End, loc); err != nil {
			wrong.also(inField("end", err))
			return
		}
	}
	s.StartsAt = begin
	switch {
	case !s.EndsAt.After(s.StartsAt):
		wrong.add("end", "let it end later", "it ends before it begins")
	case s.EndsAt.Sub(s.StartsAt) > maxDuration:
		wrong.add("end", "let it recur, or fix the rule that fires", "longer than a year")
	}
}

// oneLength checks that one key, and only one, says how long the window lasts.
func (w Window) oneLength(wrong *problems) bool {
	before, given := len(*wrong), 0
	for _, is := range []bool{w.Duration != 0, w.End != "", w.Lease != 0} {
		if is {
			given++
		}
	}
	switch {
	case w.Rule != "" && (w.End != "" || w.Lease != 0):
		wrong.add("rrule", "say how long each occurrence lasts by duration, and when the series ends by UNTIL", "what recurs has no end and no lease")
	case given == 0:
		wrong.add("duration", "write one such as 2h, or end, or lease for an open end that must be renewed", "nothing says how long it lasts")
	case given > 1:
		wrong.add("duration", "keep one of duration, end and lease", "its length is given more than once")
	case w.Duration < 0 || w.Duration > maxDuration:
		wrong.add("duration", "write one such as 2h", "%s is no length of a window", model.Duration(w.Duration))
	case w.Lease != 0 && (w.Lease < minLease || w.Lease > maxDuration):
		wrong.add("lease", "write one such as 15m", "%s is no lease", model.Duration(w.Lease))
	}
	return len(*wrong) == before
}

// series has the silence recur.
func (w Window) series(begin time.Time, loc *time.Location, s *alarm.Silence, wrong *problems) {
	r := &alarm.Recurrence{
		Rule: strings.TrimSpace(w.Rule), Zone: w.Zone, Start: wallAt(begin, loc).Format(wallForm), Duration: w.Duration,
	}
	c, err := newCalendar(r)
	if err != nil {
		wrong.also(err)
		return
	}
	r.Calendar = c
	s.Recurrence, s.EndsAt = r, alarm.NoEnd()
	s.StartsAt, _ = c.Next(instant(wallAt(begin, loc), loc).Add(-slack)) // there is one, else it was refused
	if !c.until.IsZero() || c.rule.Count > 0 {
		if last, ok := c.Last(alarm.NoEnd()); ok {
			s.EndsAt = last.Add(w.Duration)
		}
	}
}

// ParseTime reads a time: RFC 3339, or without an offset on the clock of loc.
func ParseTime(s string, loc *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return inYears(t.UTC())
	}
	for _, form := range []string{wallForm, "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if w, err := time.Parse(form, s); err == nil {
			return inYears(instant(w, loc).UTC())
		}
	}
	return time.Time{}, refused("start", timeRemedy, "%q is no time", shown(s))
}

// inYears refuses what is surely a slip, and what a store could not hold.
func inYears(t time.Time) (time.Time, error) {
	if y := t.Year(); y < 1970 || y > 2200 {
		return time.Time{}, refused("start", timeRemedy, "the year %d is not from 1970 to 2200", y)
	}
	return t, nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
