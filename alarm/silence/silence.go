package silence

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// ErrNotFound means that there is no silence with that ID. It is returned by Set and by the methods
// of Service.
var ErrNotFound error = notFoundError{}

type notFoundError struct{}

func (notFoundError) Error() string  { return "silence not found" }
func (notFoundError) NotFound() bool { return true }

// An InvalidError says which rule a silence breaks. To try again cannot help.
type InvalidError struct{ err error }

// Error returns what is wrong.
func (e *InvalidError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *InvalidError) Unwrap() error { return e.err }

// Invalid returns true.
func (e *InvalidError) Invalid() bool { return true }

func invalid(format string, args ...any) error {
	return &InvalidError{fmt.Errorf(format, args...)}
}

// Set returns the silences to be stored for an edit, in this order; the last of them is what became
// of the edit. current is the silence that the edit's ID names, or nil if there is none.
func Set(now time.Time, current *alarm.Silence, edit alarm.Silence, newID func() string) ([]*alarm.Silence, error) {
	if edit.StartsAt.IsZero() {
		edit.StartsAt = now
	}
	if err := Validate(&edit); err != nil {
		return nil, err
	}
	if edit.EndsAt.Before(now) {
		return nil, invalid("invalid silence: end time can't be in the past")
	}
	if edit.ID != "" && current == nil {
		return nil, ErrNotFound
	}
	if err := inherit(current, &edit); err != nil {
		return nil, err
	}
	matchers, err := compile(edit.Matchers)
	if err != nil {
		return nil, err
	}
	edit.Matchers, edit.UpdatedAt = matchers, now
	if current != nil && keepsHistory(now, current, &edit) {
		return []*alarm.Silence{&edit}, nil
	}
	edit.ID = newID()
	if edit.StartsAt.Before(now) {
		edit.StartsAt = now
	}
	if current != nil {
		if expired := Expire(now, current); expired != nil {
			return []*alarm.Silence{expired, &edit}, nil
		}
	}
	return []*alarm.Silence{&edit}, nil
}

// keepsHistory says whether the edit leaves it true what the silence has muted until now.
func keepsHistory(now time.Time, current, edit *alarm.Silence) bool {
	same := func(a, b *matcher.Matcher) bool { return a.Type == b.Type && a.Name == b.Name && a.Value == b.Value }
	if !slices.EqualFunc(current.Matchers.Sorted(), edit.Matchers.Sorted(), same) {
		return false
	}
	switch current.StateAt(now) {
	case alarm.SilenceActive:
		return current.StartsAt.Unix() == edit.StartsAt.Unix()
	case alarm.SilencePending:
		return !edit.StartsAt.Before(now)
	default:
		return false
	}
}

// Expire returns the silence as it has to be stored to end now, or nil if it has ended already. One
// that has not begun then begins and ends now. Of a window that recurs, or that the configuration
// plans, only the occurrence ends that is under way, or else the next: those after it stay planned.
func Expire(now time.Time, current *alarm.Silence) *alarm.Silence {
	if current.Recurrence != nil || current.FromFile {
		return endOccurrence(now, current)
	}
	return End(now, current)
}

// End is Expire for good: a series ends with all of its occurrences.
func End(now time.Time, current *alarm.Silence) *alarm.Silence {
	state := current.StateAt(now)
	if state == alarm.SilenceExpired {
		return nil
	}
	expired := *current
	expired.EndsAt, expired.UpdatedAt = now, now
	if state == alarm.SilencePending && current.Recurrence == nil {
		expired.StartsAt, expired.Exceptions = now, nil
	}
	return &expired
}

// Validate returns an *InvalidError if the silence could not be stored at any time: for its
// matchers, at least one of which must not match the empty string, or because it does not begin
// before it ends.
func Validate(s *alarm.Silence) error {
	if err := validate(s); err != nil {
		return invalid("invalid silence: %w", err)
	}
	return nil
}

func validate(s *alarm.Silence) error {
	if len(s.Matchers) == 0 {
		return errors.New("at least one matcher required")
	}
	compiled, err := compile(s.Matchers)
	if err != nil {
		return err
	}
	selective := slices.ContainsFunc(compiled, func(m *matcher.Matcher) bool { return !matchesEmpty(m) })
	switch {
	case !selective:
		return errors.New("at least one matcher must not match the empty string")
	case s.StartsAt.IsZero():
		return errors.New("start time missing")
	case s.EndsAt.IsZero():
		return errors.New("end time missing")
	case !s.StartsAt.Before(s.EndsAt):
		return errors.New("start time must be before end time")
	}
	return nil
}

// compile makes the matchers anew: nobody can tell whether one that was put together by hand has
// its regular expression compiled.
func compile(ms matcher.Matchers) (matcher.Matchers, error) {
	compiled := make(matcher.Matchers, len(ms))
	for i, m := range ms {
		var err error
		if compiled[i], err = compileOne(m); err != nil {
			return nil, fmt.Errorf("invalid label matcher %d: %w", i, err)
		}
	}
	return compiled, nil
}

func compileOne(m *matcher.Matcher) (*matcher.Matcher, error) {
	switch {
	case m == nil:
		return nil, errors.New("it is missing")
	case m.Type < matcher.Equal || m.Type > matcher.NotRegexp:
		return nil, fmt.Errorf("unknown matcher type %d", m.Type)
	case !matcher.ValidName(m.Name):
		return nil, fmt.Errorf("invalid label name %q", m.Name)
	case !model.LabelValue(m.Value).IsValid():
		return nil, fmt.Errorf("invalid label value %q", m.Value)
	}
	compiled, err := matcher.New(m.Type, m.Name, m.Value)
	if err != nil {
		return nil, fmt.Errorf("invalid regular expression %q: %w", m.Value, err)
	}
	return compiled, nil
}

// matchesEmpty is Alertmanager's: a negative matcher counts as selective, whatever it matches.
func matchesEmpty(m *matcher.Matcher) bool {
	return (m.Type == matcher.Equal || m.Type == matcher.Regexp) && m.Matches("")
}

// Count returns how many silences are in each state at now.
func Count(now time.Time, all []*alarm.Silence) map[alarm.SilenceState]int {
	counts := map[alarm.SilenceState]int{alarm.SilencePending: 0, alarm.SilenceActive: 0, alarm.SilenceExpired: 0}
	for _, s := range all {
		counts[s.StateAt(now)]++
	}
	return counts
}
