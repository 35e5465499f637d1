package dedupe

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

func holdOptions() HoldOptions {
	return HoldOptions{Severities: severities(), For: map[string]time.Duration{"critical": 0, "warning": 30 * time.Second, "info": 5 * time.Minute}}
}

func holds(t testing.TB, o HoldOptions) *cycle {
	return newCycle(t, func(s *alarm.Stored) alarm.Suppressor {
		h, err := NewHold(s, o)
		require.NoError(t, err)
		return h
	})
}

func sev(name, severity string) model.LabelSet {
	return model.LabelSet{"alertname": model.LabelValue(name), "severity": model.LabelValue(severity), "cluster": "c1"}
}

func TestHoldBySeverity(t *testing.T) {
	c := holds(t, holdOptions())
	critical, warning, info := fire(nil, start, sev("A", "critical")), fire(nil, start, sev("B", "warning")), fire(nil, start, sev("C", "info"))
	unknown, told := fire(nil, start, named("D")), fire(nil, start, sev("E", "info"))
	c.told[told.Fingerprint()] = true
	c.step(start, critical, warning, info, unknown, told)
	assert.False(t, c.withheld(critical) || c.withheld(unknown) || c.withheld(told))
	assert.Equal(t, []alarm.Suppression{{
		Fingerprint: warning.Fingerprint(), Reason: alarm.ReasonHold, By: "warning", Since: start, Until: at(30),
		Note: "it may be transient: the first page of severity warning waits 30s",
	}}, c.reasons[warning.Fingerprint()])
	assert.Equal(t, at(30), c.next)
	c.step(at(30))
	assert.False(t, c.withheld(warning))
	assert.True(t, c.withheld(info))
	changed := *warning
	c.step(at(31), &changed)
	assert.False(t, c.withheld(warning), "what was released stays so")
	c.restart()
	c.step(at(32))
	assert.False(t, c.withheld(warning), "after a restart, too")
	assert.True(t, c.withheld(info))
	c.step(at(300))
	assert.False(t, c.withheld(info))
	assert.Empty(t, c.rows)
	assert.Zero(t, c.next)
}

// A lower severity than the highest: up for 20 s each six minutes.
func TestTransientsArePromotedToOneAlert(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		swallowed := 0
		o := holdOptions()
		o.Swallowed = func(Swallower) { swallowed++ }
		c := holds(t, o)
		var a *alarm.Alert
		var raised *alarm.Alert
		for i := range 10 {
			a = fire(a, minutes(float64(6*i)), sev("OOM", "warning"))
			a.Annotations = model.LabelSet{"summary": "Out of memory"}
			c.step(a.StartsAt, a)
			require.True(t, c.withheld(a))
			if restarts {
				c.restart()
				c.step(a.StartsAt.Add(time.Second))
				require.True(t, c.withheld(a))
			}
			a = resolved(a, a.StartsAt.Add(20*time.Second))
			c.step(a.EndsAt, a)
			if i < 2 {
				require.Empty(t, c.open())
				continue
			}
			require.Len(t, c.open(), 1)
			if raised == nil {
				raised = c.open()[0]
			}
			require.Equal(t, raised.Fingerprint(), c.open()[0].Fingerprint(), "counted in place")
			require.Equal(t, i+1, c.open()[0].Occurrences().Transients)
		}
		raised = c.open()[0]
		assert.Equal(t, 10, swallowed)
		assert.Equal(t, model.LabelSet{"alertname": "OOM", "severity": "warning", "cluster": "c1", "transient": "true"}, raised.Labels)
		assert.Equal(t, model.LabelSet{
			"summary":    "Out of memory — Fired and ended 10 times since 2026-01-01 00:00 UTC, each time too briefly to tell.",
			"transients": "10",
		}, raised.Annotations)
		assert.False(t, c.withheld(raised), "it has waited long enough")
		end := a.EndsAt.Add(time.Hour)
		assert.Equal(t, end, c.next)
		if restarts {
			c.restart()
		}
		c.step(end)
		assert.Empty(t, c.open(), "an hour without another")
		assert.Empty(t, c.rows)
	}
}

func TestTheOriginalSpeaksForItself(t *testing.T) {
	c := holds(t, holdOptions())
	var a *alarm.Alert
	for i := range 4 {
		a = fire(a, at(float64(i*100)), sev("X", "warning"))
		c.step(a.StartsAt, a)
		if i < 3 {
			a = resolved(a, a.StartsAt.Add(time.Second))
			c.step(a.EndsAt, a)
		}
	}
	require.Len(t, c.open(), 1)
	assert.True(t, c.withheld(a))
	c.step(at(330))
	assert.False(t, c.withheld(a))
	assert.Empty(t, c.open(), "two incidents of one thing are one too many")
}

func TestWhatHoldRaisedAndForgotEnds(t *testing.T) {
	c := holds(t, holdOptions())
	orphan := fire(nil, start, sev("X", "warning"))
	orphan.RaisedBy = HoldName
	c.step(at(1), orphan)
	assert.Empty(t, c.open())
}

