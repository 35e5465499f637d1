package dedupe

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

func newFlap(t testing.TB, o FlapOptions) *Flap {
	f, err := NewFlap(o)
	require.NoError(t, err)
	return f
}

func minutes(m float64) time.Time { return at(60 * m) }

// An OOM kill each six minutes: up for 20 s, ten times in an hour.
func TestFlapOfAnOOM(t *testing.T) {
	f := newFlap(t, FlapOptions{})
	var news []string
	tell := func(now time.Time, firing bool) {
		if n := f.Observe(now, 1, firing); n != Flapping {
			news = append(news, fmt.Sprint(now.Sub(start), " ", n, " ", firing, " ", f.Changes(1)))
		}
	}
	for i := range 10 {
		tell(minutes(float64(6*i)), true)
		tell(minutes(float64(6*i)+1.0/3), false)
	}
	end := f.Next()
	assert.Empty(t, f.Due(end.Add(-1)))
	assert.Equal(t, []model.Fingerprint{1}, f.Due(end))
	tell(end, false)
	assert.Zero(t, f.Next())
	assert.Equal(t, []string{
		"0s steady true 1", "20s steady false 2", "6m0s steady true 3", "6m20s flap started false 4",
		"36m20s flap noted false 14", fmt.Sprint(end.Sub(start), " flap ended false 0"),
	}, news)
	assert.WithinRange(t, end, minutes(95), minutes(105))
	tell(end.Add(24*time.Hour), false)
	assert.Empty(t, f.State(), "what is long over is forgotten")
}

func TestFlapBounds(t *testing.T) {
	flip := func(f *Flap, from time.Time, every time.Duration, n int) (started time.Time) {
		for i := range n {
			now := from.Add(time.Duration(i) * every)
			if f.Observe(now, 1, i%2 == 0) == FlapStarted {
				started = now
			}
		}
		return started
	}
	f := newFlap(t, FlapOptions{HalfLife: time.Second, Min: time.Minute})
	began := flip(f, start, 100*time.Millisecond, 4)
	require.False(t, began.IsZero())
	assert.Equal(t, began.Add(time.Minute), f.Next(), "calm after a second, but not told before Min")

	f = newFlap(t, FlapOptions{Max: time.Hour})
	began = flip(f, start, time.Minute, 59)
	require.False(t, began.IsZero())
	assert.Equal(t, began.Add(time.Hour), f.Next())
	assert.Equal(t, FlapEnded, f.Observe(began.Add(time.Hour), 1, true), "the net state is told")
	assert.Equal(t, FlapStarted, f.Observe(began.Add(time.Hour+time.Second), 1, false), "and it flaps on")

	f = newFlap(t, FlapOptions{})
	for i := range 1000 {
		assert.Equal(t, Steady, f.Observe(minutes(float64(i)), 2, true), "nothing is delayed, and nothing flaps")
	}
}

func TestFlapOptionsErrors(t *testing.T) {
	for want, o := range map[string]FlapOptions{
		"flap: no mode 7":                                     {Mode: 7},
		"flap: a duration is less than zero":                  {HalfLife: -1},
		"flap: flapping that starts at 1 cannot stop at 2":    {Start: 1, Stop: 2},
		"flap: flapping that starts at NaN cannot stop at 1":  {Start: math.NaN()},
		"flap: at least 7h0m0s is longer than at most 6h0m0s": {Min: 7 * time.Hour},
	} {
		_, err := NewFlap(o)
		assert.EqualError(t, err, want)
	}
}

// slowFlap is the definition, with all that ever happened.
type slowFlap struct {
	o       FlapOptions
	changes []time.Time
	checks  []bool // newest last
	firing  bool
	since   time.Time
}

func (s *slowFlap) observe(now time.Time, firing bool) News {
	changed := firing != s.firing
	s.firing = firing
	s.checks = append(s.checks, changed)
	if changed {
		s.changes = append(s.changes, now)
	}
	score := s.score(now)
	switch {
	case s.since.IsZero() && changed && score >= s.o.Start:
		s.since = now
		return FlapStarted
	case s.since.IsZero():
		return Steady
	case now.Sub(s.since) >= s.o.Max, score <= s.o.Stop && now.Sub(s.since) >= s.o.Min:
		s.since = time.Time{}
		return FlapEnded
	}
	return Flapping
}

