package silence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// memory keeps silences as an engine does; a commit takes a second.
type memory struct {
	err error // of the next commits

	mu       sync.Mutex
	silences map[string]*alarm.Silence // guarded by mu
}

func (m *memory) Submit(ctx context.Context, in alarm.Input) error {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	if m.err != nil {
		return m.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range in.Silences {
		m.silences[s.ID] = s
	}
	return nil
}

func (m *memory) Silences(context.Context) ([]*alarm.Silence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*alarm.Silence
	for _, id := range slices.Sorted(maps.Keys(m.silences)) {
		all = append(all, m.silences[id])
	}
	return all, nil
}

func inBubble(t *testing.T, o Options, f func(t *testing.T, s *Service, m *memory)) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{silences: map[string]*alarm.Silence{}}
		s, err := NewService(m, o)
		require.NoError(t, err)
		f(t, s, m)
	})
}

func hour(comment string) alarm.Silence {
	return alarm.Silence{
		Matchers: matcher.MustParse(`alertname="X"`), StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour), CreatedBy: "me", Comment: comment,
	}
}

func TestServiceLifeOfASilence(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, s *Service, _ *memory) {
		ctx := t.Context()
		edit := hour("first")
		id, err := s.Set(ctx, edit)
		require.NoError(t, err)
		edit.ID, edit.Comment = id, "second"
		same, err := s.Set(ctx, edit)
		require.NoError(t, err)
		assert.Equal(t, id, same)
		edit.Matchers = matcher.MustParse(`alertname="Y"`)
		other, err := s.Set(ctx, edit)
		require.NoError(t, err)
		assert.NotEqual(t, id, other)

		require.NoError(t, s.Expire(ctx, other))
		require.NoError(t, s.Expire(ctx, other), "again is no error")
		all, err := s.List(ctx)
		require.NoError(t, err)
		assert.Equal(t, map[alarm.SilenceState]int{"active": 0, "pending": 0, "expired": 2}, Count(time.Now(), all))
		got, err := s.Get(ctx, id)
		require.NoError(t, err)
		assert.Equal(t, "second", got.Comment)

		_, err = s.Get(ctx, "nobody")
		require.ErrorIs(t, err, ErrNotFound)
		require.ErrorIs(t, s.Expire(ctx, "nobody"), ErrNotFound)
		edit.ID = "nobody"
		_, err = s.Set(ctx, edit)
		require.ErrorIs(t, err, ErrNotFound)
	})
}

func TestServiceNewOnesSideBySideEditsInTurn(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, s *Service, _ *memory) {
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				_, err := s.Set(t.Context(), hour(fmt.Sprint(i)))
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.Equal(t, time.Second, time.Since(began), "one commit's time for all")

		all, err := s.List(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 100)
		edit := *all[0]
		began = time.Now()
		for i := range 5 { // each with other matchers: only one may find the old silence active
			wg.Go(func() {
				mine := edit
				mine.Matchers = matcher.MustParse(fmt.Sprintf(`n="%d"`, i))
				_, err := s.Set(t.Context(), mine)
				assert.NoError(t, err)
			})
		}
		synctest.Wait()
		hurried, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		require.ErrorIs(t, s.Expire(hurried, edit.ID), context.DeadlineExceeded, "it does not wait longer than its caller")
		wg.Wait()
		assert.Equal(t, 5*time.Second, time.Since(began))
	})
}

func TestServiceLimits(t *testing.T) {
	inBubble(t, Options{MaxSilences: 2, MaxSizeBytes: 60}, func(t *testing.T, s *Service, m *memory) {
		ctx := t.Context()
		var broken interface{ Invalid() bool }
		_, err := s.Set(ctx, hour("a comment that is too long"))
		require.ErrorAs(t, err, &broken)
		assert.EqualError(t, err, "silence exceeded maximum size: 74 bytes (limit: 60 bytes)")

		m.err = errors.New("disk full")
		_, err = s.Set(ctx, hour("1"))
		require.EqualError(t, err, "submit silence: disk full")
		m.err = nil
		for range 2 {
			_, err = s.Set(ctx, hour("1"))
			require.NoError(t, err, "what failed does not count")
		}
		_, err = s.Set(ctx, hour("3"))
		require.ErrorAs(t, err, &broken)
		assert.EqualError(t, err, "exceeded maximum number of silences: 2 (limit: 2)")
		all, err := s.List(ctx)
		require.NoError(t, err)
		edit := *all[0]
		edit.Comment = "edited"
		_, err = s.Set(ctx, edit)
		require.NoError(t, err, "an edit needs no room")
		edit.Matchers = matcher.MustParse(`a="1"`)
		_, err = s.Set(ctx, edit)
		require.ErrorAs(t, err, &broken, "unless it makes a new one")
	})
}

func TestNewServiceErrors(t *testing.T) {
	_, err := NewService(nil, Options{})
	require.EqualError(t, err, "silence: an engine is needed")
	_, err = NewService(&memory{}, Options{MaxSilences: -1})
	require.EqualError(t, err, "silence: a limit is less than zero")
}
