package silence

import "time"

// A wall is what a clock on the wall shows, kept as a time in UTC. It names no instant by itself.
type wall = time.Time

// wallAt returns what a clock in loc shows at t.
func wallAt(t time.Time, loc *time.Location) wall {
	t = t.In(loc)
	y, m, d := t.Date()
	hour, minute, second := t.Clock()
	return time.Date(y, m, d, hour, minute, second, 0, time.UTC)
}

// instant returns when a clock in loc shows w, as RFC 5545 (section 3.3.5) has it: the first time if it
// shows w twice; and if it leaps over w, the instant at which it would have shown w without the leap.
// So no maintenance is left out because the clocks change. The offsets a day before and after tell them
// apart, for no zone changes its clock twice within two days.
func instant(w wall, loc *time.Location) time.Time {
	before := w.Add(-offset(w.Add(-24*time.Hour), loc))
	after := w.Add(-offset(w.Add(24*time.Hour), loc))
	switch {
	case wallAt(before, loc).Equal(w):
		return earlier(before, after, loc, w)
	case wallAt(after, loc).Equal(w):
		return after
	default:
		return before
	}
}

// earlier returns the first of two instants, if the clock shows w at both.
func earlier(a, b time.Time, loc *time.Location, w wall) time.Time {
	if b.Before(a) && wallAt(b, loc).Equal(w) {
		return b
	}
	return a
}

// offset is how far a clock in loc is ahead of UTC at t.
func offset(t time.Time, loc *time.Location) time.Duration {
	_, seconds := t.In(loc).Zone()
	return time.Duration(seconds) * time.Second
}
