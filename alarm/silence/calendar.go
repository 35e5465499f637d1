package silence

import (
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/tocsin/tocsin/alarm"
)

var _ alarm.Calendar = (*calendar)(nil)

// slack is more than any clock ever leapt: starts are in the order of the clock, but for those that it
// leapt over, which may come out of turn.
const slack = 26 * time.Hour

// A calendar computes the starts of a rule. The rule is evaluated on the wall clock, of which nothing
// is missing and nothing comes twice; only its starts are turned into instants.
type calendar struct {
	rule    rrule.ROption // explicit
	loc     *time.Location
	until   time.Time   // the last start may be then; zero: no end
	counted []time.Time // all starts of a rule that counts
}

// newCalendar returns the calendar of a recurrence that comes to pass, or a *RefusedError.
func newCalendar(r *alarm.Recurrence) (*calendar, error) {
	c, err := readCalendar(r)
	if err != nil {
		return nil, err
	}
	start := c.rule.Dtstart
	if first, ok := c.Next(instant(start, c.loc).Add(-slack)); !ok {
		return nil, refused("rrule", "look at its days and months, and at UNTIL", "%q never comes to pass", shown(r.Rule))
	} else if first.Year() > start.Year()+100 {
		return nil, refused("rrule", "look at its days and months", "%q does not come to pass within a hundred years", shown(r.Rule))
	}
	return c, nil
}

// readCalendar returns the calendar of a recurrence, or a *RefusedError.
func readCalendar(r *alarm.Recurrence) (*calendar, error) {
	loc, err := zone(r.Zone)
	if err != nil {
		return nil, err
	}
	start, err := time.Parse(wallForm, r.Start)
	if err != nil {
		return nil, refused("start", timeRemedy, "%q is no local time", shown(r.Start))
	}
	rule, until, err := parseRule(r.Rule, start)
	if err != nil {
		return nil, err
	}
	c := &calendar{rule: *rule, loc: loc}
	if until != "" {
		if c.until, err = parseUntil(until, loc); err != nil {
			return nil, err
		}
	}
	if rule.Count > 0 {
		for _, at := range c.from(start) { // which ends by itself
			c.counted = append(c.counted, at)
		}
	}
	return c, nil
}

// zone returns the location of an IANA name. The machine's own zone is none: another server has another.
func zone(name string) (*time.Location, error) {
	const remedy = "write an IANA name such as Europe/London, or UTC"
	if name == "" || strings.EqualFold(name, "local") {
		return nil, refused("zone", remedy, "no zone is named")
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, refused("zone", remedy, "no zone %q", shown(name))
	}
	return loc, nil
}

// parseUntil reads UNTIL: an instant with a Z, else on the wall clock; a day includes all of it.
func parseUntil(s string, loc *time.Location) (time.Time, error) {
	if t, err := time.Parse("20060102T150405Z", s); err == nil {
		return t, nil
	}
	if w, err := time.Parse("20060102T150405", s); err == nil {
		return instant(w, loc), nil
	}
	w, err := time.Parse("20060102", s)
	if err != nil {
		return time.Time{}, refused("rrule", "write one such as UNTIL=20271231", "UNTIL=%s is no date", shown(s))
	}
	return instant(w.AddDate(0, 0, 1), loc).Add(-time.Second), nil
}

// from yields the starts of the rule from a wall time on, and what the clock shows then, in its order.
func (c *calendar) from(w wall) iter.Seq2[wall, time.Time] {
	return func(yield func(wall, time.Time) bool) {
		rule := c.rule
		if rule.Count == 0 {
			rule = forward(rule, w)
		}
		r, err := rrule.NewRRule(rule)
		if err != nil {
			return // it was made once, so it can be made again
		}
		for next := r.Iterator(); ; {
			at, ok := next()
			if !ok || !yield(at, instant(at, c.loc)) {
				return
			}
		}
	}
}

// Last returns the latest start at t or before.
func (c *calendar) Last(t time.Time) (last time.Time, ok bool) {
	if !c.until.IsZero() && t.After(c.until) {
		t = c.until
	}
	take := func(at time.Time) {
		if !at.After(t) && (!ok || at.After(last)) {
			last, ok = at, true
		}
	}
	if c.rule.Count > 0 {
		for _, at := range c.counted {
			take(at)
		}
		return last, ok
	}
	shows := wallAt(t, c.loc)
	for back := 2 * 24 * time.Hour; ; back *= 8 {
		begin := shows.Add(-back - slack)
		if back > 50*365*24*time.Hour {
			begin = c.rule.Dtstart
		}
		for w, at := range c.from(begin) {
			if w.After(shows.Add(slack)) {
				break
			}
			take(at)
		}
		// What begins before the search may come after what it found only by a leap, which slack covers.
		if ok && last.After(t.Add(-back)) || !begin.After(c.rule.Dtstart) {
			return last, ok
		}
	}
}

// Next returns the earliest start after t.
func (c *calendar) Next(t time.Time) (next time.Time, ok bool) {
	take := func(at time.Time) {
		if at.After(t) && (c.until.IsZero() || !at.After(c.until)) && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	if c.rule.Count > 0 {
		for _, at := range c.counted {
			take(at)
		}
		return next, ok
	}
	for _, at := range c.from(wallAt(t, c.loc).Add(-slack)) {
		take(at)
		if ok && at.After(next.Add(slack)) || !c.until.IsZero() && at.After(c.until.Add(slack)) {
			break
		}
	}
	return next, ok
}

// Compile returns the silence with its calendar, which the store does not keep. It returns the silence
// itself if it has one already, or needs none.
func Compile(s *alarm.Silence) (*alarm.Silence, error) {
	if s.Recurrence == nil || s.Recurrence.Calendar != nil {
		return s, nil
	}
	c, err := readCalendar(s.Recurrence)
	if err != nil {
		return s, err
	}
	compiled, recurrence := *s, *s.Recurrence
	recurrence.Calendar = c
	compiled.Recurrence = &recurrence
	return &compiled, nil
}

// calendars keeps what was compiled, for those who ask again. Calendars never change.
type calendars struct {
	mu   sync.Mutex
	made map[*alarm.Silence]*alarm.Silence // guarded by mu
}

// compile replaces in a list what recurs by itself with its calendar. What it knew of silences that
// are not in the list, it forgets.
func (c *calendars) compile(all []*alarm.Silence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := map[*alarm.Silence]*alarm.Silence{}
	for i, s := range all {
		if s.Recurrence == nil || s.Recurrence.Calendar != nil {
			continue
		}
		compiled := c.made[s]
		if compiled == nil {
			compiled, _ = Compile(s) // where it fails there is no calendar, and so no occurrence
		}
		made[s], all[i] = compiled, compiled
	}
	c.made = made
}
