package alarm_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
)

// A bubble of synctest begins at midnight, whatever the hour was at which the one before it ended.

// acrossBubbles has an engine that knows three alerts, and told two, end some time after midnight, and another
// one continue some time after midnight. It returns what that one tells in eight minutes.
func acrossBubbles(t *testing.T, ended, continued time.Duration, then func(now time.Time) alarm.Snapshot) []string {
	t.Helper()
	store := alarmtest.NewStore()
	submit := func(t *testing.T, r *newsroom, s alarm.Snapshot) {
		t.Helper()
		require.NoError(t, r.engine.Submit(t.Context(), alarm.Input{Snapshots: []alarm.Snapshot{s}}))
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(ended)
		r := newNewsroomOn(t, store)
		defer r.end()
		submit(t, r, vmalerts(time.Now(), "Pushed"))
		submit(t, r, alarm.Snapshot{Source: "pull", At: time.Now(), Alerts: []alarm.Alert{{Labels: named("Pulled"), StartsAt: midnight}}})
		time.Sleep(30 * time.Second)
		assert.Len(t, r.news(), 2)
		waiting := vmalerts(time.Now(), "Waiting") // for its group_wait
		waiting.Alerts[0].StartsAt = time.Now()
		submit(t, r, waiting)
		time.Sleep(time.Second)
	})
	var news []string
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(continued)
		r := newNewsroomOn(t, store)
		defer r.end()
		time.Sleep(2 * time.Minute)
		submit(t, r, then(time.Now()))
		time.Sleep(6 * time.Minute)
		news = r.news()
	})
	return news
}

var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func named(alertname model.LabelValue) model.LabelSet {
	return model.LabelSet{model.AlertNameLabel: alertname}
}

// vmalerts are alerts that began long ago, as vmalert pushes them: for a while.
func vmalerts(now time.Time, names ...model.LabelValue) alarm.Snapshot {
	s := alarm.Snapshot{Source: "push", At: now, Partial: true}
	for _, name := range names {
		s.Alerts = append(s.Alerts, alarm.Alert{Labels: named(name), StartsAt: midnight.Add(-time.Hour), EndsAt: now.Add(30 * time.Minute)})
	}
	return s
}

// TestClockIsSetBetweenStarts says what an engine tells that starts when the clock was set meanwhile: what it
// still owes, and what ends.
func TestClockIsSetBetweenStarts(t *testing.T) {
	ends := func(now time.Time) alarm.Snapshot {
		s := vmalerts(now, "Pushed")
		s.Alerts[0].EndsAt = now
		return s
	}
	const before, after = 50 * time.Minute, 100 * time.Minute // less than repeat_interval, which the clock decides
	t.Run("back", func(t *testing.T) {
		assert.Equal(t, []string{
			`00:00:10.000 {}:{alertname="Waiting"}: firing {alertname="Waiting"}`,
			`00:02:10.000 {}:{alertname="Pushed"}: resolved {alertname="Pushed"}`,
		}, acrossBubbles(t, before, 0, ends), "no timer lies an hour ahead, and an end counts that was pushed now")
	})
	t.Run("ahead", func(t *testing.T) {
		assert.Equal(t, []string{
			`01:40:00.000 {}:{alertname="Waiting"}: firing {alertname="Waiting"}`,
			`01:42:00.000 {}:{alertname="Pushed"}: resolved {alertname="Pushed"}`,
			`01:45:40.000 {}:{alertname="Waiting"}: resolved {alertname="Waiting"}`,
		}, acrossBubbles(t, before, after, ends), "what is due is told at once, and what nobody speaks of again ends after resolve_timeout")
	})
	t.Run("ahead, and all goes on", func(t *testing.T) {
		again := func(now time.Time) alarm.Snapshot { return vmalerts(now, "Pushed", "Waiting") }
		assert.Equal(t, []string{`01:40:00.000 {}:{alertname="Waiting"}: firing {alertname="Waiting"}`}, acrossBubbles(t, before, after, again))
	})
}
