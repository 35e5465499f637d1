package dedupe

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// active says whether a report still counts: its source has not called the alert resolved, and if
// it was pushed, its end is to come.
func active(r *alarm.Report, now time.Time) bool {
	return r.State != alarm.Resolved && (!r.Partial || r.EndsAt.After(now))
}

func find(reports []alarm.Report, source string) *alarm.Report {
	for i := range reports {
		if reports[i].Source == source {
			return &reports[i]
		}
	}
	return nil
}

// pushed is the report of an alert that was pushed, with the times that were left open.
func pushed(now, at time.Time, in *alarm.Alert, resolveTimeout time.Duration) alarm.Report {
	r := alarm.Report{
		State: in.State, StartsAt: in.StartsAt, EndsAt: in.EndsAt, UpdatedAt: at, Timeout: in.Timeout, Partial: true,
	}
	if r.EndsAt.IsZero() {
		r.EndsAt = at
		if r.State != alarm.Resolved {
			r.EndsAt, r.Timeout = at.Add(resolveTimeout), true
		}
	}
	if r.StartsAt.IsZero() {
		r.StartsAt = at
		if !in.EndsAt.IsZero() {
			r.StartsAt = in.EndsAt
		}
	}
	if !r.EndsAt.After(now) {
		r.State = alarm.Resolved
	}
	return r
}

// merge is what Alertmanager makes of a pushed alert that it knows: both are one activity if they
// overlap, else the one that arrived replaces the other. It also says whether what arrived is the
// newest. What was heard later than now was heard before the clock was set back.
func merge(now time.Time, old, arrived alarm.Report) (alarm.Report, bool) {
	overlap := arrived.EndsAt.After(old.StartsAt) && arrived.EndsAt.Before(old.EndsAt) ||
		arrived.StartsAt.After(old.StartsAt) && arrived.StartsAt.Before(old.EndsAt)
	if !overlap {
		return arrived, true
	}
	younger, older := arrived, old
	if arrived.UpdatedAt.Before(old.UpdatedAt) && !old.UpdatedAt.After(now) {
		younger, older = old, arrived
	}
	merged := younger
	merged.StartsAt = earlier(older.StartsAt, younger.StartsAt)
	if older.EndsAt.After(younger.EndsAt) {
		if younger.EndsAt.After(now) {
			if !older.Timeout { // an explicit end rules if it is the latest
				merged.EndsAt = older.EndsAt
			}
		} else if !older.EndsAt.After(now) { // both have ended: the latest counts
			merged.EndsAt = older.EndsAt
		}
	}
	return merged, younger == arrived
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// insert adds a report, or replaces that of the same source.
func insert(reports []alarm.Report, r alarm.Report) []alarm.Report {
	i, ok := slices.BinarySearchFunc(reports, r.Source, func(r alarm.Report, source string) int { return cmp.Compare(r.Source, source) })
	if ok {
		reports[i] = r
		return reports
	}
	return slices.Insert(reports, i, r)
}

// unknowns returns a function that says whether a source knows nothing of an alert at present.
func unknowns(all []matcher.Matchers) func(model.LabelSet) bool {
	var index matcher.Index[int]
	for i, ms := range all {
		index.Add(ms, i)
	}
	return func(ls model.LabelSet) bool {
		for range index.Matching(ls) {
			return true
		}
		return false
	}
}
