package silence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// planned returns a window as it is stored, without what the store does not keep.
func planned(t *testing.T, w Window) *alarm.Silence {
	t.Helper()
	w.Kind = alarm.KindWindow
	if w.Name == "" {
		w.Name = "w"
	}
	if len(w.Matchers) == 0 {
		w.Matchers = matcher.MustParse(`a="1"`)
	}
	s, err := Planner{}.Plan(start, w)
	require.NoError(t, err)
	s.ID = "id-" + w.Name
	return stored(s)
}

func stored(s *alarm.Silence) *alarm.Silence {
	kept := *s
	if s.Recurrence != nil {
		r := *s.Recurrence
		r.Calendar = nil
		kept.Recurrence = &r
	}
	return &kept
}

func firingSince(at time.Time, labels ...string) *alarm.Alert {
	a := alarm.Alert{Labels: model.LabelSet{"alertname": "X"}, StartsAt: at}
	for i := 0; i < len(labels); i += 2 {
		a.Labels[model.LabelName(labels[i])] = model.LabelValue(labels[i+1])
	}
	return &a
}

func TestGraceIsForWhatStillFires(t *testing.T) {
	s := planned(t, Window{Duration: 10 * time.Minute, Grace: 5 * time.Minute, Comment: "racks", CloseOpen: true})
	f := newFollower(start)
	before, meanwhile := firingSince(minutes(-5), "a", "1"), firingSince(minutes(12), "a", "1", "b", "2")
	why := alarm.Suppression{
		Fingerprint: before.Fingerprint(), Reason: alarm.ReasonWindow, By: "id-w", Rule: "w", Note: "racks", Close: true, Since: start, Until: minutes(15),
	}
	j := f.judge(start, alarm.View{Changes: []alarm.Change{{Alert: before}}, Silences: []alarm.SilenceChange{{Silence: s}}})
	assert.Equal(t, []alarm.Suppression{why}, j.Reasons)
	assert.Equal(t, minutes(10), j.Next)

	j = f.judge(minutes(10), alarm.View{})
	assert.Equal(t, []alarm.Suppression{why}, j.Reasons, "it still fires when the window ends")
	assert.Equal(t, minutes(15), j.Next)
	j = f.judge(minutes(12), alarm.View{Changes: []alarm.Change{{Alert: meanwhile}}})
	assert.Equal(t, []model.Fingerprint{meanwhile.Fingerprint()}, j.Judged)
	assert.Empty(t, j.Reasons, "what begins in the grace is news")
	j = f.judge(minutes(15), alarm.View{})
	assert.Contains(t, j.Judged, before.Fingerprint(), "now it is told")
	assert.Empty(t, j.Reasons)
	assert.True(t, j.Next.IsZero())
}

func TestALeaseEndsUnlessRenewed(t *testing.T) {
	s := planned(t, Window{Lease: 10 * time.Minute})
	f := newFollower(start)
	a := firingSince(start, "a", "1")
	j := f.judge(start, alarm.View{Changes: []alarm.Change{{Alert: a}}, Silences: []alarm.SilenceChange{{Silence: s}}})
	assert.Equal(t, minutes(10), j.Next)
	renewed, err := Extend(minutes(9), s, time.Time{})
	require.NoError(t, err)
	j = f.judge(minutes(9), alarm.View{Silences: []alarm.SilenceChange{{Silence: renewed}}})
	require.Len(t, j.Reasons, 1)
	assert.Equal(t, minutes(19), j.Reasons[0].Until)
	j = f.judge(minutes(19), alarm.View{})
	assert.Empty(t, j.Reasons)
	assert.Len(t, j.Judged, 1)
	_, err = Extend(minutes(19), renewed, time.Time{})
	assert.ErrorContains(t, err, "window w ended at 2026-01-01T00:19:00Z: start another")
	_, err = Extend(start, planned(t, Window{Duration: time.Hour}), time.Time{})
	assert.ErrorContains(t, err, "no lease to renew")
}

