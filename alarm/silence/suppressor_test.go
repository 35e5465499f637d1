package silence

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/eventrecorder"
	am "github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A follower keeps what a Suppressor says, as the engine does.
type follower struct {
	*Suppressor
	alerts   map[model.Fingerprint]*alarm.Alert
	silences map[string]*alarm.Silence
	reasons  map[model.Fingerprint][]alarm.Suppression
	due      time.Time
}

func newFollower(now time.Time) *follower {
	return &follower{
		Suppressor: NewSuppressor(now, nil), alerts: map[model.Fingerprint]*alarm.Alert{},
		silences: map[string]*alarm.Silence{}, reasons: map[model.Fingerprint][]alarm.Suppression{},
	}
}

func (f *follower) judge(now time.Time, v alarm.View) alarm.Judgement {
	for _, c := range v.Changes {
		f.alerts[c.Alert.Fingerprint()] = c.Alert
		if c.Alert.State == alarm.Resolved {
			delete(f.alerts, c.Alert.Fingerprint())
		}
	}
	for _, c := range v.Silences {
		f.silences[c.Silence.ID] = c.Silence
		if c.Removed {
			delete(f.silences, c.Silence.ID)
		}
	}
	j := f.Judge(now, v)
	for _, fp := range j.Judged {
		delete(f.reasons, fp)
	}
	for _, r := range j.Reasons {
		f.reasons[r.Fingerprint] = append(f.reasons[r.Fingerprint], r)
	}
	f.due = j.Next
	return j
}

// naive judges all silences by all alerts.
func (f *follower) naive(now time.Time) map[model.Fingerprint][]alarm.Suppression {
	all := map[model.Fingerprint][]alarm.Suppression{}
	for fp, a := range f.alerts {
		for _, id := range slices.Sorted(maps.Keys(f.silences)) {
			if s := f.silences[id]; s.StateAt(now) == alarm.SilenceActive && s.Matchers.Matches(a.Labels) {
				all[fp] = append(all[fp], alarm.Suppression{
					Fingerprint: fp, Reason: alarm.ReasonSilence, By: id, Note: s.Comment, Since: s.StartsAt, Until: s.EndsAt,
				})
			}
		}
	}
	return all
}

func randomMatchers(rnd *rand.Rand) matcher.Matchers {
	ops := []string{"=", "=", "=", "=~", "!=", "!~"}
	values := []string{"1", "2", "1|2", ".*"}
	var all []string
	for range 1 + rnd.IntN(2) {
		all = append(all, fmt.Sprintf("%c%s%q", 'a'+rnd.IntN(3), ops[rnd.IntN(6)], values[rnd.IntN(4)]))
	}
	return matcher.MustParse(strings.Join(all, ","))
}

func randomAlert(rnd *rand.Rand) *alarm.Alert {
	a := alarm.Alert{Labels: model.LabelSet{"alertname": "X"}, State: []alarm.State{alarm.Firing, alarm.Firing, alarm.Pending, alarm.Resolved}[rnd.IntN(4)]}
	for _, name := range []model.LabelName{"a", "b", "c"} {
		if v := rnd.IntN(4); v > 0 {
			a.Labels[name] = model.LabelValue(strconv.Itoa(v))
		}
	}
	return &a
}

