package alarm

import (
	"container/heap"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// A group at work: its members, its timers, and one channel for each integration that is told.
type group struct {
	*Group
	id       string
	created  time.Time
	anchor   time.Time                    // the first flush
	earliest time.Time                    // no flush before, for the process has just started
	flushed  time.Time                    // the last flush since the start, or zero
	members  map[model.Fingerprint]*entry // that routes lead here
	strays   map[model.Fingerprint]*entry // that were told here, and no route leads here any more
	order    kept[*entry]                 // the members, as messages list them
	channels []*channel

	alone     [1]*group // itself, for the entries that are in no other
	receivers []string  // of the member that was routed here last: mostly those of all

	dirty bool // something changed since the last flush
	muted bool // by a time interval, at the last flush

	// level groups hold one alert and are flushed at once, for a level-triggered integration.
	level bool

	// leftover groups are made by no route any more: they have only strays, and send resolves until
	// what they told has ended.
	leftover bool

	next  time.Time // the flush that it is queued for, or zero
	index int       // in the queue
}

// A channel is one integration of a group's receiver.
type channel struct {
	group   *group
	key     IntentionKey
	spec    IntegrationSpec
	flushed time.Time // when it last had nothing left to be told
	waiting bool      // a flush fell due while an intention was open
	doubt   bool      // the remote may know more than we recorded
	failed  *Failure  // what became of the last intention, if it was given up
}

// receiversOf returns the receivers of the routes that a member matches: the same slice for all members
// that match the same, as most do.
func (g *group) receiversOf(specs []*Group) []string {
	if !slices.EqualFunc(g.receivers, specs, func(name string, spec *Group) bool { return name == spec.Receiver }) {
		g.receivers = make([]string, 0, len(specs))
		for _, spec := range specs {
			g.receivers = append(g.receivers, spec.Receiver)
		}
	}
	return g.receivers
}

// tick returns the first flush that is due at or after t: never before the group's first one, then
// at anchor + k × group_interval, each once.
func (g *group) tick(t time.Time) time.Time {
	if g.level {
		return t
	}
	if g.flushed.IsZero() {
		return later(t, later(g.anchor, g.earliest)) // at once, if it fell due while nobody was here
	}
	if !t.After(g.flushed) {
		t = g.flushed.Add(1)
	}
	k := (t.Sub(g.anchor) + g.Interval - 1) / g.Interval
	return g.anchor.Add(k * g.Interval)
}

// tickAfter returns the first flush at or after t, as if there had been none before.
func (g *group) tickAfter(t time.Time) time.Time {
	if !t.After(g.anchor) {
		return g.anchor
	}
	k := (t.Sub(g.anchor) + g.Interval - 1) / g.Interval
	return g.anchor.Add(k * g.Interval)
}

// tickBefore returns the last flush at or before t, which is not before the first.
func (g *group) tickBefore(t time.Time) time.Time {
	return g.anchor.Add(t.Sub(g.anchor) / g.Interval * g.Interval)
}

// owedAt is the first flush after something changed that some channel may have to be told of, or
// zero if there is no such thing.
func (g *group) owedAt(now time.Time, told map[IntentionKey]*Told) time.Time {
	var due time.Time
	owed := func(en *entry, stray bool) {
		if !slices.ContainsFunc(g.channels, func(c *channel) bool {
			if en.alert.State != Firing {
				return told[c.key].holds(en.hash)
			}
			return !stray && !en.verdict.Withheld() && !told[c.key].names(en.hash)
		}) {
			return
		}
		if t := g.tickAfter(sooner(en.changed(), now)); due.IsZero() || t.Before(due) {
			due = t
		}
	}
	for _, en := range g.members {
		owed(en, false)
	}
	for _, en := range g.strays {
		owed(en, true)
	}
	return due
}

// sets are the alerts that a channel would name now. A member counts if it fires and nothing
// withholds it, or if it ended since the channel was flushed and what withheld it then is over. What the remote was told to fire and
// has ended counts even if it is withheld, or strayed: if we opened it, we close it. A leftover
// group names what it told as long as that fires, so that the rest is not taken for ended. What
// fires and is explained by another alert is closed at a level-triggered remote.
func (g *group) sets(c *channel, told *Told) ToldSets {
	var s ToldSets
	for _, en := range g.members {
		switch {
		case en.alert.State != Firing:
			if told.holds(en.hash) || (len(en.unheard()) == 0 && !en.verdict.Withheld() && en.ended.After(c.flushed)) {
				s.Resolved = append(s.Resolved, en.hash)
			}
		case !en.verdict.Withheld():
			s.Firing = append(s.Firing, en.hash)
		case g.level && en.verdict.closes() && told.holds(en.hash):
			s.Resolved = append(s.Resolved, en.hash)
		}
	}
	for _, en := range g.strays {
		switch {
		case !told.holds(en.hash):
		case en.alert.State != Firing, g.level && en.verdict.closes():
			s.Resolved = append(s.Resolved, en.hash)
		case g.leftover && !en.verdict.Withheld():
			s.Firing = append(s.Firing, en.hash)
		}
	}
	slices.Sort(s.Firing)
	slices.Sort(s.Resolved)
	s.Note = g.note()
	return s
}

// waits says that nobody was ever told of the group, and that all of it waits for the end of a hold, or
// for a cause that may follow or is to end.
func (g *group) waits(told map[IntentionKey]*Told) bool {
	for _, c := range g.channels {
		if told[c.key] != nil {
			return false
		}
	}
	waiting := false
	for _, en := range g.members { // the order does not show: all must wait
		if en.alert.State != Firing {
			continue
		}
		if !slices.ContainsFunc(en.verdict.reasons(), func(s Suppression) bool {
			return s.Reason == ReasonHold || s.Reason == ReasonDependency
		}) {
			return false
		}
		waiting = true
	}
	return waiting && !g.level
}

// why says whether and why the channel is to be told s. What the remote was told to fire, or in
// doubt may have been told, and has ended, is told in any case.
func (g *group) why(c *channel, told *Told, s ToldSets, now time.Time, doubt bool) NotifyReason {
	if len(s.Firing) == 0 && len(s.Resolved) == 0 {
		return NotifyNone // all that is here is withheld
	}
	repeat, repeats := g.repeatAfter(c, told)
	reason := Why(told, s, c.spec.SendResolved, repeat, now)
	if reason == NotifyRepeat && !repeats {
		reason = NotifyNone
	}
	owed := doubt && len(s.Resolved) > 0 || slices.ContainsFunc(s.Resolved, told.holds)
	switch {
	case reason == NotifyNone && g.noteworthy(told, s, now):
		return NotifyNoted
	case reason == NotifyRepeat && g.level:
		return NotifyStillFiring
	case reason != NotifyNone || !owed || !c.spec.SendResolved:
		return reason
	case len(s.Firing) > 0:
		return NotifyResolved
	default:
		return NotifyAllResolved
	}
}

// settled says that no channel has to hear of this member any more, for it has ended, or of this
// stray, for nobody was told of it, or everybody was told of its end.
func (g *group) settled(en *entry, stray bool, told map[IntentionKey]*Told) bool {
	if !stray && en.alert.State == Firing {
		return false
	}
	for _, c := range g.channels {
		if told[c.key].holds(en.hash) || (!stray && (c.waiting || en.ended.After(c.flushed))) {
			return false
		}
	}
	return true
}

// A flushQueue orders groups by their next flush, then by ID, so that the order is always the same.
type flushQueue []*group

func (q flushQueue) Len() int { return len(q) }

func (q flushQueue) Less(i, j int) bool {
	if !q[i].next.Equal(q[j].next) {
		return q[i].next.Before(q[j].next)
	}
	return q[i].id < q[j].id
}

func (q flushQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push and Pop are for package heap.
func (q *flushQueue) Push(x any) {
	g := x.(*group)
	g.index = len(*q)
	*q = append(*q, g)
}

// Pop removes the last group.
func (q *flushQueue) Pop() any {
	last := len(*q) - 1
	g := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	g.index = -1
	return g
}

// set queues g for t, or takes it out if t is zero.
func (q *flushQueue) set(g *group, t time.Time) {
	g.next = t
	switch {
	case t.IsZero() && g.index >= 0:
		heap.Remove(q, g.index)
	case t.IsZero():
	case g.index >= 0:
		heap.Fix(q, g.index)
	default:
		heap.Push(q, g)
	}
}