// A server that starts in the middle of an occurrence reads the window without its calendar.
func TestRestartInTheMiddleOfAnOccurrence(t *testing.T) {
	s := planned(t, Window{Rule: "FREQ=DAILY", Start: "2025-12-01T23:50", Duration: 20 * time.Minute, Zone: "UTC"})
	require.Nil(t, s.Recurrence.Calendar)
	a := firingSince(minutes(-60), "a", "1")
	p := NewSuppressor(minutes(3), []*alarm.Silence{s})
	j := p.Judge(minutes(3), alarm.View{Changes: []alarm.Change{{Alert: a}}})
	require.Len(t, j.Reasons, 1)
	assert.Equal(t, minutes(-10), j.Reasons[0].Since)
	assert.Equal(t, minutes(10), j.Reasons[0].Until)
	assert.Equal(t, minutes(10), j.Next)
	j = p.Judge(minutes(10), alarm.View{})
	assert.Empty(t, j.Reasons)
	assert.Equal(t, minutes(24*60-10), j.Next)
	j = p.Judge(j.Next, alarm.View{})
	assert.Len(t, j.Reasons, 1)

	broken := *s
	broken.Recurrence = &alarm.Recurrence{Rule: "FREQ=LATER", Zone: "UTC", Start: "2025-12-01T23:50:00", Duration: time.Hour}
	j = NewSuppressor(minutes(3), []*alarm.Silence{&broken}).Judge(minutes(3), alarm.View{Changes: []alarm.Change{{Alert: a}}})
	assert.Equal(t, alarm.Judgement{Judged: []model.Fingerprint{a.Fingerprint()}}, j, "what nobody understands mutes nothing")
}

func TestEndAndExtendOneOccurrence(t *testing.T) {
	s := planned(t, Window{Rule: "FREQ=DAILY", Start: "2026-01-01T01:00", Duration: time.Hour, Zone: "UTC"})
	s, err := Compile(s)
	require.NoError(t, err)
	day := 24 * 60.0
	off := Expire(minutes(0), s)
	assert.Equal(t, []alarm.Span{{Start: minutes(60), End: minutes(60)}}, off.Exceptions, "called off")
	assert.Equal(t, alarm.SilencePending, off.StateAt(minutes(90)))
	assert.Equal(t, alarm.SilenceActive, off.StateAt(minutes(day+90)), "the next stays")
	off = Expire(minutes(0), off)
	assert.Equal(t, alarm.SilencePending, off.StateAt(minutes(90)), "both are off")
	assert.Equal(t, alarm.SilencePending, off.StateAt(minutes(day+90)))
	assert.Equal(t, alarm.SilenceActive, off.StateAt(minutes(2*day+90)))

	short := Expire(minutes(70), s)
	assert.Equal(t, alarm.SilenceActive, short.StateAt(minutes(69)))
	assert.Equal(t, alarm.SilencePending, short.StateAt(minutes(70)))
	long, err := Extend(minutes(70), s, minutes(day+70)) // into the next
	require.NoError(t, err)
	assert.Equal(t, alarm.SilenceActive, long.StateAt(minutes(day+30)))
	o, ok := long.Occurrence(minutes(day + 65))
	require.True(t, ok)
	assert.Equal(t, alarm.Span{Start: minutes(day + 60), End: minutes(day + 120)}, o, "the one that ends later counts")
	shown := long.At(minutes(70))
	assert.Equal(t, minutes(60), shown.StartsAt)
	assert.Equal(t, minutes(day+70), shown.EndsAt)
	assert.Nil(t, shown.Recurrence)

	gone := End(minutes(70), s)
	assert.Equal(t, alarm.SilenceExpired, gone.StateAt(minutes(70)))
	assert.Equal(t, alarm.SilenceActive, gone.StateAt(minutes(69)), "history stays true")
	assert.Nil(t, End(minutes(71), gone))
	assert.Nil(t, Expire(minutes(71), gone))

	finite, err := Compile(planned(t, Window{Rule: "FREQ=DAILY;COUNT=2", Start: "2026-01-01T01:00", Duration: time.Hour, Zone: "UTC"}))
	require.NoError(t, err)
	assert.Equal(t, minutes(day+120), finite.EndsAt)
	assert.Equal(t, alarm.SilenceExpired, finite.StateAt(minutes(day+120)))
	assert.Len(t, finite.Ahead(start, 9), 2)
}

// API v2 can edit a window that is there once, and does not make a silence of it.
func TestEditByAPIv2(t *testing.T) {
	s := planned(t, Window{Name: "deploy", Duration: time.Hour, Grace: time.Minute, CloseOpen: true, Scope: alarm.Scope{Cluster: "eu"}})
	edit := alarm.Silence{ID: s.ID, Matchers: s.Matchers, StartsAt: s.StartsAt, EndsAt: minutes(90), Comment: "window deploy: longer"}
	got, err := Set(minutes(10), s, edit, func() string { return "new" })
	require.NoError(t, err)
	require.Len(t, got, 1)
	want := *s
	want.EndsAt, want.UpdatedAt, want.Comment = minutes(90), minutes(10), "longer"
	want.Matchers = got[0].Matchers
	assert.Equal(t, &want, got[0])

	weekly := planned(t, Window{Name: "weekly", Rule: "FREQ=WEEKLY", Duration: time.Hour})
	_, err = Set(minutes(10), weekly, edit, nil)
	require.EqualError(t, err, `window "weekly" recurs: end it and plan another, with tocsin window or on the page Maintenance`)
	fromFile := *s
	fromFile.FromFile = true
	_, err = Set(minutes(10), &fromFile, edit, nil)
	require.EqualError(t, err, `window "deploy" stands in the configuration file: change it there`)
}

