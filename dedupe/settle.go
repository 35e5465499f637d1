package dedupe

import (
	"slices"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// settle decides, for each alert that was touched, what its reports make of it, and hands it out.
func (p *Presence) settle(now time.Time) []alarm.Change {
	slices.SortFunc(p.touched, byFingerprint)
	changes := make([]alarm.Change, 0, len(p.touched))
	for _, e := range p.touched {
		if e.spoken && !p.freshlyFiring(now, e.draft.Reports) {
			p.outvote(now, e)
		}
		var k kept
		if p.flap != nil || p.opts.Linger > 0 {
			k = p.keep(now, e)
		}
		decide(now, e.alert, e.draft, k)
		e.up = e.draft.State == alarm.Firing && !k.up
		p.tally(now, e, k)
		kind, changed := compare(e.alert, e.draft)
		unknown := e.alert == nil && e.draft.State == alarm.Resolved
		if changed {
			changes = append(changes, alarm.Change{Kind: kind, Alert: e.draft, Source: e.by})
			e.alert = e.draft
		}
		e.draft, e.by, e.spoken, e.unheard, e.ended = nil, "", false, false, 0
		if unknown {
			p.drop(e) // its end is news to somebody, perhaps, but there is nothing to keep
			continue
		}
		p.schedule(now, e)
	}
	clear(p.touched)
	p.touched = p.touched[:0]
	return changes
}

// freshlyFiring says whether a source that is not stale reports that the alert fires.
func (p *Presence) freshlyFiring(now time.Time, reports []alarm.Report) bool {
	return slices.ContainsFunc(reports, func(r alarm.Report) bool {
		return r.State == alarm.Firing && active(&r, now) && !p.source(r.Source).stale(now)
	})
}

// outvote drops the reports that stale sources left behind.
func (p *Presence) outvote(now time.Time, e *entry) {
	e.draft.Reports = slices.DeleteFunc(e.draft.Reports, func(r alarm.Report) bool {
		src := p.source(r.Source)
		if !active(&r, now) || !src.stale(now) {
			return false
		}
		delete(src.alerts, e.fingerprint)
		return true
	})
	p.uncountIfOver(now, e)
}

// decide sets state and times of a from its reports. before is what a was; nil if it is new.
func decide(now time.Time, before, a *alarm.Alert, k kept) {
	fired := before != nil && before.Fired > 0 && before.State != alarm.Pending // which may have fired long ago
	switch firing, pending := standings(now, a.Reports); {
	case firing || k.up:
		a.State = alarm.Firing
	case pending && !fired:
		a.State = alarm.Pending
	default:
		a.State = alarm.Resolved
	}
	if a.State == alarm.Firing && before != nil && before.State != alarm.Firing {
		// A new occurrence: what ended before is no part of it.
		a.Reports = slices.DeleteFunc(a.Reports, func(r alarm.Report) bool { return !active(&r, now) })
	}
	setStart(before, a)
	if k.same && a.StartsAt.After(before.StartsAt) {
		a.StartsAt = before.StartsAt
	}
	setEnd(now, before, a)
	if k.up {
		a.EndsAt, a.Timeout = time.Time{}, false
	}
	for i := range a.Reports {
		if r := &a.Reports[i]; r.UpdatedAt.After(a.UpdatedAt) {
			a.UpdatedAt = r.UpdatedAt
		}
	}
	if before == nil {
		a.FirstSeen = now
	}
	if a.State == alarm.Firing && (before == nil || before.State != alarm.Firing || a.StartsAt.After(before.StartsAt)) {
		a.Fired++
	}
}

func standings(now time.Time, reports []alarm.Report) (firing, pending bool) {
	for i := range reports {
		if r := &reports[i]; active(r, now) {
			firing = firing || r.State == alarm.Firing
			pending = pending || r.State == alarm.Pending
		}
	}
	return firing, pending
}

// setStart sets the earliest start that the reports give; those of sources that have ended count,
// too. Under an alert that keeps firing it does not move forward.
func setStart(before, a *alarm.Alert) {
	var start time.Time
	for i := range a.Reports {
		r := &a.Reports[i]
		if r.State == alarm.Pending && a.State != alarm.Pending {
			continue
		}
		if start.IsZero() || r.StartsAt.Before(start) {
			start = r.StartsAt
		}
	}
	if start.IsZero() || a.State == alarm.Firing && keepsFiring(before, a) && before.StartsAt.Before(start) {
		return // a has the start of before
	}
	a.StartsAt = start
}

// keepsFiring says whether a source has reported all along that the alert fires: it did before, and
// has not begun anew.
func keepsFiring(before, a *alarm.Alert) bool {
	if before == nil || before.State != alarm.Firing {
		return false
	}
	for i := range a.Reports {
		r := &a.Reports[i]
		old := find(before.Reports, r.Source)
		if r.State == alarm.Firing && old != nil && old.State == alarm.Firing && !r.StartsAt.After(old.StartsAt) {
			return true
		}
	}
	return false
}

// setEnd sets the latest end that the reports give: of those that count while it is active, and
// none if one of these was read; of those that have ended once it is resolved.
func setEnd(now time.Time, before, a *alarm.Alert) {
	var end time.Time
	timeout, open := false, false
	for i := range a.Reports {
		r := &a.Reports[i]
		counts := active(r, now) && r.State == a.State
		if a.State == alarm.Resolved {
			counts = !active(r, now)
		}
		if !counts {
			continue
		}
		open = open || !r.Partial && a.State != alarm.Resolved
		if r.EndsAt.After(end) {
			end, timeout = r.EndsAt, r.Timeout
		}
	}
	switch {
	case open:
		end, timeout = time.Time{}, false
	case end.IsZero() && before != nil && before.State == alarm.Resolved:
		end = before.EndsAt
	case end.IsZero():
		end = now
	}
	a.EndsAt, a.Timeout = end, timeout
}

// compare says what happened between two states of an alert, and whether anything did.
func compare(before, a *alarm.Alert) (alarm.ChangeKind, bool) {
	switch {
	case before == nil && a.State == alarm.Resolved:
		return alarm.Ended, true
	case before == nil:
		return alarm.Appeared, true
	case before.State != alarm.Resolved && a.State == alarm.Resolved:
		return alarm.Ended, true
	case before.State == alarm.Resolved && a.State != alarm.Resolved:
		return alarm.Appeared, true
	case a.State == alarm.Firing && before.State == alarm.Firing && a.StartsAt.After(before.StartsAt):
		return alarm.Appeared, true
	}
	sameReports := slices.EqualFunc(before.Reports, a.Reports, func(x, y alarm.Report) bool {
		return x.Source == y.Source && x.State == y.State && x.Partial == y.Partial
	})
	if a.State != before.State || !a.StartsAt.Equal(before.StartsAt) || !sameReports || a.Counts != before.Counts {
		return alarm.Changed, true
	}
	if a.GeneratorURL != before.GeneratorURL || !sameLabels(before.Annotations, a.Annotations) {
		return alarm.Reworded, true
	}
	moved := !a.EndsAt.Equal(before.EndsAt) || !a.UpdatedAt.Equal(before.UpdatedAt) || a.Timeout != before.Timeout ||
		!slices.Equal(before.Reports, a.Reports)
	return alarm.Refreshed, moved
}

// schedule makes sure that the alert is looked at when the next of its reports ends.
func (p *Presence) schedule(now time.Time, e *entry) {
	e.due = 0
	due := int64(0)
	for i := range e.alert.Reports {
		r := &e.alert.Reports[i]
		if ends := nanos(r.EndsAt); r.Partial && active(r, now) && (due == 0 || ends < due) {
			due = ends
		}
	}
	if p.opts.Linger > 0 && !e.up && e.alert.State == alarm.Firing {
		if over := lastEnd(e.alert.Reports).Add(p.opts.Linger); over.After(now) {
			due = nanos(over)
		}
	}
	if due != 0 {
		p.due.push(now, e, due)
	}
}
