package dedupe

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

func TestLinger(t *testing.T) {
	swallowed := map[Swallower]int{}
	b := newBench(t, start, Options{Linger: time.Minute, Swallowed: func(by Swallower) { swallowed[by]++ }})
	for _, step := range []struct {
		at    float64
		s     alarm.Snapshot
		want  string
		state string
	}{
		{1, whole("a", "X"), "appeared X by a", "firing"},
		{11, whole("a"), "changed X by a", "firing"},
		{31, whole("a"), "", "firing"},
		{61, whole("a", "X"), "changed X by a", "firing"},
		{91, whole("a"), "changed X by a", "firing"},
		{150, failed("a"), "", "firing"},
		{151, failed("a"), "ended X", "resolved"},
	} {
		var want []string
		if step.want != "" {
			want = []string{step.want}
		}
		assert.Equal(t, want, b.observe(at(step.at), step.s), "at %v", step.at)
		assert.Equal(t, step.state, b.state("X"), "at %v", step.at)
		b.rebuild(at(step.at), step.at == 31 || step.at == 91)
	}
	x := b.named("X")
	assert.Equal(t, map[Swallower]int{ByLinger: 3}, swallowed)
	assert.Equal(t, at(1), x.StartsAt, "one occurrence")
	assert.Equal(t, at(91), x.EndsAt, "when its source resolved it")
	assert.Equal(t, alarm.Occurrences{FirstSeen: at(1), LastSeen: at(91), Fired: 1, Counts: alarm.Counts{
		Since: at(1), Ended: at(151), Firing: 150 * time.Second, Reopens: 1,
	}}, x.Occurrences())
	b.unmodified()
}

// For all sources: what is pushed ends by its EndsAt, or explicitly, and lingers all the same.
func TestLingerOfPushes(t *testing.T) {
	b := newBench(t, start, Options{Linger: time.Minute})
	b.observe(at(0), push("p", fires("Ends", at(0), at(100)), fires("Times", at(0)), fires("Gap", at(0), at(100))))
	assert.Equal(t, []string{"changed Ends by p"}, b.observe(at(50), push("p", fires("Ends", at(0), at(50)))))
	assert.Equal(t, at(100), b.next)
	assert.Equal(t, []string{"changed Gap"}, b.observe(at(100)))
	b.rebuild(at(105), false)
	assert.Equal(t, []string{"ended Ends"}, b.observe(at(110)))
	assert.Equal(t, []string{"changed Gap by p"}, b.observe(at(150), push("p", fires("Gap", at(140), at(400)))))
	assert.Equal(t, at(0), b.named("Gap").StartsAt)
	assert.Equal(t, []string{"changed Times"}, b.observe(at(300)))
	assert.Equal(t, at(360), b.next)
	assert.Equal(t, []string{"ended Times"}, b.observe(at(360)))

	// Resolved and fired again between two cycles.
	assert.Equal(t, []string{"changed Gap by p"}, b.observe(at(370), push("p", fires("Gap", at(0), at(365)), fires("Gap", at(368), at(500)))), "the gap is within linger")
	assert.Equal(t, 2, b.named("Gap").Occurrences().Reopens)
	assert.Equal(t, 1, b.named("Gap").Fired)
}

// oom is up for 20 s each six minutes, ten times, as one that is read every ten seconds sees it.
func oom(b *bench, until time.Duration, each func(now time.Time, news []string)) {
	for now := start; now.Before(start.Add(until)); now = now.Add(10 * time.Second) {
		into := now.Sub(start) % (6 * time.Minute)
		s := whole("a", "Steady")
		if into < 20*time.Second && now.Before(start.Add(time.Hour)) {
			s = whole("a", "OOM", "Steady")
		}
		each(now, b.observe(now, s))
	}
}

func TestAnOOMOfHighestSeverityPagesTwice(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		swallowed := 0
		b := newBench(t, start, Options{Flap: &FlapOptions{}, Swallowed: func(by Swallower) {
			assert.Equal(t, ByFlap, by)
			swallowed++
		}})
		var told []string
		notes, noted := 0, time.Time{}
		oom(b, 3*time.Hour, func(now time.Time, news []string) {
			for _, w := range news {
				if w == "appeared OOM by a" || w == "ended OOM" || w == "ended OOM by a" {
					told = append(told, fmt.Sprint(now.Sub(start).Truncate(time.Minute), " ", w))
				}
			}
			if f := b.named("OOM").Occurrences().Flapping; f != nil && !f.Noted.Equal(noted) {
				notes++
				noted = f.Noted
				assert.Equal(t, 14, f.NotedChanges)
				assert.Equal(t, "Flapping since 2026-01-01 00:06 UTC: 14 changes of state by 2026-01-01 00:36 UTC.", b.named("OOM").Occurrences().Note())
			}
			if restarts && now.Sub(start)%(7*time.Minute) == 0 {
				b.rebuild(now, true)
			}
		})
		assert.Equal(t, []string{"0s appeared OOM by a", "0s ended OOM by a", "6m0s appeared OOM by a", "1h38m0s ended OOM"}, told, "two pages, and the net state")
		assert.Equal(t, 1, notes)
		assert.Equal(t, 17, swallowed, "every change but those that were told")
		o := b.named("OOM").Occurrences()
		assert.Equal(t, []int{2, 1, 8}, []int{o.Fired, o.Flaps, o.Reopens})
		assert.Nil(t, o.Flapping)
		assert.Equal(t, 1, b.named("Steady").Fired)
		b.unmodified()
	}
}