func (s *slowFlap) score(now time.Time) float64 {
	sum := 0.0
	if s.o.Mode == IcingaFlap { // its documentation: 20 results, the weights from 0.8 to 1.18
		for i := range 20 {
			if n := len(s.checks) - 20 + i; n >= 0 && s.checks[n] {
				sum += 0.8 + 0.02*float64(i)
			}
		}
		return 5 * sum
	}
	for _, at := range s.changes {
		sum += math.Pow(2, -now.Sub(at).Minutes()/s.o.HalfLife.Minutes())
	}
	return sum
}

func TestFlapAgainstItsDefinition(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		o := FlapOptions{
			HalfLife: 15 * time.Minute, Start: 3, Stop: 1, Min: time.Duration(rnd.IntN(20)+1) * time.Minute, Max: time.Duration(rnd.IntN(200)+30) * time.Minute,
		}
		if seed%3 == 0 {
			o.Mode, o.Start, o.Stop = IcingaFlap, 30, 25
		}
		f := newFlap(t, o)
		slow := &slowFlap{o: o}
		now, firing, kinds := start, false, map[News]bool{}
		for step := range 300 {
			now = now.Add(time.Duration(rnd.Int64N(int64(10 * time.Minute))))
			if step/50%2 == 0 && rnd.IntN(3) > 0 { // now wild, now calm
				firing = !firing
			}
			if rnd.IntN(8) == 0 {
				f = reloaded(t, f, o)
			}
			want, got := slow.observe(now, firing), f.Observe(now, 1, firing)
			kinds[got] = true
			if got == FlapNoted {
				got = Flapping
			}
			require.Equal(t, want, got, "seed %d, step %d", seed, step)
			require.Equal(t, !slow.since.IsZero(), f.Flapping(1))
			if next := f.Next(); f.Flapping(1) {
				require.False(t, next.IsZero(), "it ends by itself")
				require.False(t, next.After(slow.since.Add(o.Max)))
			}
		}
		require.True(t, kinds[FlapStarted] && kinds[FlapEnded], "seed %d shows nothing", seed)
	}
}

func reloaded(t *testing.T, f *Flap, o FlapOptions) *Flap {
	fresh := newFlap(t, o)
	require.NoError(t, fresh.Load(f.State()))
	require.Equal(t, f.State(), fresh.State())
	require.Equal(t, f.Next(), fresh.Next())
	return fresh
}

func TestFlapLoad(t *testing.T) {
	f := newFlap(t, FlapOptions{})
	f.Observe(start, 7, true)
	before := f.State()
	for _, bad := range []alarm.Row{
		{Part: "flap", Key: "x", Value: []byte("{}")},
		{Part: "flap", Key: "0000000000000001", Value: []byte("{")},
		{Part: "flap", Key: "0000000000000001", Value: []byte(`{"score":-1}`)},
	} {
		assert.ErrorContains(t, f.Load([]alarm.Row{bad}), "flap: row "+fmt.Sprintf("%q", bad.Key))
		assert.Equal(t, before, f.State(), "as it was")
	}
	assert.NoError(t, f.Load([]alarm.Row{{Part: "other", Key: "?"}}))
	assert.Empty(t, f.State())

	icinga := newFlap(t, FlapOptions{Mode: IcingaFlap})
	require.NoError(t, icinga.Load(before))
	assert.Zero(t, icinga.records[7].Score, "a score of another mode means nothing")
	assert.True(t, icinga.records[7].Firing)
}

func FuzzFlapLoad(f *testing.F) {
	f.Add("0000000000000001", `{"firing":true,"score":2.5,"at":"2026-01-01T00:00:00Z","changes":3}`)
	f.Add("00000000000000ff", `{"score":8,"at":"2026-01-01T00:00:00Z","since":"2026-01-01T00:00:00Z","noted":"0001-01-01T00:00:00Z","notes":70}`)
	f.Add("1", `{"mode":1,"checks":1048575}`)
	f.Fuzz(func(t *testing.T, key, value string) {
		for _, mode := range []FlapMode{DecayFlap, IcingaFlap} {
			flap := newFlap(t, FlapOptions{Mode: mode})
			if flap.Load([]alarm.Row{{Part: "flap", Key: key, Value: []byte(value)}}) != nil {
				continue
			}
			saved := flap.State()
			again := newFlap(t, FlapOptions{Mode: mode})
			require.NoError(t, again.Load(saved))
			require.Equal(t, saved, again.State())
			for fp := range flap.records {
				for i := range 4 {
					now := at(float64(1000 * i))
					require.Equal(t, flap.Observe(now, fp, i%2 == 0), again.Observe(now, fp, i%2 == 0))
					_ = flap.Due(now)
				}
			}
			for _, row := range flap.State() {
				require.True(t, json.Valid(row.Value))
			}
		}
	})
}