// TestSilencesAsAlertmanager edits silences at random, here and in Alertmanager, and compares what
// became of the edits, which alerts are muted, and the reasons with those of a naive twin.
func TestSilencesAsAlertmanager(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 5))
			theirs, err := am.New(am.Options{Metrics: prometheus.NewRegistry(), Retention: time.Hour, EventRecorder: eventrecorder.NopRecorder()})
			require.NoError(t, err)
			ours := newFollower(time.Now())
			theirID := map[string]string{} // by our ID
			newID := func() string { return "id" + strconv.Itoa(len(theirID)) }

			for range 60 {
				now := time.Now()
				var v alarm.View
				switch ids := slices.Sorted(maps.Keys(ours.silences)); {
				case rnd.IntN(3) == 0:
					v.Changes = []alarm.Change{{Alert: randomAlert(rnd)}}
				case rnd.IntN(6) == 0 && len(ids) > 0:
					id := ids[rnd.IntN(len(ids))]
					require.NoError(t, theirs.Expire(t.Context(), theirID[id]))
					if s := Expire(now, ours.silences[id]); s != nil {
						v.Silences = []alarm.SilenceChange{{Silence: s}}
					}
				default:
					edit := alarm.Silence{Matchers: randomMatchers(rnd), StartsAt: now.Add(time.Duration(rnd.IntN(60)-20) * time.Second)}
					if len(ids) > 0 && rnd.IntN(2) == 0 {
						edit = *ours.silences[ids[rnd.IntN(len(ids))]]
						if rnd.IntN(2) == 0 {
							edit.StartsAt = edit.StartsAt.Add(time.Duration(rnd.IntN(60)-30) * time.Second)
						}
						if rnd.IntN(4) == 0 {
							edit.Matchers = randomMatchers(rnd)
						}
					}
					edit.EndsAt = later(now, edit.StartsAt).Add(time.Duration(1+2*rnd.IntN(100)) * time.Second / 2)
					v.Silences = setBoth(t, now, ours.silences, theirs, theirID, edit, newID)
				}
				ours.judge(now, v)
				time.Sleep(time.Millisecond) // to Alertmanager, a silence is still active at its very end
				ours.compare(t, theirs)
				time.Sleep(time.Duration(rnd.IntN(20)) * time.Second)
				if due := ours.due; !due.IsZero() && !due.After(time.Now()) {
					ours.judge(time.Now(), alarm.View{})
				}
				ours.compare(t, theirs)
			}
		})
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// setBoth edits a silence on both sides, and requires that the same became of it.
func setBoth(t *testing.T, now time.Time, known map[string]*alarm.Silence, theirs *am.Silences, theirID map[string]string, edit alarm.Silence, newID func() string) []alarm.SilenceChange {
	their := &silencepb.Silence{Id: theirID[edit.ID], StartsAt: timestamppb.New(edit.StartsAt), EndsAt: timestamppb.New(edit.EndsAt)}
	set := &silencepb.MatcherSet{}
	types := map[string]silencepb.Matcher_Type{
		"=": silencepb.Matcher_EQUAL, "!=": silencepb.Matcher_NOT_EQUAL, "=~": silencepb.Matcher_REGEXP, "!~": silencepb.Matcher_NOT_REGEXP,
	}
	for _, m := range edit.Matchers {
		set.Matchers = append(set.Matchers, &silencepb.Matcher{Type: types[m.Type.String()], Name: m.Name, Pattern: m.Value})
	}
	their.MatcherSets = []*silencepb.MatcherSet{set}
	theirErr := theirs.Set(t.Context(), their)
	result, err := Set(now, known[edit.ID], edit, newID)
	require.Equal(t, theirErr == nil, err == nil, "theirs: %v, ours: %v", theirErr, err)
	if err != nil {
		return nil
	}
	var changes []alarm.SilenceChange
	for _, s := range result {
		changes = append(changes, alarm.SilenceChange{Silence: s})
	}
	made := result[len(result)-1]
	require.Equal(t, theirID[edit.ID] == their.Id, made.ID == edit.ID, "whether it kept its ID")
	theirID[made.ID] = their.Id
	require.True(t, their.StartsAt.AsTime().Equal(made.StartsAt))
	require.True(t, their.EndsAt.AsTime().Equal(made.EndsAt))
	return changes
}

func (f *follower) compare(t *testing.T, theirs *am.Silences) {
	require.Equal(t, f.naive(time.Now()), f.reasons)
	silencer := am.NewSilencer(theirs, slog.New(slog.DiscardHandler), eventrecorder.NopRecorder()) // without a cache
	for fp, a := range f.alerts {
		require.Equal(t, silencer.Mutes(t.Context(), a.Labels), len(f.reasons[fp]) > 0)
		require.Equal(t, len(f.reasons[fp]) > 0, f.Mutes(a.Labels))
	}
}

func TestOnlyWhatASilenceMatchesIsJudged(t *testing.T) {
	s := silenced("s", `a="1"`, 10, 20)
	f := newFollower(start)
	alert := func(v string) *alarm.Alert { return &alarm.Alert{Labels: model.LabelSet{"a": model.LabelValue(v)}} }
	one := alert("1").Fingerprint()
	f.judge(minutes(0), alarm.View{Changes: []alarm.Change{{Alert: alert("1")}, {Alert: alert("2")}}})

	j := f.judge(minutes(1), alarm.View{Silences: []alarm.SilenceChange{{Silence: &s}}})
	assert.Equal(t, alarm.Judgement{Next: minutes(10)}, j, "it is pending")
	j = f.judge(minutes(10), alarm.View{})
	assert.Equal(t, alarm.Judgement{Judged: []model.Fingerprint{one}, Reasons: []alarm.Suppression{{
		Fingerprint: one, Reason: "silence", By: "s", Note: "cs", Since: minutes(10), Until: minutes(20),
	}}, Next: minutes(20)}, j)
	longer := s
	longer.EndsAt = minutes(30)
	j = f.judge(minutes(11), alarm.View{Silences: []alarm.SilenceChange{{Silence: &longer}}})
	assert.Equal(t, minutes(30), j.Reasons[0].Until)
	j = f.judge(minutes(20), alarm.View{})
	assert.Equal(t, alarm.Judgement{Next: minutes(30)}, j, "the old end is none any more")
	j = f.judge(minutes(30), alarm.View{})
	assert.Equal(t, alarm.Judgement{Judged: []model.Fingerprint{one}}, j)
	j = f.judge(minutes(31), alarm.View{Silences: []alarm.SilenceChange{{Silence: &longer, Removed: true}}})
	assert.Equal(t, alarm.Judgement{}, j)

	active := silenced("t", `a="1"`, 0, 60)
	f.judge(minutes(32), alarm.View{Silences: []alarm.SilenceChange{{Silence: &active}}})
	j = f.judge(minutes(33), alarm.View{Silences: []alarm.SilenceChange{{Silence: &active, Removed: true}}})
	assert.Equal(t, alarm.Judgement{Judged: []model.Fingerprint{one}}, j)
}

