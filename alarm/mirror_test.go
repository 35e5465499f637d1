package alarm_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

// mirrorStart is long ago, for those who read ask the clock.
var mirrorStart = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

var mirrorBuild = build(route.Route{Receiver: "everybody", GroupBy: []model.LabelName{model.AlertNameLabel}}, nil,
	alarm.ReceiverSpec{Name: "everybody", Integrations: []alarm.IntegrationSpec{{Name: "webhook[0]", SendResolved: true}}})

func newMirror(t *testing.T) *alarm.Engine {
	t.Helper()
	e, err := alarm.NewEngine(alarm.EngineOptions{Store: alarmtest.NewStore(), Build: mirrorBuild})
	require.NoError(t, err)
	return e
}

// stored is an alert as one who leads stores it. It ends after so long, if at all.
func stored(name string, state alarm.State, ends time.Duration) *alarm.Alert {
	a := alarm.Alert{
		Labels: model.LabelSet{model.AlertNameLabel: model.LabelValue(name)}, State: state,
		StartsAt: mirrorStart, UpdatedAt: mirrorStart, FirstSeen: mirrorStart, Fired: 1,
	}
	if ends > 0 {
		a.EndsAt = mirrorStart.Add(ends)
	}
	a = a.WithFingerprint()
	return &a
}

// groupOf is the group that the route makes of an alert.
func groupOf(t *testing.T, a *alarm.Alert) alarm.GroupState {
	t.Helper()
	parts, err := mirrorBuild(mirrorStart, &alarm.Stored{})
	require.NoError(t, err)
	return alarm.GroupState{Group: parts.Router.Route(a.Labels)[0], Created: mirrorStart, Anchor: mirrorStart.Add(10 * time.Second)}
}

func toldOf(g alarm.GroupState, a *alarm.Alert) alarm.Told {
	hash := []uint64{alarm.Hash(a.Labels)}
	return alarm.Told{
		Key: alarm.IntentionKey{Receiver: "everybody", Integration: "webhook[0]", Group: g.Group.Key}, At: mirrorStart,
		Sets: alarm.ToldSets{Firing: hash}, Open: hash,
	}
}

func muted(a *alarm.Alert, by string) alarm.Verdict {
	return alarm.Verdict{
		Fingerprint: a.Fingerprint(), At: mirrorStart,
		Suppressions: []alarm.Suppression{{Fingerprint: a.Fingerprint(), Reason: alarm.ReasonSilence, By: by}},
	}
}

// A shown is what an engine shows to those who read.
type shown struct {
	Alerts   []alarm.Reading
	Groups   []alarm.GroupReading
	Silences []*alarm.Silence
	Dead     []alarm.DeadLetter
	Told     map[string][]alarm.Told
	OnTheWay map[string]int
}

func show(t *testing.T, e *alarm.Engine) shown {
	t.Helper()
	s := shown{Told: map[string][]alarm.Told{}, OnTheWay: map[string]int{}}
	var err error
	s.Alerts, err = e.Alerts(t.Context())
	require.NoError(t, err)
	s.Groups, err = e.Groups(t.Context())
	require.NoError(t, err)
	s.Silences, err = e.Silences(t.Context())
	require.NoError(t, err)
	s.Dead, err = e.DeadLetters(t.Context())
	require.NoError(t, err)
	for _, r := range s.Alerts {
		x, err := e.Explain(t.Context(), r.Alert.Fingerprint(), mirrorStart)
		require.NoError(t, err)
		for _, g := range x.Groups {
			s.Told[r.Alert.Name()] = append(s.Told[r.Alert.Name()], g.Told...)
			s.OnTheWay[r.Alert.Name()] += len(g.Open)
		}
	}
	return s
}

func names(s shown) (all []string) {
	for _, r := range s.Alerts {
		all = append(all, r.Alert.Name())
	}
	return all
}

