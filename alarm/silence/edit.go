package silence

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// inherit gives an edit what only a window has: an edit by API v2 cannot say it, and must not lose it.
func inherit(current, edit *alarm.Silence) error {
	switch {
	case current == nil || current.Kind == alarm.KindSilence:
		return nil
	case current.Kind == alarm.KindActivity:
		return invalid("silence %s is kept by tocsin itself: it ends when there is activity again", current.ID)
	case current.FromFile:
		return invalid("window %q stands in the configuration file: change it there", current.Name)
	case current.Recurrence != nil:
		return invalid("window %q recurs: end it and plan another, with tocsin window or on the page Maintenance", current.Name)
	}
	edit.Kind, edit.Name, edit.Scope = current.Kind, current.Name, current.Scope
	edit.Lease, edit.Grace, edit.CloseOpen = current.Lease, current.Grace, current.CloseOpen
	edit.Comment = strings.TrimPrefix(strings.TrimPrefix(edit.Comment, called(current)), ": ") // API v2 shows the name there
	return nil
}

// endOccurrence calls off the occurrence that is next, or ends the one that is under way.
func endOccurrence(now time.Time, current *alarm.Silence) *alarm.Silence {
	o, ok := current.Occurrence(now)
	if !ok {
		return nil
	}
	o.End = latest(o.Start, now)
	if o.Start.After(now) {
		o.End = o.Start
	}
	return current.Except(now, o)
}

// Extend returns the window as it has to be stored to end at until instead: itself, or the occurrence
// that is under way, or else the next. A zero until renews the lease.
func Extend(now time.Time, current *alarm.Silence, until time.Time) (*alarm.Silence, error) {
	o, ok := current.Occurrence(now)
	switch {
	case !ok:
		return nil, refused("id", "start another", "%s ended at %s", called(current), current.EndsAt.UTC().Format(time.RFC3339))
	case until.IsZero() && current.Lease == 0:
		return nil, refused("until", "say for how long, or until when", "%s has no lease to renew", called(current))
	case until.IsZero():
		until = latest(now, o.Start).Add(current.Lease)
	}
	switch {
	case !until.After(now) || !until.After(o.Start):
		return nil, refused("until", "end it instead", "that is before now, or before it begins")
	case until.Sub(latest(now, o.Start)) > maxDuration:
		return nil, refused("until", "let it recur, or fix the rule that fires", "longer than a year")
	}
	if current.Recurrence != nil || current.FromFile {
		o.End = until
		return current.Except(now, o), nil
	}
	longer := *current
	longer.EndsAt, longer.UpdatedAt = until, now
	return &longer, nil
}

// called names a silence for people.
func called(s *alarm.Silence) string {
	if s.Name != "" {
		return s.Kind.String() + " " + s.Name
	}
	return s.Kind.String() + " " + s.ID
}

// FileID is the ID of the window of that name in the configuration file: the same in each process.
func FileID(name string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("tocsin:windows/"+name)).String()
}

// Configured returns the silences to be stored so that what the configuration file plans is in force:
// new and changed ones, and what is not there any more, ended. wanted are planned; known are all that
// are stored. Occurrences that were ended or prolonged stay so while the plan is the same.
func Configured(now time.Time, wanted, known []*alarm.Silence) []*alarm.Silence {
	byID := map[string]*alarm.Silence{}
	for _, s := range known {
		if s.FromFile {
			byID[s.ID] = s
		}
	}
	var edits []*alarm.Silence
	for _, w := range wanted {
		planned := *w
		planned.ID, planned.FromFile, planned.UpdatedAt = FileID(w.Name), true, now
		old := byID[planned.ID]
		delete(byID, planned.ID)
		if old == nil && planned.StateAt(now) == alarm.SilenceExpired {
			continue // it need not be remembered
		}
		if old == nil || !samePlan(old, &planned) {
			edits = append(edits, &planned)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		if ended := End(now, byID[id]); ended != nil {
			edits = append(edits, ended)
		}
	}
	return edits
}

// samePlan says whether two windows were planned alike, whatever became of their occurrences.
func samePlan(a, b *alarm.Silence) bool {
	same := func(a, b *matcher.Matcher) bool { return a.Type == b.Type && a.Name == b.Name && a.Value == b.Value }
	return a.Kind == b.Kind && a.Name == b.Name && a.Scope == b.Scope && a.Comment == b.Comment && a.CreatedBy == b.CreatedBy &&
		a.Grace == b.Grace && a.Lease == b.Lease && a.CloseOpen == b.CloseOpen &&
		a.StartsAt.Equal(b.StartsAt) && a.EndsAt.Equal(b.EndsAt) &&
		slices.EqualFunc(a.Matchers.Sorted(), b.Matchers.Sorted(), same) && sameRecurrence(a.Recurrence, b.Recurrence)
}

func sameRecurrence(a, b *alarm.Recurrence) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Rule == b.Rule && a.Zone == b.Zone && a.Start == b.Start && a.Duration == b.Duration
}
