package alarm

import (
	"slices"
	"time"
)

// NotifyReason says why a group is told, in Alertmanager's words, for templates can see it.
type NotifyReason string

// The reasons to notify.
const (
	NotifyNone        NotifyReason = ""
	NotifyFirst       NotifyReason = "first notification"
	NotifyNewAlerts   NotifyReason = "new alerts added"
	NotifyResolved    NotifyReason = "some alerts resolved"
	NotifyAllResolved NotifyReason = "all alerts resolved"
	NotifyRepeat      NotifyReason = "repeat interval elapsed"

	// Level-triggered integrations alone are told for these.
	NotifyStillFiring NotifyReason = "still firing"
	NotifyNoted       NotifyReason = "noted"
)

// Why says whether, and why, a remote that knows t (nil: nothing) is to be told of a group in which
// now is all that fires and what resolved since it was told. It is Alertmanager's rule:
//
//	told before   fires now             then
//	nothing       something             first notification
//	nothing       nothing               silence: what came and went untold is not news
//	something     something more        new alerts added
//	something     nothing               all alerts resolved, whether or not resolves are sent
//	something     the same or less      some alerts resolved, if resolves are sent and one is new
//	something     the same or less      repeat, once told longer ago than the repeat interval
func Why(t *Told, now ToldSets, sendResolved bool, repeat time.Duration, at time.Time) NotifyReason {
	switch {
	case t == nil && len(now.Firing) > 0:
		return NotifyFirst
	case t == nil:
		return NotifyNone
	case !subset(now.Firing, t.Sets.Firing) && len(t.Sets.Firing) == 0:
		return NotifyFirst
	case !subset(now.Firing, t.Sets.Firing):
		return NotifyNewAlerts
	case len(now.Firing) == 0 && len(t.Sets.Firing) > 0:
		return NotifyAllResolved
	case len(now.Firing) == 0:
		return NotifyNone
	case sendResolved && !subset(now.Resolved, t.Sets.Resolved):
		return NotifyResolved
	case t.At.Before(at.Add(-repeat)):
		return NotifyRepeat
	default:
		return NotifyNone
	}
}

// after returns what the remote knows once it accepted a notification that held these sets.
func (t *Told) after(key IntentionKey, at time.Time, sets ToldSets, data []byte) *Told {
	var open []uint64
	if t != nil {
		open = t.Open
	}
	open = minus(union(open, sets.Firing), sets.Resolved)
	next := &Told{Key: key, At: at, Sets: sets, Open: open, Data: data}
	if t != nil && len(open) > 0 {
		next.Acked = t.Acked
	}
	return next
}

// holds says whether the remote was told that the alert fires, and not yet that it ended.
func (t *Told) holds(hash uint64) bool {
	if t == nil {
		return false
	}
	_, found := slices.BinarySearch(t.Open, hash)
	return found
}

// names says whether the last notification said that the alert fires.
func (t *Told) names(hash uint64) bool {
	if t == nil {
		return false
	}
	_, found := slices.BinarySearch(t.Sets.Firing, hash)
	return found
}

// idle says that nothing is open at the remote and nothing would be said differently if it were
// forgotten.
func (t *Told) idle() bool { return len(t.Open) == 0 && len(t.Sets.Firing) == 0 }

// The sets are sorted slices without duplicates.

func subset(a, of []uint64) bool {
	for _, h := range a {
		i, found := slices.BinarySearch(of, h)
		if !found {
			return false
		}
		of = of[i:]
	}
	return true
}

func union(a, b []uint64) []uint64 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func minus(a, b []uint64) []uint64 {
	return slices.DeleteFunc(a, func(h uint64) bool {
		_, found := slices.BinarySearch(b, h)
		return found
	})
}