// TestMirrorPatches has a mirror follow one change each, and another one see all of it at once.
func TestMirrorPatches(t *testing.T) {
	a, b := stored("A", alarm.Firing, 0), stored("B", alarm.Firing, 0)
	ga, gb := groupOf(t, a), groupOf(t, b)
	sil := &alarm.Silence{ID: "s", Matchers: matcher.MustParse(`alertname="A"`), StartsAt: mirrorStart, EndsAt: mirrorStart.AddDate(100, 0, 0)}
	told := toldOf(ga, a)
	in := alarm.Intention{ID: 7, Key: told.Key, GroupID: ga.Group.ID(), At: mirrorStart}
	letter, err := json.Marshal(alarm.DeadLetter{Key: toldOf(gb, b).Key, Err: "refused"})
	require.NoError(t, err)
	dead := alarm.Row{Part: "dead", Key: "k", Value: letter}
	before := alarm.Stored{
		Alerts: []*alarm.Alert{a}, Groups: []alarm.GroupState{ga}, Silences: []*alarm.Silence{sil}, Told: []alarm.Told{told},
		Intentions: []alarm.Intention{in}, Rows: []alarm.Row{dead}, Verdicts: []alarm.Verdict{muted(a, "s")},
	}
	later := *a
	later.Annotations = model.LabelSet{"summary": "other"}
	again := told
	again.Open = nil

	for name, c := range map[string]struct {
		change alarm.Mirrored
		then   func(s *alarm.Stored)
	}{
		"nothing": {alarm.Mirrored{}, func(*alarm.Stored) {}},
		"an alert appears": {
			alarm.Mirrored{State: &alarm.Stored{Alerts: []*alarm.Alert{b}, Groups: []alarm.GroupState{gb}}},
			func(s *alarm.Stored) {
				s.Alerts, s.Groups = []*alarm.Alert{a, b}, []alarm.GroupState{ga, gb}
			},
		},
		"an alert changes": {
			alarm.Mirrored{State: &alarm.Stored{Alerts: []*alarm.Alert{&later}}},
			func(s *alarm.Stored) { s.Alerts = []*alarm.Alert{&later} },
		},
		"an alert is forgotten": {
			alarm.Mirrored{
				Alerts: []model.Fingerprint{a.Fingerprint()}, Verdicts: []model.Fingerprint{a.Fingerprint()},
				Groups: []string{ga.Group.ID()}, Told: []alarm.IntentionKey{told.Key},
			},
			func(s *alarm.Stored) { s.Alerts, s.Verdicts, s.Groups, s.Told = nil, nil, nil, nil },
		},
		"an alert is forgotten before its group": {
			alarm.Mirrored{Alerts: []model.Fingerprint{a.Fingerprint()}}, func(s *alarm.Stored) { s.Alerts = nil },
		},
		"what a receiver was told is forgotten": {
			alarm.Mirrored{Told: []alarm.IntentionKey{told.Key}}, func(s *alarm.Stored) { s.Told = nil },
		},
		"an alert is forgotten and comes back": {
			alarm.Mirrored{Alerts: []model.Fingerprint{a.Fingerprint()}, State: &alarm.Stored{
				Alerts: []*alarm.Alert{a}, Verdicts: []alarm.Verdict{muted(a, "s")},
			}},
			func(*alarm.Stored) {},
		},
		"nothing withholds it any more": {
			alarm.Mirrored{Verdicts: []model.Fingerprint{a.Fingerprint()}},
			func(s *alarm.Stored) { s.Verdicts = nil },
		},
		"something else withholds it": {
			alarm.Mirrored{State: &alarm.Stored{Verdicts: []alarm.Verdict{muted(a, "t")}}},
			func(s *alarm.Stored) { s.Verdicts = []alarm.Verdict{muted(a, "t")} },
		},
		"a silence is forgotten": {
			alarm.Mirrored{Silences: []string{"s"}}, func(s *alarm.Stored) { s.Silences = nil },
		},
		"a receiver was told": {
			alarm.Mirrored{Intentions: []int64{7}, State: &alarm.Stored{Told: []alarm.Told{again}}},
			func(s *alarm.Stored) { s.Intentions, s.Told = nil, []alarm.Told{again} },
		},
		"a delivery is given up": {
			alarm.Mirrored{Rows: []alarm.Row{{Part: "dead", Key: "k"}}}, func(s *alarm.Stored) { s.Rows = nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change.State == nil {
				c.change.State = &alarm.Stored{}
			}
			first, after := before, before
			patched, whole := newMirror(t), newMirror(t)
			require.NoError(t, patched.Mirror(mirrorStart, alarm.Mirrored{Whole: true, State: &first}))
			require.NoError(t, patched.Mirror(mirrorStart, c.change))
			c.then(&after)
			require.NoError(t, whole.Mirror(mirrorStart, alarm.Mirrored{Whole: true, State: &after}))
			assert.Equal(t, show(t, whole), show(t, patched))
		})
	}
}