func TestNewHoldErrors(t *testing.T) {
	_, err := NewHold(nil, HoldOptions{Within: -1})
	assert.EqualError(t, err, "hold: a duration is less than zero")
	_, err = NewHold(nil, HoldOptions{For: map[string]time.Duration{"a": -1}})
	assert.EqualError(t, err, `hold: severity "a" waits less than no time`)
	_, err = NewHold(&alarm.Stored{Rows: []alarm.Row{{Part: "hold", Key: "1", Value: []byte("{")}}}, HoldOptions{})
	assert.ErrorContains(t, err, `hold: row "1": `)
}

// slowHold is the rule for one alert, with all that ever happened.
type slowHold struct {
	firing   bool
	since    time.Time
	released bool
	swallows []time.Time // since it last spoke for itself, or was long enough quiet
	promoted bool
	total    int
}

func (s *slowHold) step(now time.Time, o HoldOptions, a *alarm.Alert, told bool) {
	wait := o.For[string(a.Labels["severity"])]
	if s.promoted && now.Sub(s.swallows[len(s.swallows)-1]) >= o.Within {
		s.promoted, s.swallows = false, nil
	}
	was := s.firing
	s.firing = a.State == alarm.Firing
	switch {
	case s.firing && !was:
		s.since, s.released = now, false
	case !s.firing && was && !s.released:
		s.total++
		s.swallows = append(s.swallows, now)
		recent := 0
		for _, at := range s.swallows {
			if now.Sub(at) < o.Within {
				recent++
			}
		}
		s.promoted = s.promoted || recent >= o.Promote
	}
	if s.firing && (told || now.Sub(s.since) >= wait) && !s.released {
		s.released, s.promoted, s.swallows = true, false, nil
	}
}

func TestHoldAgainstItsDefinition(t *testing.T) {
	promotions := 0
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		swallowed := 0
		o := holdOptions()
		o.Promote, o.Within = 2+rnd.IntN(3), time.Duration(1+rnd.IntN(20))*time.Minute
		quiet := o
		o.Swallowed = func(Swallower) { swallowed++ }
		c, restarted := holds(t, o), holds(t, quiet)
		alerts, slow := make([]*alarm.Alert, 6), make([]slowHold, 6)
		now := start
		for step := range 250 {
			now = now.Add(time.Duration(1+rnd.IntN(60)) * time.Second)
			var changed []*alarm.Alert
			for i, a := range alerts {
				switch {
				case rnd.IntN(3) > 0:
				case a == nil || a.State == alarm.Resolved:
					alerts[i] = fire(a, now, sev(fmt.Sprint(i), []string{"critical", "warning", "info"}[i%3]))
					changed = append(changed, alerts[i])
				case rnd.IntN(4) > 0:
					alerts[i] = resolved(a, now)
					changed = append(changed, alerts[i])
				case !c.withheld(a) && i > 2: // some are told late, or never
					c.told[a.Fingerprint()], restarted.told[a.Fingerprint()] = true, true
				}
			}
			if rnd.IntN(6) == 0 {
				restarted.restart()
			}
			c.step(now, changed...)
			restarted.step(now, changed...)
			require.Equal(t, c.reasons, restarted.reasons, "seed %d, step %d", seed, step)
			require.Equal(t, c.open(), restarted.open())
			require.Equal(t, c.rows, restarted.rows)

			total, promoted := 0, 0
			for i, a := range alerts {
				if a == nil {
					continue
				}
				slow[i].step(now, o, a, c.told[a.Fingerprint()])
				total += slow[i].total
				require.Equal(t, slow[i].firing && !slow[i].released, c.withheld(a), "seed %d, step %d: %s", seed, step, a)
				if slow[i].promoted {
					promoted++
					require.True(t, slices.ContainsFunc(c.open(), func(r *alarm.Alert) bool {
						return r.Name() == a.Name() && r.Occurrences().Transients >= o.Promote
					}))
				}
			}
			require.Equal(t, total, swallowed, "what is swallowed is counted")
			require.Len(t, c.open(), promoted, "seed %d, step %d", seed, step)
			promotions += promoted
		}
		for !c.next.IsZero() {
			c.step(c.next)
		}
		require.Empty(t, c.open(), "all is over in the end")
		require.Empty(t, c.reasons, "and what fires is told")
	}
	require.Positive(t, promotions)
}

func FuzzHoldLoad(f *testing.F) {
	f.Add("0000000000000001", `{"since":"2026-01-01T00:00:00Z","until":"2026-01-01T00:01:00Z","fired":1}`)
	f.Add("00000000000000ff", `{"swallowed":["2026-01-01T00:00:00Z"],"count":3,"last":"2026-01-01T00:00:00Z","raised":5}`)
	f.Fuzz(func(t *testing.T, key, value string) {
		s := &alarm.Stored{Rows: []alarm.Row{{Part: HoldName, Key: key, Value: []byte(value)}}}
		h, err := NewHold(s, holdOptions())
		if err != nil {
			return
		}
		a := fire(nil, start, sev("X", "warning"))
		for i := range 4 {
			b := a
			if i%2 == 1 {
				b = resolved(a, at(float64(i)))
			}
			h.Judge(at(float64(i)), alarm.View{Changes: []alarm.Change{{Alert: b}}})
		}
	})
}