// BenchmarkSilenced asks whether one alert is silenced, by 10k silences of which 1 or 1k match, as in
// Alertmanager's own benchmark; judge also says by which.
func BenchmarkSilenced(b *testing.B) {
	for _, matching := range []int{1, 1000} {
		matchers := func(i int) (name, value string) {
			if i%(10_000/matching) == 0 {
				return "foo", "bar"
			}
			return "job", "job" + strconv.Itoa(i)
		}
		b.Run(fmt.Sprint("alertmanager/", matching), func(b *testing.B) {
			theirs, err := am.New(am.Options{Metrics: prometheus.NewRegistry(), EventRecorder: eventrecorder.NopRecorder()})
			require.NoError(b, err)
			for i := range 10_000 {
				name, value := matchers(i)
				require.NoError(b, theirs.Set(b.Context(), &silencepb.Silence{
					Matchers: []*silencepb.Matcher{{Name: name, Pattern: value}},
					StartsAt: timestamppb.Now(), EndsAt: timestamppb.New(time.Now().Add(time.Hour)),
				}))
			}
			silencer := am.NewSilencer(theirs, slog.New(slog.DiscardHandler), eventrecorder.NopRecorder())
			b.ReportAllocs()
			for b.Loop() {
				if !silencer.Mutes(b.Context(), model.LabelSet{"foo": "bar"}) {
					b.Fatal("not silenced")
				}
			}
		})
		tocsin := func() (*Suppressor, *alarm.Alert) {
			var silences []*alarm.Silence
			for i := range 10_000 {
				name, value := matchers(i)
				s := silenced(strconv.Itoa(i), "", 0, 60)
				s.Matchers = matcher.Matchers{{Name: name, Value: value}}
				silences = append(silences, &s)
			}
			a := alarm.Alert{Labels: model.LabelSet{"foo": "bar"}}.WithFingerprint()
			return NewSuppressor(start, silences), &a
		}
		b.Run(fmt.Sprint("mutes/", matching), func(b *testing.B) {
			s, a := tocsin()
			b.ReportAllocs()
			for b.Loop() {
				if !s.Mutes(a.Labels) {
					b.Fatal("not silenced")
				}
			}
		})
		b.Run(fmt.Sprint("judge/", matching), func(b *testing.B) {
			s, a := tocsin()
			v := alarm.View{Changes: []alarm.Change{{Alert: a}}}
			b.ReportAllocs()
			for b.Loop() {
				if len(s.Judge(start, v).Reasons) != matching {
					b.Fatal("not silenced")
				}
			}
		})
	}
}

// BenchmarkEdit edits one silence, which matches 10 of so many alerts.
func BenchmarkEdit(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"1k", 1000}, {"10k", 10_000}, {"100k", 100_000}} {
		b.Run(size.name, func(b *testing.B) {
			s := NewSuppressor(start, nil)
			var v alarm.View
			for i := range size.n {
				a := alarm.Alert{Labels: model.LabelSet{
					"alertname": "X", "i": model.LabelValue(strconv.Itoa(i)), "job": model.LabelValue(strconv.Itoa(i % (size.n / 10))),
				}}.WithFingerprint()
				v.Changes = append(v.Changes, alarm.Change{Alert: &a})
			}
			s.Judge(start, v)
			sil := silenced("s", `job="7"`, 0, 60)
			for b.Loop() {
				next := sil
				if len(s.Judge(start, alarm.View{Silences: []alarm.SilenceChange{{Silence: &next}}}).Reasons) != 10 {
					b.Fatal("10 match")
				}
			}
		})
	}
}
