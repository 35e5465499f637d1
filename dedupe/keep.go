package dedupe

import (
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// A Swallower is what keeps a change of state from being told.
type Swallower string

// The swallowers.
const (
	ByLinger Swallower = "linger" // the alert was kept up after it was resolved
	ByFlap   Swallower = "flap"   // it flaps
	ByHold   Swallower = "hold"   // it fired and ended before its first page
	ByFlood  Swallower = "flood"  // it joined a flood, and no page was sent for it
)

// kept says what linger and flapping make of an alert.
type kept struct {
	up       bool // it stays up, though no source reports it
	same     bool // what fires is still the same occurrence, whatever its start says
	reopened bool // it came back while it was kept up
	news     News
}

// keep decides, once the reports of an alert are what they are, whether it stays up without them.
// A change of state that a failure of its source brought about is no change, and keeps nothing up.
func (p *Presence) keep(now time.Time, e *entry) kept {
	before, was := e.alert, e.up
	is, _ := standings(now, e.draft.Reports)
	wasFiring := before != nil && before.State == alarm.Firing
	again := was && is && wasFiring && beganAnew(before, e.draft)
	var k kept
	if p.flap != nil {
		k.news = p.observeFlap(now, e, is, again)
	}
	k.same = !is && before != nil && before.State != alarm.Pending // an end is no new start
	if !wasFiring || e.unheard && !is {
		return k
	}
	flaps := p.flap != nil && (p.flap.Flapping(e.fingerprint) || k.news == FlapEnded)
	lingers := p.opts.Linger > 0 && now.Before(lastEnd(e.draft.Reports).Add(p.opts.Linger))
	switch {
	case is && again:
		// It ended and fired again between two looks. If its end was not seen, the gap is no longer than
		// since it was last heard of.
		ended := before.UpdatedAt
		if e.ended != 0 {
			ended = time.Unix(0, e.ended)
		}
		k.same = flaps || p.opts.Linger > 0 && !earliestStart(e.draft).After(ended.Add(p.opts.Linger))
		k.reopened = k.same
	case is:
		k.same, k.reopened = !was, !was
	default:
		k.up = lingers || flaps && k.news != FlapEnded
	}
	if k.up {
		endReports(now, e.draft.Reports)
	}
	p.countSwallowed(k, was, again, flaps)
	return k
}

// countSwallowed tells of the changes of state that nobody will hear of.
func (p *Presence) countSwallowed(k kept, was, again, flaps bool) {
	n := 0
	switch {
	case again && k.same:
		n = 2
	case k.reopened, k.up && was:
		n = 1
	}
	by := ByLinger
	if flaps {
		by = ByFlap
	}
	for range n {
		if p.opts.Swallowed != nil {
			p.opts.Swallowed(by)
		}
	}
}

// observeFlap takes down what became of an alert, and returns the news.
func (p *Presence) observeFlap(now time.Time, e *entry, is, again bool) News {
	fp := e.fingerprint
	switch {
	case e.unheard && !is:
		p.flap.drop(fp) // nobody knows
		return Steady
	case again:
		p.recordFire(e)
		first := p.flap.Observe(now, fp, false)
		return max(first, p.flap.Observe(now, fp, true))
	case e.up && !is:
		p.recordFire(e)
		return p.flap.Observe(now, fp, false)
	case p.flap.records[fp] == nil:
		return Steady // it is written down when it ends: most alerts fire once
	default:
		return p.flap.Observe(now, fp, is)
	}
}

// recordFire takes down when the alert began to fire, if that was not done.
func (p *Presence) recordFire(e *entry) {
	if p.flap.records[e.fingerprint] == nil {
		p.flap.Observe(e.alert.Occurrences().Since, e.fingerprint, true)
	}
}

// checkFlaps makes sure that the alerts are settled that may have ceased to flap; and in IcingaFlap
// those of which a source that answered said something, if only by leaving them out.
func (p *Presence) checkFlaps(now time.Time, answers []*alarm.Snapshot) {
	if p.flap == nil {
		return
	}
	for _, fp := range p.flap.Due(now) {
		if e := p.alerts[fp]; e != nil {
			p.draft(e)
		} else {
			p.flap.drop(fp)
		}
	}
	if p.flap.opts.Mode != IcingaFlap {
		return
	}
	for _, s := range answers {
		if s.Partial || s.Err != nil {
			continue
		}
		for fp := range p.flap.records { // the order does not show: each alert is settled by itself
			if e := p.alerts[fp]; e != nil && find(p.draft(e).Reports, s.Source) != nil {
				continue // it is settled now
			}
		}
	}
}

// reportedUp says whether a report kept a stored alert up when it was last settled: what was kept up
// without has none that is not resolved.
func reportedUp(a *alarm.Alert) bool {
	if a.State != alarm.Firing {
		return false
	}
	for i := range a.Reports {
		if a.Reports[i].State == alarm.Firing {
			return true
		}
	}
	return false
}

// endReports marks the reports that ran out, so that they do not come back to life when Presence is
// built anew.
func endReports(now time.Time, reports []alarm.Report) {
	for i := range reports {
		if r := &reports[i]; r.State == alarm.Firing && !active(r, now) {
			r.State = alarm.Resolved
		}
	}
}

// lastEnd is when the last of the reports ended.
func lastEnd(reports []alarm.Report) time.Time {
	var last time.Time
	for i := range reports {
		if r := &reports[i]; r.EndsAt.After(last) {
			last = r.EndsAt
		}
	}
	return last
}

// beganAnew says whether what fires is another occurrence than what fired before.
func beganAnew(before, a *alarm.Alert) bool {
	return earliestStart(a).After(before.StartsAt) && !keepsFiring(before, a)
}

func earliestStart(a *alarm.Alert) time.Time {
	var start time.Time
	for i := range a.Reports {
		if r := &a.Reports[i]; r.State != alarm.Pending && (start.IsZero() || r.StartsAt.Before(start)) {
			start = r.StartsAt
		}
	}
	return start
}