// An outage of ours is not instability of theirs.
func TestAFailedSourceDoesNotFlap(t *testing.T) {
	b := newBench(t, start, Options{Flap: &FlapOptions{}, Expect: map[string]time.Duration{"p": time.Minute}, MaxStale: time.Hour})
	for i := range 40 {
		now := at(float64(30 * i))
		if i%2 == 0 {
			b.observe(now, whole("a", "X"), push("p", fires("P", at(0), now.Add(time.Minute))))
		} else {
			b.observe(now, failed("a"))
		}
	}
	assert.Empty(t, b.flap.State(), "nothing changed")

	b.observe(at(2000), failed("a"))
	assert.Contains(t, b.observe(at(6000)), "ended X", "stale for too long")
	b.observe(at(6001), whole("a", "X"))
	assert.Empty(t, b.flap.State(), "that is no change that its source made")
	b.observe(at(6002), whole("a"))
	assert.Equal(t, 2, b.flap.Changes(named("X").Fingerprint()))
	b.observe(at(6003), whole("a", "X"))
	b.observe(at(6004), failed("a"))
	assert.Contains(t, b.observe(at(10_000)), "ended X")
	assert.Empty(t, b.flap.State(), "its state is not known, and not taken for steady")
}

func TestAFlappingAlertStaysUpUntilTheNetState(t *testing.T) {
	for _, firing := range []bool{false, true} {
		b := newBench(t, start, Options{Flap: &FlapOptions{HalfLife: time.Minute, Min: time.Minute}})
		now := start
		for i := range 8 {
			now = now.Add(10 * time.Second)
			if (i%2 == 0) == firing {
				b.observe(now, whole("a"))
			} else {
				b.observe(now, whole("a", "X"))
			}
			if i > 4 {
				assert.Equal(t, "firing", b.state("X"))
				assert.True(t, b.named("X").EndsAt.IsZero())
			}
		}
		require.NotNil(t, b.named("X").Counts.Flapping)
		end := b.next
		b.rebuild(now, false)
		got := b.observe(end)
		if firing {
			assert.Equal(t, []string{"changed X"}, got, "it is open, and fires")
		} else {
			assert.Equal(t, []string{"ended X"}, got)
		}
		assert.Nil(t, b.named("X").Counts.Flapping)
		assert.Equal(t, firing, b.state("X") == "firing")
	}
}

// TestIcingaSeesEveryRead: there each read is a check result, though it changes nothing.
func TestIcingaSeesEveryRead(t *testing.T) {
	b := newBench(t, start, Options{Flap: &FlapOptions{Mode: IcingaFlap, Min: time.Second}})
	fp := named("X").Fingerprint()
	now := start
	read := func(names ...string) {
		now = now.Add(30 * time.Second)
		b.observe(now, whole("a", names...))
	}
	for i := 0; !b.flap.Flapping(fp); i++ {
		require.Less(t, i, 10)
		read([][]string{{"X"}, {}}[i%2]...)
	}
	reads := 0
	for ; b.flap.Flapping(fp); reads++ {
		require.Less(t, reads, 20)
		read()
	}
	assert.Equal(t, "resolved", b.state("X"))
	assert.Greater(t, reads, 10, "the changes have to move out of the last 20 results")
}

// TestCountsAreExact replays what was handed out, as history keeps it, and compares.
func TestCountsAreExact(t *testing.T) {
	for seed := range uint64(30) {
		h := &history{rand.New(rand.NewPCG(seed, 7)), start}
		o := Options{Sources: []string{"a", "b", "c"}, Linger: time.Duration(seed%3) * 20 * time.Second}
		if seed%2 == 0 {
			o.Flap = &FlapOptions{HalfLife: 20 * time.Second, Min: 10 * time.Second}
		}
		b := newBench(t, start, o)
		want := map[string]*alarm.Occurrences{}
		for range 200 {
			in := h.step()
			before := statesOf(b)
			b.observe(h.now, in...)
			for _, a := range b.alerts {
				replay(want, h.now, before[a.Name()], a)
			}
			if h.IntN(5) == 0 {
				b.forget(h.now, time.Second)
			}
			if h.IntN(5) == 0 {
				b.rebuild(h.now, false)
			}
			for _, a := range b.alerts {
				got, w := a.Occurrences(), *want[a.Name()]
				w.LastSeen, w.Counts.Reopens, w.Counts.Flaps, w.Counts.Flapping = got.LastSeen, got.Reopens, got.Flaps, got.Flapping
				if w.Since.IsZero() {
					w.Since = got.Since
				}
				require.Equal(t, w, got, "seed %d, %s", seed, a.Name())
			}
		}
	}
}