// TestMirrorForgetsEnds has an alert that is sent again, which is not stored, pass the end that is.
func TestMirrorForgetsEnds(t *testing.T) {
	e := newMirror(t)
	a, over := stored("A", alarm.Firing, time.Minute), stored("Over", alarm.Resolved, time.Minute)
	end := func(at time.Duration) time.Time {
		require.NoError(t, e.Mirror(mirrorStart.Add(at), alarm.Mirrored{State: &alarm.Stored{}}))
		s := show(t, e)
		require.Equal(t, []string{"A"}, names(s))
		return s.Alerts[0].Alert.EndsAt
	}
	require.NoError(t, e.Mirror(mirrorStart, alarm.Mirrored{Whole: true, State: &alarm.Stored{Alerts: []*alarm.Alert{a, over}}}))
	assert.Equal(t, mirrorStart.Add(time.Minute), end(30*time.Second))
	assert.Zero(t, end(90*time.Second))
	assert.Equal(t, mirrorStart.Add(time.Minute), a.EndsAt, "what was handed over is not modified")
	x, err := e.Explain(t.Context(), over.Fingerprint(), mirrorStart)
	require.NoError(t, err)
	assert.Equal(t, mirrorStart.Add(time.Minute), x.Reading.Alert.EndsAt, "what has ended keeps its end")
}

// TestMirrorWith puts another configuration in force, and then one that cannot be built.
func TestMirrorWith(t *testing.T) {
	e := newMirror(t)
	a := stored("A", alarm.Firing, 0)
	ga := groupOf(t, a)
	require.NoError(t, e.Mirror(mirrorStart, alarm.Mirrored{Whole: true, State: &alarm.Stored{
		Alerts: []*alarm.Alert{a}, Groups: []alarm.GroupState{ga}, Told: []alarm.Told{toldOf(ga, a)},
	}}))
	db := build(route.Route{Receiver: "db"}, nil, alarm.ReceiverSpec{Name: "db"})
	require.NoError(t, e.MirrorWith(mirrorStart, db))
	s := show(t, e)
	require.Len(t, s.Groups, 1)
	assert.Equal(t, "db", s.Groups[0].Group.Receiver)
	assert.Equal(t, []string{"db"}, s.Alerts[0].Receivers)

	broken := errors.New("no such team")
	err := e.MirrorWith(mirrorStart, func(time.Time, *alarm.Stored) (alarm.Parts, error) { return alarm.Parts{}, broken })
	require.ErrorIs(t, err, broken)
	assert.Equal(t, s, show(t, e))

	b := stored("B", alarm.Firing, 0)
	require.NoError(t, e.Mirror(mirrorStart, alarm.Mirrored{State: &alarm.Stored{Alerts: []*alarm.Alert{b}}}))
	s = show(t, e)
	assert.ElementsMatch(t, []string{"A", "B"}, names(s))
	for _, g := range s.Groups {
		assert.Equal(t, "db", g.Group.Receiver)
	}
	require.NoError(t, e.Mirror(mirrorStart, alarm.Mirrored{Whole: true, State: &alarm.Stored{Alerts: []*alarm.Alert{a, b}}}))
	assert.Equal(t, s, show(t, e), "it stays in force")
}

// TestMirrorOnlyShows asks of a mirror what only an engine that runs can do.
func TestMirrorOnlyShows(t *testing.T) {
	offered := false
	store := alarmtest.NewStore()
	e, err := alarm.NewEngine(alarm.EngineOptions{Store: store, Build: mirrorBuild, Offer: func([]alarm.Intention) { offered = true }})
	require.NoError(t, err)
	a := stored("A", alarm.Firing, 0)
	ga := groupOf(t, a)
	in := alarm.Intention{ID: 1, Key: toldOf(ga, a).Key, GroupID: ga.Group.ID(), At: mirrorStart}
	for range 2 {
		require.NoError(t, e.Mirror(mirrorStart, alarm.Mirrored{Whole: true, State: &alarm.Stored{
			Alerts: []*alarm.Alert{a}, Groups: []alarm.GroupState{ga}, Intentions: []alarm.Intention{in},
		}}))
	}
	<-e.Ready()
	assert.Equal(t, 1, show(t, e).OnTheWay["A"])
	require.ErrorIs(t, e.Reload(t.Context(), mirrorBuild, ""), alarm.ErrStopped)
	assert.Nil(t, e.Sources())
	assert.False(t, offered)
	s, err := store.Load(t.Context())
	require.NoError(t, err)
	assert.Empty(t, s.Alerts, "nothing is written")
}
