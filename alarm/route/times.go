package route

import (
	"slices"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
)

// times are the time intervals that a route names.
type times struct {
	mute, active []named
}

// A named is a time interval as the configuration defines it: several, under one name.
type named struct {
	name  string
	parts []timeinterval.TimeInterval
}

func newTimes(mute, active []string, intervals map[string][]timeinterval.TimeInterval) times {
	return times{mute: resolve(mute, intervals), active: resolve(active, intervals)}
}

func resolve(names []string, intervals map[string][]timeinterval.TimeInterval) []named {
	var all []named
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		all = append(all, named{name: name, parts: intervals[name]})
	}
	return all
}

// contains says whether now is within one of the parts.
func (n *named) contains(now time.Time) bool {
	return slices.ContainsFunc(n.parts, func(part timeinterval.TimeInterval) bool { return part.ContainsTime(now) })
}

// maxEdges bounds how far ahead muted looks for the end of its answer. With hours of the day that is
// some days, with weekdays some weeks.
const maxEdges = 16

// muted says by which intervals the route is muted, and until when that is so at least.
func (t *times) muted(now time.Time) (by []string, next time.Time) {
	now = now.Round(0).UTC() // by the wall clock, in UTC where an interval names no location
	by = t.by(now)
	next = now
	for range maxEdges {
		next = t.edge(next)
		if next.IsZero() || !slices.Equal(by, t.by(next)) {
			break
		}
	}
	return by, next
}

// by returns the names of the intervals that mute the route at now: all active ones if it is within
// none of them, else the mute ones that it is within.
func (t *times) by(now time.Time) []string {
	var by []string
	if len(t.active) > 0 && !slices.ContainsFunc(t.active, func(n named) bool { return n.contains(now) }) {
		for _, n := range t.active {
			by = append(by, n.name)
		}
		return by
	}
	for _, n := range t.mute {
		if n.contains(now) {
			by = append(by, n.name)
		}
	}
	return by
}

// edge returns the next instant at which any interval of the route can begin or end, or zero if there
// is none.
func (t *times) edge(now time.Time) time.Time {
	var next time.Time
	for _, list := range [][]named{t.mute, t.active} {
		for i := range list {
			for j := range list[i].parts {
				if e := edge(&list[i].parts[j], now); next.IsZero() || !e.IsZero() && e.Before(next) {
					next = e
				}
			}
		}
	}
	return next
}

// edge returns the next instant at which one interval can begin or end, or zero if it never does: a
// minute that it names, the next local midnight if it names days, and whatever comes sooner, a change
// of the zone's offset. Until then the local clock runs evenly, so the way to the edge can be measured
// on it.
func edge(interval *timeinterval.TimeInterval, now time.Time) time.Time {
	if interval.Times == nil && interval.DaysOfMonth == nil && interval.Months == nil &&
		interval.Weekdays == nil && interval.Years == nil {
		return time.Time{}
	}
	local := now
	if interval.Location != nil {
		local = now.In(interval.Location.Location)
	}
	const day = 24 * time.Hour
	clock := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute +
		time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
	left := day - clock
	for _, r := range interval.Times {
		for _, minute := range [...]int{r.StartMinute, r.EndMinute} {
			if to := time.Duration(minute)*time.Minute - clock; to > 0 && to < left {
				left = to
			}
		}
	}
	next := now.Add(left)
	if _, change := local.ZoneBounds(); !change.IsZero() && change.Before(next) {
		next = change.UTC()
	}
	return next
}