func TestConfigured(t *testing.T) {
	plan := func(name, rule string) *alarm.Silence {
		s := planned(t, Window{Name: name, Rule: rule, Start: "2026-01-01T01:00", Duration: time.Hour, Zone: "UTC"})
		compiled, err := Compile(s)
		require.NoError(t, err)
		return compiled
	}
	first := Configured(start, []*alarm.Silence{plan("a", "FREQ=DAILY"), plan("b", "FREQ=WEEKLY")}, nil)
	require.Len(t, first, 2)
	assert.Equal(t, FileID("a"), first[0].ID)
	assert.Empty(t, Configured(minutes(1), []*alarm.Silence{plan("a", "FREQ=DAILY"), plan("b", "FREQ=WEEKLY")}, first), "nothing changed")

	ended := Expire(minutes(70), first[0])
	byHand := plan("by hand", "FREQ=DAILY")
	known := []*alarm.Silence{ended, first[1], byHand}
	again := Configured(minutes(71), []*alarm.Silence{plan("a", "FREQ=DAILY"), plan("b", "FREQ=MONTHLY")}, known)
	require.Len(t, again, 1, "an occurrence that was ended stays so, and what was made by hand is nobody's business")
	assert.Equal(t, "FREQ=MONTHLY", again[0].Recurrence.Rule)
	gone := Configured(minutes(72), nil, known)
	require.Len(t, gone, 2)
	for _, s := range gone {
		assert.Equal(t, alarm.SilenceExpired, s.StateAt(minutes(72)))
	}
	back := Configured(minutes(73), []*alarm.Silence{plan("a", "FREQ=DAILY")}, gone)
	require.Len(t, back, 1)
	assert.Equal(t, alarm.SilencePending, back[0].StateAt(minutes(180)))
	past := planned(t, Window{Name: "past", Start: "2025-01-01T01:00", Duration: time.Hour})
	assert.Empty(t, Configured(start, []*alarm.Silence{past}, nil), "what is over need not be remembered")
}

// naiveMutes asks minute by minute, back to when a window could have begun.
func naiveMutes(s *alarm.Silence, a *alarm.Alert, now time.Time) bool {
	if !s.Matchers.Matches(a.Labels) {
		return false
	}
	if s.StateAt(now) == alarm.SilenceActive {
		return true
	}
	for back := time.Minute; back <= s.Grace; back += time.Minute {
		if at := now.Add(-back); s.StateAt(at) == alarm.SilenceActive {
			return a.StartsAt.Before(at.Add(time.Minute)) // it ended then
		}
	}
	return false
}

// TestWindowsAsANaiveTwin plans, ends and extends windows at random, asks the Suppressor only when it
// wants to be asked, and compares what it says each minute with the twin.
func TestWindowsAsANaiveTwin(t *testing.T) {
	muted, graced := 0, 0
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		f := newFollower(start)
		for m := range 6 * 60 {
			now := minutes(float64(m))
			var v alarm.View
			if rnd.IntN(12) == 0 {
				a := randomAlert(rnd)
				a.StartsAt = now
				v.Changes = append(v.Changes, alarm.Change{Alert: a})
			}
			if rnd.IntN(25) == 0 {
				if s := randomEdit(t, rnd, now, f); s != nil {
					v.Silences = append(v.Silences, alarm.SilenceChange{Silence: s})
				}
			}
			if due := !f.due.IsZero() && !f.due.After(now); due || len(v.Changes)+len(v.Silences) > 0 {
				f.judge(now, v)
			}
			for fp, a := range f.alerts {
				var want, got []string
				for id, s := range f.silences {
					if naiveMutes(s, a, now) {
						if want = append(want, id); s.StateAt(now) != alarm.SilenceActive {
							graced++
						}
						muted++
					}
				}
				for _, r := range f.reasons[fp] {
					got = append(got, r.By)
					require.True(t, r.Until.After(now) && !r.Since.After(now), "%v at %s", r, now)
				}
				slices.Sort(want)
				require.Equal(t, want, got, "seed %d, minute %d", seed, m)
			}
		}
	}
	assert.Positive(t, muted)
	assert.Positive(t, graced)
}

