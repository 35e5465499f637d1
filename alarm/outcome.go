package alarm

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// settleOutcomes takes in what became of intentions.
func (e *Engine) settleOutcomes(now time.Time, outcomes []Outcome) {
	for _, o := range outcomes {
		in := e.open[o.Key]
		if in == nil || in.ID != o.ID {
			if o.Err != nil || o.Unsent {
				continue // it was withdrawn by a reload; only what a remote accepted still counts
			}
		} else {
			delete(e.open, o.Key)
			e.plan.Outcomes = append(e.plan.Outcomes, o)
			if cs := e.channels[o.Key]; o.Err != nil && len(cs) > 0 && cs[0].group.level {
				e.bury(now, cs[0], in, o)
			}
		}
		if o.Err == nil && !o.Unsent {
			e.revive(now, o.Key)
		}
		if o.Err == nil && !o.Unsent {
			e.noteTellings(o)
			e.setTold(e.told[o.Key].after(o.Key, o.At, o.Told, o.Data))
		}
		if in != nil && in.ID == o.ID && (o.Uncertain || in.Uncertain) {
			e.presume(now, o, in)
			e.keepStrays(now, o.Key)
		}
		if o.Err == nil && !o.Unsent {
			e.keepStrays(now, o.Key) // a reload may have led what was told elsewhere meanwhile
			e.oweEnds(now, o)
		}
		for _, c := range slices.Clone(e.channels[o.Key]) { // a group may end meanwhile
			e.settleChannel(now, c, o)
		}
	}
}

// presume counts as open whatever a remote may have been told to fire by an attempt that broke off: an
// end that nobody waits for does no harm, one that is missing does. What the remote was told since is
// known; if it was told nothing since, what fires is told again.
func (e *Engine) presume(now time.Time, o Outcome, in *Intention) {
	var maybe []uint64
	for _, c := range e.channels[o.Key] {
		for _, en := range c.group.members {
			if en.alert.State == Firing && en.verdict.Withheld() && !en.verdict.At.After(later(in.At, en.alert.FirstSeen)) {
				continue // it was withheld ever since this was planned, or since it began: it was never in it
			}
			if en.alert.State == Firing || !en.ended.Before(in.At) {
				maybe = append(maybe, en.hash)
			}
		}
	}
	maybe = append(maybe, e.presumed(o.Key, in)...)
	next := Told{Key: o.Key, At: o.At}
	if t := e.told[o.Key]; t != nil {
		next = *t
	}
	next.Open = union(next.Open, maybe)
	if o.Err == nil && !o.Unsent {
		next.Open = minus(next.Open, o.Told.Resolved)
	} else {
		next.Sets = ToldSets{}
	}
	for _, c := range e.channels[o.Key] {
		e.touch(now, c.group) // what changed after it was rendered may have been forgotten since
	}
	e.setTold(&next)
}

// presumed are the alerts that a remote may have been told of by an intention, and that no route leads to
// its group any more: that ended, or what led them there was a dead letter. The key of a level-triggered
// one says whom it was about. Of another only what has ended since is of interest, for what fires is told
// where it belongs now. Only a fallback may hold open what fires, and is told elsewhere by now.
func (e *Engine) presumed(key IntentionKey, in *Intention) (maybe []uint64) {
	spec, is := e.retired[key], e.integration(key)
	fallback := strings.HasSuffix(key.Group, fallbackSuffix)
	if cs := e.channels[key]; len(cs) > 0 {
		if !fallback {
			return nil
		}
		spec = cs[0].group.Group
	}
	if spec == nil || is == nil {
		return nil
	}
	if is.Level {
		fp, _ := model.ParseFingerprint(key.Group)
		if en := e.alerts[fp]; en != nil {
			maybe = append(maybe, en.hash)
		}
		return maybe
	}
	for _, en := range e.alerts { // the order does not show: they are sorted
		switch {
		case !carries(en.alert.Labels, spec.Labels):
		case en.alert.State != Firing && en.ended.Before(in.At):
		case en.alert.State == Firing && (!fallback || !e.mayHaveFallen(en, in)):
		default:
			maybe = append(maybe, en.hash)
		}
	}
	return maybe
}

// carries says whether labels has all of some others.
func carries(labels, some model.LabelSet) bool {
	for name, value := range some { // the order does not show
		if labels[name] != value {
			return false
		}
	}
	return true
}

// oweEnds sees to it that what was, or may have been, told to fire and has ended meanwhile is told to have
// ended: after a crash nobody else remembers that it is owed.
func (e *Engine) oweEnds(now time.Time, o Outcome) {
	if t := e.told[o.Key]; t == nil || !slices.ContainsFunc(t.Open, func(hash uint64) bool {
		en := e.byHash[hash]
		return en != nil && en.alert.State != Firing
	}) {
		return
	}
	for _, c := range e.channels[o.Key] {
		e.touch(now, c.group)
	}
}

// noteTellings records what an outcome means for single alerts.
func (e *Engine) noteTellings(o Outcome) {
	t := e.told[o.Key]
	note := func(hash uint64, resolved bool) {
		if en := e.byHash[hash]; en != nil && t.holds(hash) == resolved {
			e.plan.Tellings = append(e.plan.Tellings, Telling{Fingerprint: en.fingerprint, Key: o.Key, At: o.At, Resolved: resolved})
		}
	}
	for _, hash := range o.Told.Firing {
		note(hash, false)
	}
	for _, hash := range o.Told.Resolved {
		note(hash, true)
	}
}

// settleChannel follows an outcome: what fell due while it was under way is judged now, and a group
// whose telling failed is judged again at its next flush.
func (e *Engine) settleChannel(now time.Time, c *channel, o Outcome) {
	g := c.group
	switch {
	case o.Err != nil:
		g.dirty = true
		c.doubt = c.doubt || o.Uncertain
		c.failed = &Failure{Integration: c.key.Integration, At: o.At, Attempts: o.Attempts, Err: o.Err.Error()}
	case o.Unsent:
		c.flushed = o.At
	default:
		c.flushed, c.doubt, c.failed = o.At, false, nil
	}
	if c.waiting {
		e.flushChannel(now, c)
	}
	if g.falls() {
		for _, fp := range slices.Sorted(maps.Keys(g.members)) {
			e.joinFallback(now, g.members[fp])
		}
	}
	e.leave(g)
	e.requeue(now, g)
}

// offer hands the Deliverer the intentions of a plan that was committed, and forgets those that it
// is done with. Before the commit neither would be true.
func (e *Engine) offer(p *Plan) {
	for _, o := range p.Outcomes {
		delete(e.offered, o.ID)
	}
	fresh := slices.Concat(p.Add, p.Update, p.Close)
	if len(fresh) == 0 {
		return
	}
	slices.SortFunc(fresh, func(a, b Intention) int { return int(a.ID - b.ID) })
	for _, in := range fresh {
		e.offered[in.ID] = true
	}
	e.opts.Offer(fresh)
}
