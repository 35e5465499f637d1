//go:build !race

package alarm_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// TestTwin lets the same random things happen to Alertmanager's own provider, dispatcher, inhibitor,
// silencer, notification log and pipeline, and to our engine beside them, under the same fake clock.
// Every notification must be the same: its instant, receiver, integration, group key and reason, its
// alerts in their order, since and until when.
//
// What is different on purpose is kept out of the script:
//   - an end that is reported again. For us repeats change nothing once the resolve is told;
//     Alertmanager may tell it again.
//   - the end of what was told, if it is muted by the time of the flush. We tell it, for we close what
//     we opened; Alertmanager does not.
//   - the end of what was never told, in a group that was told of others, if a mute begins or ends
//     between that end and the flush. To us it is news unless it was muted when it ended; to
//     Alertmanager, unless it is muted at the flush.
//
// TestTwinDiffers shows the last two. Not compared are retries, time intervals, restarts and reloads,
// and when what has ended is forgotten.
func TestTwin(t *testing.T) {
	for _, test := range []struct {
		name  string
		seeds uint64
		does  twinScript
	}{
		{"pushes", 12, twinScript{lapses: true}},
		{"refusals", 12, twinScript{lapses: true, refuses: true}},
		{"silences and inhibition", 30, twinScript{mutes: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range test.seeds {
				synctest.Test(t, func(t *testing.T) {
					w := newTwins(t, seed, test.does)
					defer w.end()
					for range 150 {
						w.sleep(time.Duration(1 + w.rng.Int64N(int64(45*time.Second))))
						w.step()
						synctest.Wait()
					}
					w.sleep(twinInterval + 20*time.Minute)
				})
			}
		})
	}
}

// A twinScript says what may happen besides pushes.
type twinScript struct {
	lapses  bool // alerts end by themselves, by their EndsAt or resolve_timeout
	refuses bool // the remotes refuse everything for a while
	mutes   bool // silences come and go, and one alert inhibits others
}

// The twins are both sides, and what happened to them.
type twins struct {
	t     *testing.T
	rng   *rand.Rand
	does  twinScript
	names []string // of alerts
	steps []string

	theirs      *alertmanager
	ours        *alarm.Engine
	theirRemote *twinRemote
	ourRemote   *twinRemote
	end         func()
	alerts      []*alarm.Alert // as last pushed
	silences    []*twinSilence
	refuse      bool
	settled     time.Time // when the last end has been told, or passed over
}

type twinSilence struct {
	alarm.Silence

	n     string // what it mutes
	their string // its ID at Alertmanager
}

func newTwins(t *testing.T, seed uint64, does twinScript) *twins {
	w := &twins{
		t: t, rng: rand.New(rand.NewPCG(seed, 77)), does: does, names: []string{"Net", "Disk", "Cpu"},
		theirRemote: &twinRemote{open: map[string]bool{}}, ourRemote: &twinRemote{open: map[string]bool{}},
	}
	if does.mutes {
		w.names[0] = "ClusterDown"
	}
	var endTheirs, endOurs func()
	w.theirs, endTheirs = newAlertmanager(t, w.theirRemote)
	w.ours, endOurs = newTwinEngine(t, w.ourRemote)
	w.end = func() { endTheirs(); endOurs() }
	w.note("seed %d", seed)
	synctest.Wait()
	return w
}

// sleep lets time pass, and compares what was told.
func (w *twins) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
	theirs, ours := w.theirRemote.heard(), w.ourRemote.heard()
	if !slices.Equal(theirs, ours) {
		require.Equal(w.t, theirs, ours, "%s", strings.Join(w.steps, "\n"))
	}
}

func (w *twins) step() {
	switch n := w.rng.IntN(100); {
	case n < 45:
		w.fire()
	case n < 75:
		w.resolve()
	case n < 82 && w.does.mutes:
		w.silence(fmt.Sprint(w.rng.IntN(4)), time.Duration(1+w.rng.Int64N(int64(10*time.Minute))))
	case n < 86 && w.does.mutes:
		w.expire()
	case n < 79 && w.does.refuses:
		w.refuse = !w.refuse
		w.theirRemote.setRefuse(w.refuse)
		w.ourRemote.setRefuse(w.refuse)
		w.note("refuse: %t", w.refuse)
	}
}

// fire pushes an alert: a new one, one that fires already, or one that ended before.
func (w *twins) fire() {
	labels := model.LabelSet{
		"alertname": model.LabelValue(w.names[w.rng.IntN(len(w.names))]),
		"n":         model.LabelValue(fmt.Sprint(w.rng.IntN(4))),
		"cluster":   model.LabelValue(fmt.Sprint(w.rng.IntN(2))),
	}
	if labels["alertname"] == "ClusterDown" {
		w.calm()
	}
	now := time.Now()
	a := alarm.Alert{Labels: labels, StartsAt: now, UpdatedAt: now, EndsAt: now.Add(24 * time.Hour)}
	i := slices.IndexFunc(w.alerts, func(b *alarm.Alert) bool { return b.Labels.Equal(labels) })
	switch {
	case i >= 0 && w.alerts[i].EndsAt.After(now) && w.rng.IntN(2) == 0:
		a.StartsAt = w.alerts[i].StartsAt
	case w.rng.IntN(4) == 0:
		a.StartsAt = now.Add(-time.Duration(w.rng.IntN(120)) * time.Second)
	}
	switch {
	case w.does.lapses && w.rng.IntN(2) == 0:
		a.EndsAt, a.Timeout = now.Add(5*time.Minute), true
	case w.does.lapses:
		a.EndsAt = now.Add(time.Duration(1 + w.rng.Int64N(int64(15*time.Minute))))
	}
	if i < 0 {
		w.alerts = append(w.alerts, &a)
	} else {
		w.alerts[i] = &a
	}
	w.push(a)
}