func replay(all map[string]*alarm.Occurrences, now time.Time, before alarm.Alert, a *alarm.Alert) {
	o := all[a.Name()]
	if o == nil {
		o = &alarm.Occurrences{FirstSeen: now}
		all[a.Name()] = o
	}
	was := before.Labels != nil && before.State == alarm.Firing
	is := a.State == alarm.Firing
	switch {
	case is && (!was || a.StartsAt.After(before.StartsAt)):
		o.Fired++
		if !was {
			o.Since = now
		}
	case was && !is:
		o.Ended, o.Firing = now, o.Firing+now.Sub(o.Since)
	}
}

func TestForgottenAlertsAreRemembered(t *testing.T) {
	b := newBench(t, start, Options{Remember: 2, RememberFor: time.Hour})
	once := func(from float64, names ...string) {
		b.observe(at(from), whole("a", names...))
		b.observe(at(from+1), whole("a"))
		b.forget(at(from+2), time.Second)
	}
	once(0, "X")
	assert.Empty(t, b.alerts)
	b.rebuild(at(5), true)
	once(10, "X")
	once(20, "Y")
	once(30, "Z") // that is one too many
	assert.Len(t, b.rows, 2)
	b.observe(at(40), whole("a", "X", "Y", "W?"))
	assert.Equal(t, 1, b.named("X").Fired, "the oldest is forgotten for good")
	assert.Equal(t, 2, b.named("Y").Fired)
	assert.Equal(t, at(20), b.named("Y").FirstSeen)
	assert.Equal(t, at(40), b.named("Y").Occurrences().Since)
	assert.Equal(t, time.Second, b.named("Y").Occurrences().Firing)
	assert.Len(t, b.rows, 1, "what is known has its counts itself")
	b.rebuild(at(5000), false)
	assert.Len(t, b.Presence.rows(), 1, "too old")
	_, err := NewPresence(start, &alarm.Stored{Rows: []alarm.Row{{Part: "occurrences", Key: "?", Value: []byte("{}")}}}, Options{})
	assert.ErrorContains(t, err, `presence: occurrences: key "?" is no fingerprint`)
}

// A pending alert that fired long ago may be pending for as long as it likes.
func TestPendingAgainAfterItWasForgotten(t *testing.T) {
	b := newBench(t, start, Options{})
	b.observe(at(0), whole("a", "X"))
	b.observe(at(1), whole("a"))
	b.forget(at(2), time.Second)
	for i := range 3 {
		b.observe(at(float64(10+i)), whole("a", "X?"))
		assert.Equal(t, "pending", b.state("X"))
	}
	b.observe(at(20), whole("a", "X"))
	assert.Equal(t, 2, b.named("X").Fired)
	assert.Equal(t, at(20), b.named("X").Occurrences().Since)
}

func TestRaisedAlertsAreNobodysBusiness(t *testing.T) {
	raised := fires("TocsinFlood", start).WithFingerprint()
	raised.RaisedBy = FloodName
	p, err := NewPresence(start, &alarm.Stored{Alerts: []*alarm.Alert{&raised}}, Options{})
	require.NoError(t, err)
	changes, _, _ := p.Observe(at(1), []alarm.Snapshot{whole("a")})
	assert.Empty(t, changes)
	p.Forget([]model.Fingerprint{raised.Fingerprint()})
}

func FuzzPresenceRows(f *testing.F) {
	f.Add("flap", "0000000000000001", `{"firing":true,"score":2.5}`)
	f.Add("occurrences", "0000000000000001", `{"fired":3,"ended":"2026-01-01T00:00:00Z"}`)
	f.Add("source", "a", `{"since":"2026-01-01T00:00:00Z"}`)
	f.Fuzz(func(t *testing.T, part, key, value string) {
		s := &alarm.Stored{Rows: []alarm.Row{{Part: part, Key: key, Value: []byte(value)}}}
		p, err := NewPresence(start, s, Options{Flap: &FlapOptions{}})
		if err != nil {
			return
		}
		for i := range 5 {
			p.Observe(at(float64(i)), []alarm.Snapshot{whole("a", [][]string{{"X"}, {}}[i%2]...)})
		}
	})
}
