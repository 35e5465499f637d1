package alarm

import (
	"container/heap"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// touch notes that something in the group changed, and queues it for its next flush.
func (e *Engine) touch(now time.Time, g *group) {
	if g.dirty && !g.next.IsZero() {
		return
	}
	g.dirty = true
	if t := g.tick(now); g.next.IsZero() || t.Before(g.next) {
		e.flushes.set(g, t)
	}
}

// flushDue flushes each group whose time has come, in the order of their times.
func (e *Engine) flushDue(now time.Time) {
	for len(e.flushes) > 0 && !e.flushes[0].next.After(now) {
		g := heap.Pop(&e.flushes).(*group)
		g.next = time.Time{}
		e.flush(now, g)
	}
}

// flush tells each channel of the group what it does not know yet. While a time interval mutes the
// route nobody is told; only a level-triggered channel is told of an end all the same.
func (e *Engine) flush(now time.Time, g *group) {
	first := g.flushed.IsZero()
	g.flushed = now
	if by, until := e.parts.Router.Muted(g.RouteID, now); len(by) > 0 && !g.closing() {
		e.flushMuted(now, g, by, until)
		return
	}
	g.dirty, g.muted = false, false
	e.observeWithheld(g)
	for _, en := range g.members {
		if unheard := en.unheard(); len(unheard) > 0 {
			en.keepUnheard(e.inForce(now, unheard))
		}
	}
	for _, c := range g.channels {
		e.flushChannel(now, c)
	}
	if first && g.waits(e.told) {
		g.flushed = time.Time{} // the first flush is still to come: when the wait is over, and not an interval later
	}
	e.leave(g)
	e.requeue(now, g)
}

// inForce returns those of the reasons that would still withhold an alert that has ended: as in
// Alertmanager, a flush judges what ended by what mutes then.
func (e *Engine) inForce(now time.Time, reasons []Suppression) []Suppression {
	var left []Suppression
	for _, s := range reasons {
		holds := true
		switch s.Reason {
		case ReasonSilence:
			sil := e.silences[s.By]
			holds = sil != nil && sil.StateAt(now) == SilenceActive
		case ReasonInhibition:
			fp, err := model.ParseFingerprint(s.By)
			cause := e.alerts[fp]
			holds = err == nil && cause != nil && cause.alert.State == Firing
		}
		if holds {
			left = append(left, s)
		}
	}
	return left
}

// flushMuted lets a flush pass in silence: what came and went untold is no news when the interval has
// ended. What was told and has ended waits for then.
func (e *Engine) flushMuted(now time.Time, g *group, by []string, until time.Time) {
	e.opts.Observer.Withheld(MutedByInterval, len(g.members))
	if !g.muted {
		g.muted = true
		e.plan.Events = append(e.plan.Events, Event{Kind: "muted", Name: g.Key, Note: "by " + strings.Join(by, ", ")})
	}
	g.dirty = false
	for _, c := range g.channels {
		if e.open[c.key] == nil {
			c.flushed = now
		}
	}
	e.leave(g)
	if e.groups[g.id] != g {
		return
	}
	if !until.After(now) {
		until = now.Add(time.Minute)
	}
	e.flushes.set(g, g.tick(until))
}

// flushChannel plans an intention if the channel's remote is to be told something.
func (e *Engine) flushChannel(now time.Time, c *channel) {
	g, told := c.group, e.told[c.key]
	if e.open[c.key] != nil {
		c.waiting = true // it is rendered when it is sent, or judged again when it has ended
		return
	}
	c.waiting = false
	sets := g.sets(c, told)
	reason := g.why(c, told, sets, now, c.doubt)
	switch {
	case reason == NotifyNone:
		e.hush(now, c, told, sets)
	case len(sets.Firing) == 0 && !c.spec.SendResolved:
		e.setTold(told.after(c.key, now, sets, nil))
		c.flushed = now
	case e.refused(c, actionFor(told, sets)):
		// It was refused; the same is not said again by itself.
	default:
		e.intend(now, c, actionFor(told, sets), reason)
	}
}

// hush closes the books of a channel that has nothing to be told. A remote that wants no resolves
// has nothing open that would have to be closed.
func (e *Engine) hush(now time.Time, c *channel, told *Told, sets ToldSets) {
	if told != nil && !c.spec.SendResolved {
		open := minus(slices.Clone(told.Open), sets.Resolved)
		if len(open) != len(told.Open) {
			next := *told
			next.Open = open
			e.setTold(&next)
		}
	}
	c.flushed = now
}

func actionFor(told *Told, sets ToldSets) Action {
	switch {
	case len(sets.Firing) == 0:
		return Close
	case told == nil || len(told.Sets.Firing) == 0:
		return Add
	default:
		return Update
	}
}

// minRetry is how long an intention is retried at least, as in Alertmanager.
const minRetry = 10 * time.Second

func (e *Engine) intend(now time.Time, c *channel, action Action, reason NotifyReason) {
	e.lastID++
	deadline := now.Add(max(c.group.Interval, minRetry))
	if c.group.level {
		deadline = now.Add(24 * time.Hour)
	}
	in := Intention{ID: e.lastID, Key: c.key, GroupID: c.group.id, Action: action, Reason: reason, At: now, Deadline: deadline}
	e.open[c.key] = &in
	switch action {
	case Add:
		e.plan.Add = append(e.plan.Add, in)
	case Update:
		e.plan.Update = append(e.plan.Update, in)
	case Close:
		e.plan.Close = append(e.plan.Close, in)
	}
}

func (e *Engine) setTold(t *Told) {
	e.told[t.Key] = t
	// What a plan both sets and removes is removed.
	e.plan.DroppedTold = slices.DeleteFunc(e.plan.DroppedTold, func(k IntentionKey) bool { return k == t.Key })
	e.plan.Told = append(e.plan.Told, *t)
}

// requeue queues the group for its next flush: the next tick if it is dirty, else the first one at
// which a channel may have to be told again.
func (e *Engine) requeue(now time.Time, g *group) {
	if e.groups[g.id] != g {
		return
	}
	var next time.Time
	if g.dirty {
		next = g.tick(now)
	} else {
		for _, c := range g.channels {
			t := e.told[c.key]
			// What is due at this instant was judged just now, and is not said: it is withheld, or a
			// dead letter. It waits for what changes that, not for time.
			if due := g.noteDue(t); due.After(now) && e.open[c.key] == nil && (next.IsZero() || due.Before(next)) {
				next = due
			}
			repeat, repeats := g.repeatAfter(c, t)
			if t == nil || !repeats || len(t.Sets.Firing) == 0 || e.open[c.key] != nil {
				continue
			}
			if again := g.tick(later(now, t.At.Add(repeat+1))); (again.After(now) || !g.level) && (next.IsZero() || again.Before(next)) {
				next = again
			}
		}
	}
	e.flushes.set(g, next)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