func randomEdit(t *testing.T, rnd *rand.Rand, now time.Time, f *follower) *alarm.Silence {
	var ids []string
	for id := range f.silences {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) > 0 && rnd.IntN(2) == 0 {
		s := f.silences[ids[rnd.IntN(len(ids))]]
		switch rnd.IntN(3) {
		case 0:
			return End(now, s)
		case 1:
			return Expire(now, s)
		default:
			longer, err := Extend(now, s, now.Add(time.Duration(1+rnd.IntN(60))*time.Minute))
			if err != nil {
				return nil
			}
			return longer
		}
	}
	w := Window{Name: strconv.Itoa(len(ids)), Matchers: randomMatchers(rnd), Grace: time.Duration(rnd.IntN(3)*4) * time.Minute, Start: now.Format(time.RFC3339)}
	if rnd.IntN(2) == 0 {
		w.Duration = time.Duration(1+rnd.IntN(90)) * time.Minute
	} else {
		var hours []string
		for h := range 8 {
			if rnd.IntN(2) == 0 {
				hours = append(hours, strconv.Itoa(h))
			}
		}
		w.Rule, w.Duration = "FREQ=DAILY;BYHOUR="+strings.Join(append(hours, "1"), ","), time.Duration(10+rnd.IntN(100))*time.Minute
	}
	w.Kind = alarm.KindWindow
	s, err := Planner{}.Plan(now, w)
	if err != nil {
		require.Contains(t, err.Error(), "empty string", w)
		return nil
	}
	s.ID = fmt.Sprintf("%03d", len(ids))
	return s
}

func TestPlanRefusesAllAtOnce(t *testing.T) {
	_, err := Planner{}.Plan(start, Window{Kind: alarm.KindWindow, Zone: "Mars", Grace: -1, Scope: alarm.Scope{Team: "x"}})
	require.Error(t, err)
	for _, want := range []string{"name: no name", "team: no team", "zone: no zone", "grace: "} {
		assert.Contains(t, err.Error(), want)
	}
	for want, w := range map[string]Window{
		"nothing says how long":    {},
		"given more than once":     {Duration: time.Hour, Lease: time.Hour},
		"it ends before it begins": {Start: "2026-01-02T00:00", End: "2026-01-01T00:00"},
		"longer than a year":       {Start: "2026-01-02T00:00", End: "2028-01-01T00:00"},
		"the year 1 is not":        {Start: "0001-01-02T00:00", Duration: time.Hour},
		"is no length":             {Duration: -time.Hour},
		"is no lease":              {Lease: time.Millisecond},
		"what recurs has no end":   {Rule: "FREQ=DAILY", Lease: time.Hour},
		`"tomorrow" is no time`:    {Start: "tomorrow", Duration: time.Hour},
		"name: longer than":        {Duration: time.Hour, Name: "a\nb"},
		"invalid label value":      {Duration: time.Hour, Scope: alarm.Scope{Cluster: "\xff"}},
	} {
		w.Kind = alarm.KindWindow
		if w.Name == "" {
			w.Name = "w"
		}
		if w.Scope.Cluster == "" {
			w.Scope.Cluster = "eu"
		}
		_, err := Planner{}.Plan(start, w)
		if assert.Error(t, err, want) {
			assert.Contains(t, err.Error(), want)
		}
	}
}

func FuzzAsked(f *testing.F) {
	f.Add(`{"name":"w","cluster":"eu","duration":"1h","rrule":"FREQ=DAILY","zone":"Europe/London","start":"2026-01-01T00:00"}`)
	f.Add(`{"kind":"silence","matchers":["a=\"b\",c=~\"d\""],"end":"2027-01-01T00:00:00Z","grace":"1m","closeOpen":true}`)
	f.Add(`{"name":1}`)
	f.Add(`{"name":"w","lease":"1h"} x`)
	s, err := NewService(&memory{}, Options{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		asked, err := ReadAsked(strings.NewReader(text))
		if err == nil {
			var s2 *alarm.Silence
			if s2, err = asked.Plan(s); err == nil {
				require.NotEmpty(t, s2.Matchers)
				require.True(t, s2.EndsAt.After(s2.StartsAt) || s2.Recurrence != nil)
				require.NoError(t, Validate(s2))
				_ = s2.StateAt(start)
			}
		}
		if err != nil {
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			require.NotEmpty(t, refused.Problems)
		}
		_, _ = ReadExtension([]byte(text))
	})
}
