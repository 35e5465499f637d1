package dedupe

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// activity is what Alertmanager and we have to agree in.
type activity struct {
	StartsAt, EndsAt time.Time
	Annotations      model.LabelSet
}

// TestPushesMergeAsInAlertmanager pushes random histories to both.
func TestPushesMergeAsInAlertmanager(t *testing.T) {
	for seed := range uint64(150) {
		for _, limit := range []int{0, 2} {
			t.Run(fmt.Sprint(seed, "/", limit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { twin(t, rand.New(rand.NewPCG(seed, 1)), limit) })
			})
		}
	}
}

func twin(t *testing.T, rnd *rand.Rand, limit int) {
	theirs, err := mem.NewAlerts(t.Context(), 24*time.Hour, limit, nil, slog.New(slog.DiscardHandler),
		eventrecorder.NopRecorder(), prometheus.NewRegistry(), nil)
	require.NoError(t, err)
	defer theirs.Close()
	ours := newBench(t, time.Now(), Options{PerAlertnameLimit: limit, ResolveTimeout: 5*time.Minute + time.Second})
	const resolveTimeout = 5*time.Minute + time.Second

	for step := range 60 {
		now := time.Now()
		in := alarm.Alert{
			Labels:      model.LabelSet{"alertname": "A", "i": model.LabelValue(fmt.Sprint(rnd.IntN(4)))},
			Annotations: model.LabelSet{"step": model.LabelValue(fmt.Sprint(step / 2))},
			StartsAt:    now.Add(time.Duration(rnd.IntN(60)-50) * 10 * time.Second),
		}
		their := &alert.Alert{
			Alert:     model.Alert{Labels: in.Labels, Annotations: in.Annotations, StartsAt: in.StartsAt},
			UpdatedAt: now,
		}
		if rnd.IntN(3) == 0 {
			their.EndsAt, their.Timeout = now.Add(resolveTimeout), true
		} else { // an odd number of seconds, so that nothing ends at the very instant of a push
			in.EndsAt = in.StartsAt.Add(time.Duration(1+2*rnd.IntN(200)) * time.Second)
			their.EndsAt = in.EndsAt
		}
		if known := ours.alerts[in.Labels.Fingerprint()] != nil; !known && their.ResolvedAt(now) {
			continue // they keep it, and we do not
		}
		require.NoError(t, theirs.Put(context.Background(), their))
		ours.observe(now, push("push", in))
		compareActive(t, limit, theirs, ours, now)

		time.Sleep(time.Duration(rnd.IntN(12)) * 10 * time.Second)
		if rnd.IntN(2) == 0 {
			ours.observe(time.Now())
			compareActive(t, limit, theirs, ours, time.Now())
		}
		if rnd.IntN(5) == 0 {
			ours.rebuild(time.Now(), false)
		}
	}
	ours.unmodified()
}

func compareActive(t *testing.T, limit int, theirs *mem.Alerts, ours *bench, now time.Time) {
	want, got := map[model.Fingerprint]activity{}, map[model.Fingerprint]activity{}
	pending := theirs.GetPending()
	defer pending.Close()
	for a := range pending.Next() {
		if !a.Data.ResolvedAt(now) {
			want[a.Data.Fingerprint()] = activity{a.Data.StartsAt, a.Data.EndsAt, a.Data.Annotations}
		}
	}
	for fp, a := range ours.alerts {
		if !a.ResolvedAt(now) {
			got[fp] = activity{a.StartsAt, a.EndsAt, a.Annotations}
		}
	}
	if limit > 0 { // beyond its limit Alertmanager also drops resolves, and may merge with an older one
		require.ElementsMatch(t, keys(want), keys(got))
		return
	}
	require.Equal(t, want, got)
}

func keys(m map[model.Fingerprint]activity) []model.Fingerprint {
	var all []model.Fingerprint
	for fp := range m {
		all = append(all, fp)
	}
	return all
}

// TestMergeScenario is the order of pushes in Alertmanager's acceptance tests TestMergeAlerts and
// TestMergeAlertsWithEndsAt.
func TestMergeScenario(t *testing.T) {
	annotated := func(a alarm.Alert, v string) alarm.Alert {
		if v != "" {
			a.Annotations = model.LabelSet{"ann": model.LabelValue(v)}
		}
		return a
	}
	for _, withEnd := range []bool{false, true} {
		active := func(starts float64) alarm.Alert {
			if withEnd {
				return fires("test", at(starts), at(starts+3))
			}
			return fires("test", at(starts))
		}
		steps := []struct {
			at    float64
			push  alarm.Alert
			want  string
			start float64
			end   float64 // zero: it fires
			ann   string
		}{
			{1, active(1.1), "appeared test by push", 1.1, 0, ""},
			{1.2, fires("test", at(1)), "changed test by push", 1, 0, ""},
			{2.1, annotated(active(2), "v1"), "reworded test by push", 1, 0, "v1"},
			{3.6, annotated(active(1.5), "v2"), "reworded test by push", 1, 0, "v2"},
			{4.6, annotated(fires("test", at(3), at(4.5)), "v2"), "ended test by push", 1, 4.5, "v2"},
			{4.8, annotated(fires("test", at(2.9), at(4.8)), "v3"), "reworded test by push", 1, 4.8, "v3"},
			{4.8, annotated(fires("test", at(2.9), at(4.1)), "v3"), "", 1, 4.8, "v3"},
			{5.3, active(5), "appeared test by push", 5, 0, ""},
		}
		b := newBench(t, at(0), Options{})
		for _, s := range steps {
			var want []string
			if s.want != "" {
				want = []string{s.want}
			}
			assert.Equal(t, want, b.observe(at(s.at), push("push", s.push)), "at %v", s.at)
			a := b.named("test")
			assert.Equal(t, at(s.start), a.StartsAt, "start at %v", s.at)
			assert.Equal(t, s.ann, string(a.Annotations["ann"]), "annotation at %v", s.at)
			assert.Equal(t, s.end > 0, a.State == alarm.Resolved, "resolved at %v", s.at)
			if s.end > 0 {
				assert.Equal(t, at(s.end), a.EndsAt, "end at %v", s.at)
			}
		}
		assert.Equal(t, 2, b.named("test").Fired)
		assert.Equal(t, at(1), b.named("test").FirstSeen)
		b.unmodified()
	}
}
