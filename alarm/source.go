package alarm

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// A Source says which alerts fire.
type Source interface {
	// Alerts returns everything that is active now. What a whole snapshot leaves out has ended,
	// unless it is named as unknown. On failure it returns an error rather than part of the truth:
	// then everything that the source reported before is held. Collect asks again before it says so.
	// It must return when ctx ends.
	Alerts(ctx context.Context) (Snapshot, error)
}

// A Changer is a Source that can say when it is worth asking.
type Changer interface {
	Source

	// Changed delivers a value when Alerts would answer something new. It is never closed.
	Changed() <-chan struct{}
}

// A Snapshot is what one source reported at one instant. The zero value says that nothing is
// active; fill it with Firing, Pending and Unknown, or set its fields.
type Snapshot struct {
	// Source names the source; the engine sets it for sources that it collects.
	Source string

	// At is when the source spoke. Zero means when the snapshot reached the engine.
	At time.Time

	// Partial says that what it omits is unchanged: a push. EndsAt ends the alerts of a partial
	// snapshot; those of a whole one end by being left out.
	Partial bool

	// Alerts need not be sorted. If a fingerprint occurs twice, the later one counts.
	Alerts []Alert

	// Unknowns match alerts about which the source knows nothing at present. They are kept as they
	// were.
	Unknowns []matcher.Matchers

	// Err says that the source failed. Nothing else in the snapshot counts then.
	Err error
}

// Firing adds an alert that fires. Annotations may be added to the Alert that it returns, which is
// valid until the next call.
func (s *Snapshot) Firing(labels model.LabelSet) *Alert {
	s.Alerts = append(s.Alerts, Alert{Labels: labels, State: Firing})
	return &s.Alerts[len(s.Alerts)-1]
}

// Pending adds an alert whose condition is true, but not yet for long enough.
func (s *Snapshot) Pending(labels model.LabelSet) *Alert {
	s.Alerts = append(s.Alerts, Alert{Labels: labels, State: Pending})
	return &s.Alerts[len(s.Alerts)-1]
}

// Unknown says that nothing is known of the alerts that carry these labels, among others.
func (s *Snapshot) Unknown(labels model.LabelSet) {
	s.Unknowns = append(s.Unknowns, matcher.FromLabels(labels))
}

// Validate says what makes the alert unusable: no labels, a name or a value that is not valid, or
// an end before its start.
func (a *Alert) Validate() error {
	if !a.EndsAt.IsZero() && a.EndsAt.Before(a.StartsAt) {
		return fmt.Errorf("start time must be before end time")
	}
	if len(a.Labels) == 0 {
		return fmt.Errorf("at least one label pair required")
	}
	if err := validateLabels(a.Labels); err != nil {
		return fmt.Errorf("invalid label set: %w", err)
	}
	if err := validateLabels(a.Annotations); err != nil {
		return fmt.Errorf("invalid annotations: %w", err)
	}
	return nil
}

func validateLabels(ls model.LabelSet) error {
	var bad error
	for name, value := range ls { // the smallest offender is named, so that the message is stable
		var err error
		if !matcher.ValidName(string(name)) {
			err = fmt.Errorf("invalid name %q", name)
		} else if !value.IsValid() {
			err = fmt.Errorf("invalid value %q", value)
		}
		if err != nil && (bad == nil || err.Error() < bad.Error()) {
			bad = err
		}
	}
	return bad
}
