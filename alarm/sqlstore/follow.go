package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A Delta brings a copy of the state up to date.
type Delta struct {
	// Leadership is as of the same instant as the state. Its Generation and Version are what Follow
	// is asked with the next time.
	Leadership Leadership

	// Whole says that State is everything, not only what was written since.
	Whole bool

	// State holds what was written, sorted as Load sorts it. Nil: nothing has moved.
	State *alarm.Stored

	// Removed is what was deleted. What is in State as well was written again, and is there.
	Removed Removed
}

// Follow returns what happened to the state since the leadership that the last Delta held, or
// everything if that is the zero value. If nothing moved it costs one row; otherwise it costs what
// has changed, but for a change of leader and for a reader that is thousands of commits behind.
func (d *DB) Follow(ctx context.Context, last Leadership) (*Delta, error) {
	if d.dialect.Server == nil {
		s, err := d.Load(ctx)
		return &Delta{State: s, Whole: true}, err
	}
	l, err := d.Leadership(ctx)
	if err != nil || same(l, last) {
		return &Delta{Leadership: l}, err
	}
	delta, err := d.follow(ctx, last)
	if err != nil {
		return nil, fmt.Errorf("follow: %w", d.trouble(err))
	}
	return delta, nil
}

// same says whether nobody has committed meanwhile. Whether the lease was renewed does not matter.
func same(a, b Leadership) bool { return a.Generation == b.Generation && a.Version == b.Version }

func (d *DB) follow(ctx context.Context, last Leadership) (*Delta, error) {
	ctx, cancel := d.boundLoad(ctx)
	defer cancel()
	tx, err := d.begin(ctx, d.read, d.snapshot())
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	delta := &Delta{}
	if delta.Leadership, err = d.leadership(ctx, tx); err != nil {
		return nil, err
	}
	behind := delta.Leadership.Version - last.Version
	delta.Whole = delta.Leadership.Generation != last.Generation || behind < 0 || behind > keptVersions || last.Version == 0
	if delta.Whole {
		delta.State, err = d.load(ctx, tx, 0)
		return delta, err
	}
	if delta.State, err = d.load(ctx, tx, last.Version); err != nil {
		return nil, err
	}
	l := &loader{d: d, tx: tx, since: last.Version, reader: reader{known: map[string]string{}}}
	return delta, l.removed(ctx, &delta.Removed)
}

// Apply brings s up to date, which must be what earlier Deltas made. What is in s is not modified:
// the lists are new where anything moved.
func (d *Delta) Apply(s *alarm.Stored) {
	switch {
	case d.State == nil:
		return
	case d.Whole:
		*s = *d.State
		return
	}
	byID := func(a, b *alarm.Alert) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) }
	s.Alerts = merge(s.Alerts, d.State.Alerts, byID, removed(d.Removed.Alerts, (*alarm.Alert).Fingerprint))
	s.Verdicts = merge(s.Verdicts, d.State.Verdicts,
		func(a, b alarm.Verdict) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) },
		removed(d.Removed.Verdicts, func(v alarm.Verdict) model.Fingerprint { return v.Fingerprint }))
	s.Silences = merge(s.Silences, d.State.Silences,
		func(a, b *alarm.Silence) int { return cmp.Compare(a.ID, b.ID) },
		removed(d.Removed.Silences, func(s *alarm.Silence) string { return s.ID }))
	s.Groups = merge(s.Groups, d.State.Groups,
		func(a, b alarm.GroupState) int { return cmp.Compare(a.Group.ID(), b.Group.ID()) },
		removed(d.Removed.Groups, func(g alarm.GroupState) string { return g.Group.ID() }))
	s.Told = merge(s.Told, d.State.Told, compareTold, removed(d.Removed.Told, func(t alarm.Told) alarm.IntentionKey { return t.Key }))
	s.Intentions = merge(s.Intentions, d.State.Intentions,
		func(a, b alarm.Intention) int { return cmp.Compare(a.ID, b.ID) },
		removed(d.Removed.Intentions, func(in alarm.Intention) int64 { return in.ID }))
	type rowKey struct{ part, key string }
	gone := make([]rowKey, len(d.Removed.Rows))
	for i, r := range d.Removed.Rows {
		gone[i] = rowKey{r.Part, r.Key}
	}
	s.Rows = merge(s.Rows, d.State.Rows, compareRows, removed(gone, func(r alarm.Row) rowKey { return rowKey{r.Part, r.Key} }))
}

// removed says whether a value is among those whose keys are gone.
func removed[T any, K comparable](gone []K, key func(T) K) func(T) bool {
	set := make(map[K]bool, len(gone))
	for _, k := range gone {
		set[k] = true
	}
	return func(v T) bool { return len(set) > 0 && set[key(v)] }
}

// merge returns old less what is gone, with what was written in its place. Both lists are sorted.
func merge[T any](old, written []T, compare func(a, b T) int, gone func(T) bool) []T {
	if len(written) == 0 && !slices.ContainsFunc(old, gone) {
		return old
	}
	out := make([]T, 0, len(old)+len(written))
	for _, v := range old {
		for len(written) > 0 && compare(written[0], v) < 0 {
			out, written = append(out, written[0]), written[1:]
		}
		if len(written) > 0 && compare(written[0], v) == 0 {
			continue // it is next
		}
		if !gone(v) {
			out = append(out, v)
		}
	}
	if out = append(out, written...); len(out) == 0 {
		return nil
	}
	return out
}
