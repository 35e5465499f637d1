package alarm

import "time"

// leapLeast is how far the wall clock must be set for the engine to mind. Less is what clocks drift, and what
// timers may be late by.
const leapLeast = 10 * time.Second

// leapt returns by how much the wall clock was set since the last turn: what it went on and the monotonic
// clock did not. A machine that was suspended has leapt, too. It is zero if that is little.
//
// What leapt is like a restart. Everything that waits, or counts time, is built anew out of what is
// stored: what senders could not say while we were not there is not taken for silence, what fell due is
// due, and what would lie farther ahead than it can does not.
func (e *Engine) leapt(now time.Time) time.Duration {
	last := e.turned
	e.turned = now
	if last.IsZero() {
		return 0
	}
	by := now.Round(0).Sub(last.Round(0)) - now.Sub(last)
	if by.Abs() < leapLeast {
		return 0
	}
	return by
}

// land has the engine go by the clock as it was set, when it builds everything anew, and returns what history
// has of that.
func (e *Engine) land() []Event {
	if e.leap == 0 {
		return nil
	}
	by := e.leap
	e.started = e.started.Round(0).Add(by)
	e.sweepNext, e.leap = time.Time{}, 0
	e.log.Warn("the clock was set", "by", by.Round(time.Millisecond))
	return []Event{{Kind: "clock", Note: "the clock was set by " + by.Round(time.Millisecond).String()}}
}

// bounded returns a group's timers, of which none lies farther ahead than it can, and whether they are
// others than they were: they were made by a clock that was set back since.
func (e *Engine) bounded(now time.Time, s GroupState) (GroupState, bool) {
	if most := later(now.Add(s.Group.Wait), e.started.Add(e.opts.StartDelay)); s.Anchor.After(most) {
		s.Created, s.Anchor = now, most
		return s, true
	}
	return s, false
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
