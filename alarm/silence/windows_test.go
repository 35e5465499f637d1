package silence

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

func TestServiceLifeOfAWindow(t *testing.T) {
	teams := Options{MaxSilences: 3, Planner: func() Planner {
		return Planner{Team: func(name string) (matcher.Matchers, bool) { return matcher.MustParse(`job="pg"`), name == "db" }}
	}}
	inBubble(t, teams, func(t *testing.T, s *Service, m *memory) {
		ctx := t.Context()
		ask := func(a Asked) (string, error) {
			p, err := a.Plan(s)
			require.NoError(t, err)
			return s.Start(ctx, p)
		}
		id, err := ask(Asked{Name: "deploy", Team: "db", Lease: "10m"})
		require.NoError(t, err)
		_, err = ask(Asked{Name: "deploy", Team: "db", Lease: "10m"})
		require.ErrorContains(t, err, `a window "deploy" is there already`)
		w, err := s.Find(ctx, "deploy")
		require.NoError(t, err)
		assert.Equal(t, id, w.ID)
		assert.Equal(t, `{job="pg"}`, w.Matchers.String())

		time.Sleep(9 * time.Minute)
		renewed, err := s.Extend(ctx, "deploy", nil)
		require.NoError(t, err)
		assert.Equal(t, present().Add(10*time.Minute-time.Second), renewed.EndsAt, "a commit takes a second")
		time.Sleep(11 * time.Minute)
		_, err = s.Find(ctx, "deploy")
		require.ErrorIs(t, err, ErrNotFound, "it was not renewed in time")
		_, err = s.Extend(ctx, id, nil)
		require.ErrorContains(t, err, "start another")

		_, err = ask(Asked{Name: "deploy", Cluster: "eu", RRule: "FREQ=DAILY", Duration: "1h", Start: "1999-01-01T00:00"})
		require.NoError(t, err, "the name is free again")
		m.silences = clone(m.silences) // a restart: what is stored has no calendar
		w, err = s.Find(ctx, "deploy")
		require.NoError(t, err)
		assert.Equal(t, alarm.SilenceActive, w.StateAt(present()))
		w, err = s.End(ctx, "deploy", false)
		require.NoError(t, err)
		assert.Equal(t, alarm.SilencePending, w.StateAt(present()), "the next occurrence stays")
		w, err = s.End(ctx, "deploy", true)
		require.NoError(t, err)
		assert.Equal(t, alarm.SilenceExpired, w.StateAt(present()))

		planned, err := (&Planner{}).Plan(present(), Window{Kind: alarm.KindWindow, Name: "file", Scope: alarm.Scope{Cluster: "eu"}, Start: "1999-01-01T00:00", Rule: "FREQ=DAILY", Duration: time.Hour})
		require.NoError(t, err)
		require.NoError(t, s.Configure(ctx, []*alarm.Silence{planned}))
		_, err = s.End(ctx, "file", true)
		require.ErrorContains(t, err, "remove it from the file")
		require.NoError(t, s.Expire(ctx, FileID("file")), "by API v2: the occurrence")
		require.NoError(t, s.Configure(ctx, []*alarm.Silence{planned}))
		w, err = s.Find(ctx, "file")
		require.NoError(t, err)
		assert.Len(t, w.Exceptions, 1, "a reload of the same plan keeps what was ended")
		_, err = ask(Asked{Name: "more", Cluster: "eu", Duration: "1h"})
		require.ErrorContains(t, err, "exceeded maximum number of silences")
		require.NoError(t, s.Configure(ctx, nil))
		_, err = s.Find(ctx, "file")
		require.ErrorIs(t, err, ErrNotFound)
	})
}

func TestServiceBoundsExceptions(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, s *Service, _ *memory) {
		p, err := (&Asked{Name: "daily", Cluster: "eu", RRule: "FREQ=DAILY", Duration: "1h"}).Plan(s)
		require.NoError(t, err)
		_, err = s.Start(t.Context(), p)
		require.NoError(t, err)
		for range maxExceptions {
			_, err = s.End(t.Context(), "daily", false)
			require.NoError(t, err)
		}
		_, err = s.End(t.Context(), "daily", false)
		require.ErrorContains(t, err, "end it for good")
		_, err = s.Extend(t.Context(), "daily", func(end time.Time) time.Time { return end.Add(time.Hour) })
		require.ErrorContains(t, err, "end it for good")
		_, err = s.End(t.Context(), "daily", true)
		require.NoError(t, err)
	})
}

func clone(all map[string]*alarm.Silence) map[string]*alarm.Silence {
	kept := map[string]*alarm.Silence{}
	for id, s := range all {
		kept[id] = stored(s)
	}
	return kept
}

// BenchmarkWindows has 10k windows that recur: to compile and take them in at a start, and to judge an
// alert that one of them mutes.
func BenchmarkWindows(b *testing.B) {
	var all []*alarm.Silence
	for i := range 10_000 {
		s, err := Planner{}.Plan(start, Window{
			Kind: alarm.KindWindow, Name: "w", Scope: alarm.Scope{Cluster: strconv.Itoa(i)},
			Rule: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", Start: "2024-01-01T00:00", Zone: "Europe/London", Duration: 20 * time.Hour,
		})
		require.NoError(b, err)
		s.ID = strconv.Itoa(i)
		all = append(all, stored(s))
	}
	b.Run("start/10k", func(b *testing.B) {
		for b.Loop() {
			NewSuppressor(start, all)
		}
	})
	b.Run("judge/10k", func(b *testing.B) {
		s := NewSuppressor(start, all)
		a := firingSince(start, "cluster", "77").WithFingerprint()
		v := alarm.View{Changes: []alarm.Change{{Alert: &a}}}
		b.ReportAllocs()
		for b.Loop() {
			if len(s.Judge(start, v).Reasons) != 1 {
				b.Fatal("it is muted")
			}
		}
	})
}
