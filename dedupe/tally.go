package dedupe

import (
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// tally counts what became of an alert. Counts that were handed out are not modified; most alerts fire
// once and never need any.
func (p *Presence) tally(now time.Time, e *entry, k kept) {
	before, a := e.alert, e.draft
	if before == nil && a.State != alarm.Resolved {
		p.recall(e)
	}
	wasFiring := before != nil && before.State == alarm.Firing
	began := a.State == alarm.Firing && !wasFiring
	ended := wasFiring && a.State != alarm.Firing
	news := k.news != Steady && k.news != Flapping
	flaps := a.Counts != nil && a.Counts.Flapping != nil
	if !(began && (before != nil || a.Counts != nil)) && !ended && !k.reopened && !news && !flaps {
		return
	}
	o := a.Occurrences()
	c := o.Counts
	switch {
	case began:
		c.Since = now
	case ended:
		c.Firing, c.Ended = o.FiringAt(now, true), now
	}
	if k.reopened {
		c.Reopens++
	}
	c.Flapping = p.flapping(now, e, k, c.Flapping)
	if k.news == FlapStarted {
		c.Flaps++
	}
	if a.Counts == nil || !sameCounts(*a.Counts, c) {
		a.Counts = &c
	}
}

// flapping returns what is counted of an alert that flaps.
func (p *Presence) flapping(now time.Time, e *entry, k kept, old *alarm.Flapping) *alarm.Flapping {
	if p.flap == nil || !p.flap.Flapping(e.fingerprint) {
		return nil
	}
	f := alarm.Flapping{Since: now}
	if old != nil {
		f = *old
	}
	f.Changes = p.flap.Changes(e.fingerprint)
	if k.news == FlapNoted {
		f.Noted, f.NotedChanges = now, f.Changes
	}
	if old != nil && *old == f {
		return old
	}
	return &f
}

// sameCounts says whether nothing was counted. What flapping returns is the old one if it is the same.
func sameCounts(x, y alarm.Counts) bool { return x == y }
