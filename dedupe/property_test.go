package dedupe

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// history makes random input: three sources that are read, two that push.
type history struct {
	*rand.Rand
	now time.Time
}

func (h *history) step() []alarm.Snapshot {
	h.now = h.now.Add(time.Duration(1+h.IntN(20)) * time.Second)
	var all []alarm.Snapshot
	for _, source := range []string{"a", "b", "c"} {
		switch h.IntN(4) {
		case 0:
			all = append(all, failed(source))
		case 1, 2:
			all = append(all, h.whole(source))
		}
	}
	for _, source := range []string{"p", "q"} {
		for range h.IntN(3) {
			all = append(all, h.push(source))
		}
	}
	return all
}

func (h *history) whole(source string) alarm.Snapshot {
	s := alarm.Snapshot{Source: source, At: h.now.Add(-time.Duration(h.IntN(2)) * time.Second)}
	for i := range 4 {
		labels := named(fmt.Sprint("X", i))
		switch h.IntN(6) {
		case 0, 1, 2:
			a := s.Firing(labels)
			a.Annotations = named(fmt.Sprint(h.IntN(2)))
			if h.IntN(2) == 0 {
				a.StartsAt = h.now.Add(-time.Duration(h.IntN(100)) * time.Second)
			}
		case 3:
			s.Pending(labels)
		case 4:
			s.Unknown(labels)
		}
	}
	return s
}

func (h *history) push(source string) alarm.Snapshot {
	s := alarm.Snapshot{Source: source, Partial: true, At: h.now}
	for range 1 + h.IntN(3) {
		a := fires(fmt.Sprint("X", h.IntN(4)), h.now.Add(-time.Duration(h.IntN(100))*time.Second))
		if h.IntN(3) > 0 {
			a.EndsAt = a.StartsAt.Add(time.Duration(h.IntN(200)) * time.Second)
		}
		s.Alerts = append(s.Alerts, a)
	}
	return s
}

func shuffled(rnd *rand.Rand, snapshots []alarm.Snapshot) []alarm.Snapshot {
	order := rnd.Perm(len(snapshots))
	var all []alarm.Snapshot
	for _, i := range order {
		all = append(all, snapshots[i])
	}
	for _, source := range []string{"p", "q"} { // those of one source stay in their order
		var own []alarm.Snapshot
		for _, s := range snapshots {
			if s.Source == source {
				own = append(own, s)
			}
		}
		for i := range all {
			if all[i].Source == source {
				all[i], own = own[0], own[1:]
			}
		}
	}
	return all
}

// TestHistories checks, over random histories, that the order in which sources answer does not
// matter, that a Presence built anew continues like the one whose output it was built from, and
// what must never happen.
func TestHistories(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			h := &history{rnd, start}
			o := Options{Sources: []string{"a", "b", "c"}, StartupGrace: time.Hour}
			if seed%3 == 0 {
				o.MaxStale = time.Minute
			}
			if seed%5 == 0 {
				o.PerAlertnameLimit = 1
			}
			if seed%2 == 0 {
				o.Linger = 25 * time.Second
			}
			if seed%4 < 2 {
				o.Flap = &FlapOptions{HalfLife: 20 * time.Second, Min: 10 * time.Second, Max: 3 * time.Minute, NoteEvery: 15 * time.Second}
			}
			if seed%16 == 1 {
				o.Flap.Mode = IcingaFlap
			}
			if seed%7 == 0 {
				o.Remember = 2
			}
			original, other, rebuilt := newBench(t, start, o), newBench(t, start, o), newBench(t, start, o)
			for range 100 {
				in := h.step()
				before := statesOf(original)
				words := original.observe(h.now, in...)
				require.Equal(t, words, other.observe(h.now, shuffled(rnd, in)...))
				require.Equal(t, words, rebuilt.observe(h.now, in...))
				require.Equal(t, original.stored(false), other.stored(false))
				require.Equal(t, original.stored(false), rebuilt.stored(false))
				require.Equal(t, original.next, other.next)

				original.neverEndsByFailure(before, in, words, o)
				original.firesWhileReported(h.now)
				if rnd.IntN(4) == 0 {
					original.repeatsChangeNothing(h.now, in)
					other.repeatsChangeNothing(h.now, in)
					rebuilt.repeatsChangeNothing(h.now, in)
				}
				for _, b := range []*bench{original, other, rebuilt} {
					b.forget(h.now, time.Minute)
				}
				if rnd.IntN(4) == 0 {
					rebuilt.rebuild(h.now, false)
				}
			}
			original.unmodified()
		})
	}
}

func statesOf(b *bench) map[string]alarm.Alert {
	states := map[string]alarm.Alert{}
	for _, a := range b.alerts {
		states[a.Name()] = *a
	}
	return states
}

// neverEndsByFailure: what ended was ended by a source that answered, or by its time.
func (b *bench) neverEndsByFailure(before map[string]alarm.Alert, in []alarm.Snapshot, words []string, o Options) {
	for _, w := range words {
		name, by, _ := strings.Cut(strings.TrimPrefix(w, "ended "), " by ")
		if !strings.HasPrefix(w, "ended ") {
			continue
		}
		if by != "" {
			require.True(b.t, slices.ContainsFunc(in, func(s alarm.Snapshot) bool { return s.Source == by && s.Err == nil }), w)
			continue
		}
		if o.MaxStale == 0 {
			require.False(b.t, slices.ContainsFunc(before[name].Reports, func(r alarm.Report) bool {
				return !r.Partial && r.State == alarm.Firing
			}), "%s, though a source that was read reported it", w)
		}
	}
}

// firesWhileReported: an alert fires if and only if a report says so that still counts.
func (b *bench) firesWhileReported(now time.Time) {
	for _, a := range b.alerts {
		reported := slices.ContainsFunc(a.Reports, func(r alarm.Report) bool {
			return r.State == alarm.Firing && (!r.Partial || r.EndsAt.After(now))
		})
		lingers := b.o.Linger > 0 && lastEnd(a.Reports).Add(b.o.Linger).After(now)
		flaps := b.flap != nil && b.flap.Flapping(a.Fingerprint())
		switch {
		case reported, a.State != alarm.Firing && !flaps: // linger may have been over, and the end in the past
			require.Equal(b.t, reported, a.State == alarm.Firing, "%+v", a)
		default:
			require.True(b.t, lingers || flaps, "%+v", a)
			require.Equal(b.t, alarm.Firing, a.State, "%+v", a)
		}
		require.Equal(b.t, a.State == alarm.Firing && flaps, a.Occurrences().Flapping != nil, "%+v", a)
		require.Equal(b.t, a.State == alarm.Resolved, a.ResolvedAt(now), "%+v", a)
		for _, s := range b.sources {
			_, counts := s.alerts[a.Fingerprint()]
			r := find(a.Reports, s.name)
			require.Equal(b.t, r != nil && active(r, now), counts, "%s: %+v", s.name, a)
		}
	}
}

// repeatsChangeNothing: whole snapshots that are observed again only move times.
func (b *bench) repeatsChangeNothing(now time.Time, in []alarm.Snapshot) {
	var again []alarm.Snapshot
	for _, s := range in {
		if !s.Partial {
			again = append(again, s)
		}
	}
	b.observe(now, again...)
	for _, w := range b.observe(now, again...) {
		require.True(b.t, strings.HasPrefix(w, "refreshed "), w)
	}
}
