package silence

import (
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// A phase is what a silence does at one instant, and when it will do something else.
type phase struct {
	mutes  bool
	reason reason
	next   time.Time // zero: never again
}

// phaseAt is the whole decision about one silence.
//
//	before an occurrence    does not mute                                     until it begins
//	in an occurrence        mutes what matches                                until it ends, or the next begins
//	after it, in its grace  mutes what matches and began to fire before       until the grace ends, or the next begins
//	after that              does not mute                                     until the next begins, or for ever
func phaseAt(s *alarm.Silence, now time.Time) phase {
	last, ok := s.Latest(now)
	if !ok || !now.Before(last.End.Add(s.Grace)) {
		next, _ := s.NextStart(now)
		return phase{next: next}
	}
	p := phase{mutes: true, next: last.End, reason: reason{Suppression: alarm.Suppression{
		Reason: s.Kind.Reason(), By: s.ID, Rule: s.Name, Note: s.Comment, Close: s.CloseOpen,
		Since: last.Start, Until: last.End.Add(s.Grace),
	}}}
	if !now.Before(last.End) {
		p.next, p.reason.before = last.End.Add(s.Grace), last.End
	} else if s.Recurrence == nil {
		return p // no other occurrence can begin meanwhile
	}
	if next, ok := s.NextStart(now); ok && next.Before(p.next) {
		p.next = next
	}
	return p
}
