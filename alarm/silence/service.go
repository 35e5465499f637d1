package silence

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
)

// An Engine keeps the silences.
type Engine interface {
	// Submit returns after the input is committed, or with an error and nothing kept.
	Submit(ctx context.Context, in alarm.Input) error

	// Silences returns all that are kept, expired ones too.
	Silences(ctx context.Context) ([]*alarm.Silence, error)
}

// Options configures a Service. The zero value works.
type Options struct {
	// MaxSilences bounds how many silences are kept, expired ones among them. Zero is without limit.
	MaxSilences int

	// MaxSizeBytes bounds the bytes of a silence's texts: ID, matchers, author, comment and
	// annotations. Zero is without limit.
	MaxSizeBytes int

	// Planner returns what turns windows into silences: a reload may change it. Nil knows no teams.
	Planner func() Planner
}

// A Service makes, edits and ends silences.
type Service struct {
	engine Engine
	opts   Options
	edit   chan struct{} // holds a value while a known silence is edited
	adding atomic.Int64  // new silences under way

	calendars calendars
}

// NewService returns a Service over an engine.
func NewService(engine Engine, o Options) (*Service, error) {
	if engine == nil {
		return nil, errors.New("silence: an engine is needed")
	}
	if o.MaxSilences < 0 || o.MaxSizeBytes < 0 {
		return nil, errors.New("silence: a limit is less than zero")
	}
	return &Service{engine: engine, opts: o, edit: make(chan struct{}, 1)}, nil
}

// Set makes a silence, or edits the one that the ID names, and returns the ID that it has from now
// on. It returns after the commit.
func (s *Service) Set(ctx context.Context, edit alarm.Silence) (string, error) {
	var current *alarm.Silence
	if edit.ID != "" {
		unlock, err := s.lock(ctx)
		if err != nil {
			return "", err
		}
		defer unlock()
		if current, err = s.Get(ctx, edit.ID); err != nil {
			return "", err
		}
	}
	result, err := Set(present(), current, edit, uuid.NewString)
	if err != nil {
		return "", err
	}
	made := result[len(result)-1]
	if size := sizeBytes(made); s.opts.MaxSizeBytes > 0 && size > s.opts.MaxSizeBytes {
		return "", invalid("silence exceeded maximum size: %d bytes (limit: %d bytes)", size, s.opts.MaxSizeBytes)
	}
	if made.ID != edit.ID {
		defer s.adding.Add(-1)
		if err := s.room(ctx, int(s.adding.Add(1))); err != nil {
			return "", err
		}
	}
	failpoint.Here("silence-edited")
	if err := s.engine.Submit(ctx, alarm.Input{Silences: result}); err != nil {
		return "", fmt.Errorf("submit silence: %w", err)
	}
	return made.ID, nil
}

// Expire ends a silence now. To end it again is no error.
func (s *Service) Expire(ctx context.Context, id string) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	current, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := tooManyExceptions(current); err != nil {
		return err
	}
	expired := Expire(present(), current)
	if expired == nil {
		return nil
	}
	failpoint.Here("silence-expired")
	if err := s.engine.Submit(ctx, alarm.Input{Silences: []*alarm.Silence{expired}}); err != nil {
		return fmt.Errorf("submit silence: %w", err)
	}
	return nil
}

// Get returns one silence.
func (s *Service) Get(ctx context.Context, id string) (*alarm.Silence, error) {
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, known := range all {
		if known.ID == id {
			return known, nil
		}
	}
	return nil, ErrNotFound
}

// List returns all silences that are kept, expired ones too, each with its calendar if it recurs. The
// list is the caller's; what it points to is not.
func (s *Service) List(ctx context.Context) ([]*alarm.Silence, error) {
	all, err := s.engine.Silences(ctx)
	if err != nil {
		return nil, fmt.Errorf("list silences: %w", err)
	}
	s.calendars.compile(all)
	return all, nil
}

// lock waits until no other silence is edited.
func (s *Service) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case s.edit <- struct{}{}:
		return func() { <-s.edit }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for another edit: %w", context.Cause(ctx))
	}
}

// room says whether so many more silences may be kept. One that is being committed may be counted
// twice, so at the very limit a burst can be refused that would just have fitted.
func (s *Service) room(ctx context.Context, adding int) error {
	if s.opts.MaxSilences == 0 {
		return nil
	}
	all, err := s.List(ctx)
	if err != nil {
		return err
	}
	if len(all)+adding > s.opts.MaxSilences {
		return invalid("exceeded maximum number of silences: %d (limit: %d)", len(all), s.opts.MaxSilences)
	}
	return nil
}

func sizeBytes(s *alarm.Silence) int {
	n := len(s.ID) + len(s.CreatedBy) + len(s.Comment)
	for _, m := range s.Matchers {
		n += len(m.Name) + len(m.Value)
	}
	for name, value := range s.Annotations {
		n += len(name) + len(value)
	}
	if r := s.Recurrence; r != nil {
		n += len(r.Rule) + len(r.Zone) + len(r.Start)
	}
	return n + len(s.Name) + len(s.Scope.Cluster) + len(s.Scope.Instance) + len(s.Scope.Environment) + len(s.Scope.Team)
}

// present is the time without the reading of the monotonic clock, which does not survive the store.
func present() time.Time { return time.Now().UTC().Round(0) }