// resolve ends something that fires, unless that is where we differ.
func (w *twins) resolve() {
	if len(w.alerts) == 0 {
		return
	}
	a := w.alerts[w.rng.IntN(len(w.alerts))]
	if a.Name() == "ClusterDown" {
		w.calm()
	}
	now := time.Now()
	told, muted, soon := w.theirRemote.holds(a), w.muted(now, a), w.muted(now, a) && !w.muted(now.Add(twinInterval), a)
	if !a.EndsAt.After(now) || (told && muted) || soon {
		return
	}
	w.settled = now.Add(twinInterval)
	a.EndsAt, a.UpdatedAt, a.Timeout = now, now, false
	w.push(*a)
}

func (w *twins) push(a alarm.Alert) {
	w.note("push %s since %s, ends in %s", a.Labels, a.StartsAt.Format("15:04:05.000"), a.EndsAt.Sub(a.UpdatedAt))
	require.NoError(w.t, w.theirs.push(a))
	require.NoError(w.t, w.ours.Submit(context.Background(), alarm.Input{Snapshots: []alarm.Snapshot{
		{Source: "push", At: a.UpdatedAt, Partial: true, Alerts: []alarm.Alert{a}},
	}}))
}

// silence mutes what has this n.
func (w *twins) silence(n string, lasts time.Duration) {
	w.calm()
	now := time.Now()
	s := &twinSilence{n: n, Silence: alarm.Silence{
		ID: fmt.Sprint("s", len(w.silences)), Matchers: matcher.MustParse(fmt.Sprintf(`n="%s"`, n)),
		StartsAt: now, EndsAt: now.Add(lasts), UpdatedAt: now,
	}}
	w.silences = append(w.silences, s)
	w.note("silence n=%s until %s", n, s.EndsAt.Format("15:04:05.000"))
	var err error
	s.their, err = w.theirs.silence(n, s.StartsAt, s.EndsAt)
	require.NoError(w.t, err)
	w.submitSilence(s)
}

// expire ends the oldest silence before its time.
func (w *twins) expire() {
	w.calm()
	now := time.Now()
	i := slices.IndexFunc(w.silences, func(s *twinSilence) bool { return s.EndsAt.After(now) })
	if i < 0 {
		return
	}
	s := w.silences[i]
	s.EndsAt, s.UpdatedAt = now, now
	w.note("silence n=%s expires", s.n)
	require.NoError(w.t, w.theirs.silences.Expire(context.Background(), s.their))
	w.submitSilence(s)
}

func (w *twins) submitSilence(s *twinSilence) {
	ours := s.Silence // the engine keeps what it is given
	require.NoError(w.t, w.ours.Submit(context.Background(), alarm.Input{Silences: []*alarm.Silence{&ours}}))
}

// calm waits until both have had their say on everything that ended: what is muted must not change
// between an end and its flush.
func (w *twins) calm() {
	if d := time.Until(w.settled); d >= 0 {
		w.sleep(d + time.Millisecond)
	}
}

// muted says whether a silence or an inhibition mutes the alert.
func (w *twins) muted(now time.Time, a *alarm.Alert) bool {
	return slices.ContainsFunc(w.silences, func(s *twinSilence) bool {
		return s.EndsAt.After(now) && s.n == string(a.Labels["n"])
	}) || (a.Name() != "ClusterDown" && slices.ContainsFunc(w.alerts, func(b *alarm.Alert) bool {
		return b.Name() == "ClusterDown" && b.EndsAt.After(now) && b.Labels["cluster"] == a.Labels["cluster"]
	}))
}

func (w *twins) note(format string, args ...any) {
	w.steps = append(w.steps, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// TestTwinDiffers shows what TestTwin keeps out of its script, after both were told of Disk n=0.
func TestTwinDiffers(t *testing.T) {
	const group = `00:02:10.000 a/webhook[0] {}:{alertname="Disk"} (some alerts resolved)` +
		` +{alertname="Disk", n="0"} since 00:00:00.000 -{alertname="Disk", n="3"} since 00:01:00.000 until 00:01:50.000`
	for _, test := range []struct {
		name         string
		does         func(w *twins, fire, resolve func())
		theirs, ours []string
	}{
		{"told, and ends while it is silenced", func(w *twins, fire, resolve func()) {
			fire()
			w.sleep(20 * time.Second)
			w.silence("3", time.Hour)
			time.Sleep(30 * time.Second)
			resolve()
		}, nil, []string{group}},
		{"untold, ends, and is silenced then", func(w *twins, fire, resolve func()) {
			time.Sleep(20 * time.Second)
			fire()
			time.Sleep(30 * time.Second)
			resolve()
			w.silence("3", time.Hour)
		}, nil, []string{group}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTwins(t, 0, twinScript{})
				defer w.end()
				push := func(n string, since, until time.Time) {
					w.push(alarm.Alert{
						Labels: model.LabelSet{"alertname": "Disk", "n": model.LabelValue(n)}, StartsAt: since, EndsAt: until, UpdatedAt: time.Now(),
					})
				}
				push("0", time.Now(), time.Now().Add(time.Hour))
				w.sleep(time.Minute)
				began := time.Now()
				test.does(w, func() { push("3", began, began.Add(time.Hour)) }, func() { push("3", began, time.Now()) })
				time.Sleep(time.Minute)
				synctest.Wait()
				assert.Equal(t, test.theirs, w.theirRemote.heard())
				assert.Equal(t, test.ours, w.ourRemote.heard())
			})
		})
	}
}
