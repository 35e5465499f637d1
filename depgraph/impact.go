package depgraph

import (
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// An impact is what is remembered of an alert that dependencies may explain, while it fires.
type impact struct {
	holdBack time.Duration // the longest of the rules that it is an impact of
	holder   int           // the rule that has it
	seen     time.Time     // when it was first seen to fire
	implied  time.Time     // what seen would be taken for after a restart
	stays    []stay        // one for each rule that withheld it, sorted by rule
	wake     time.Time     // when it is to be judged again; zero: only when something changes
	stored   bool          // it has a row
	changed  bool          // since the row was written
	written  uint64        // the hash of the row
}

// A stay is the time that a rule withholds an alert.
type stay struct {
	rule     int
	first    time.Time // since when, for the first time
	from     time.Time // since when, without a gap
	by, root model.Fingerprint
	name     string    // of the cause
	settle   time.Time // zero while a cause fires, else how long it stays withheld
	over     bool      // it lasted too long: the rule withholds it no more

	// check is when somebody has to know of the cause; heard says that somebody did, last time.
	check time.Time
	heard bool
}

// checkAfter is when somebody next has to know of a cause, for an alert that is withheld since some instant.
func (g *Graph) checkAfter(from, now time.Time) time.Time {
	return from.Add((now.Sub(from)/g.untold + 1) * g.untold)
}

// find returns the stay of a rule, or nil.
func (i *impact) find(rule int) *stay {
	for k := range i.stays {
		if i.stays[k].rule == rule {
			return &i.stays[k]
		}
	}
	return nil
}

// begin notes that the alert has begun to fire.
func (i *impact) begin(now time.Time, a *alarm.Alert, afresh bool) {
	i.implied = impliedSeen(now, a)
	i.seen = i.implied
	if afresh {
		i.seen = now
	}
	i.changed = i.holdBack > 0 && !i.seen.Equal(i.implied)
}

// impliedSeen is when an alert was first seen to fire, as far as it says itself.
func impliedSeen(now time.Time, a *alarm.Alert) time.Time {
	seen := a.StartsAt
	if a.FirstSeen.After(seen) {
		seen = a.FirstSeen
	}
	if seen.After(now) || seen.IsZero() {
		return now
	}
	return seen
}

// heldUntil is when the alert has waited long enough for a cause.
func (i *impact) heldUntil() time.Time { return i.seen.Add(i.holdBack) }

// later keeps the earliest of the instants after now at which something is to be done.
func later(now, wake, at time.Time) time.Time {
	if at.After(now) && (wake.IsZero() || at.Before(wake)) {
		return at
	}
	return wake
}
