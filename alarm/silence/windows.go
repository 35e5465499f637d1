package silence

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/tocsin/tocsin/alarm"
)

// Plan returns the silence that a window is to be, which [Service.Start] starts.
func (s *Service) Plan(w Window) (*alarm.Silence, error) {
	var p Planner
	if s.opts.Planner != nil {
		p = s.opts.Planner()
	}
	return p.Plan(present(), w)
}

// Start keeps a planned silence from now on, and returns its ID. A window needs a name that no other
// has which is still to come or under way. It returns after the commit.
func (s *Service) Start(ctx context.Context, planned *alarm.Silence) (string, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	now := present()
	made := *planned
	made.ID, made.UpdatedAt, made.FromFile = uuid.NewString(), now, false
	if made.Recurrence == nil {
		made.StartsAt = latest(now, made.StartsAt)
		if !made.EndsAt.After(made.StartsAt) {
			return "", refused("end", "let it end later", "it ends before now")
		}
	}
	all, err := s.List(ctx)
	if err != nil {
		return "", err
	}
	for _, known := range all {
		if made.Kind == alarm.KindWindow && known.Kind == made.Kind && known.Name == made.Name && known.StateAt(now) != alarm.SilenceExpired {
			return "", refused("name", "extend that one, end it, or choose another name", "a window %q is there already (%s)", shown(made.Name), known.ID)
		}
	}
	if size := sizeBytes(&made); s.opts.MaxSizeBytes > 0 && size > s.opts.MaxSizeBytes {
		return "", invalid("silence exceeded maximum size: %d bytes (limit: %d bytes)", size, s.opts.MaxSizeBytes)
	}
	defer s.adding.Add(-1)
	if err := s.room(ctx, int(s.adding.Add(1))); err != nil {
		return "", err
	}
	return made.ID, s.submit(ctx, &made)
}

// Find returns the silence with that ID, or the window of that name that is under way or to come.
func (s *Service) Find(ctx context.Context, idOrName string) (*alarm.Silence, error) {
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	now := present()
	var named *alarm.Silence
	for _, known := range all {
		switch {
		case known.ID == idOrName:
			return known, nil
		case known.Kind != alarm.KindSilence && known.Name == idOrName && known.StateAt(now) != alarm.SilenceExpired:
			named = known
		}
	}
	if named == nil {
		return nil, ErrNotFound
	}
	return named, nil
}

// Extend has a window, or its occurrence that is under way or next, end at another time. What end
// returns is asked with the end as it is; if it is nil the lease is renewed.
func (s *Service) Extend(ctx context.Context, idOrName string, end func(time.Time) time.Time) (*alarm.Silence, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	current, err := s.Find(ctx, idOrName)
	if err != nil {
		return nil, err
	}
	var until time.Time
	if o, ok := current.Occurrence(present()); ok && end != nil {
		until = end(o.End)
	}
	if err := tooManyExceptions(current); err != nil {
		return nil, err
	}
	longer, err := Extend(present(), current, until)
	if err != nil {
		return nil, err
	}
	return longer, s.submit(ctx, longer)
}

// End ends a window, or its occurrence that is under way or next; with series, all that are to come. To
// end it again is no error.
func (s *Service) End(ctx context.Context, idOrName string, series bool) (*alarm.Silence, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	current, err := s.Find(ctx, idOrName)
	if err != nil {
		return nil, err
	}
	if series && current.FromFile {
		return nil, refused("series", "remove it from the file and reload", "window %q stands in the configuration file", shown(current.Name))
	}
	if err := tooManyExceptions(current); err != nil && !series {
		return nil, err
	}
	ended := Expire(present(), current)
	if series {
		ended = End(present(), current)
	}
	if ended == nil {
		return current, nil
	}
	return ended, s.submit(ctx, ended)
}

// Configure has in force what the configuration file plans, and ends what it does not any more.
func (s *Service) Configure(ctx context.Context, wanted []*alarm.Silence) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	known, err := s.List(ctx)
	if err != nil {
		return err
	}
	return s.submit(ctx, Configured(present(), wanted, known)...)
}

func (s *Service) submit(ctx context.Context, edits ...*alarm.Silence) error {
	if len(edits) == 0 {
		return nil
	}
	if err := s.engine.Submit(ctx, alarm.Input{Silences: edits}); err != nil {
		return fmt.Errorf("submit silence: %w", err)
	}
	return nil
}

// maxExceptions bounds how many occurrences of a series are not as the rule has them.
const maxExceptions = 100

func tooManyExceptions(s *alarm.Silence) error {
	if len(s.Exceptions) < maxExceptions {
		return nil
	}
	return refused("id", "end it for good, and plan another", "%s has %d occurrences already that were called off or moved", called(s), len(s.Exceptions))
}
