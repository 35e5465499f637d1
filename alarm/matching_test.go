package alarm_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

// TestMatching holds what is read by matchers against all that is read, while alerts come, end, and
// are forgotten.
func TestMatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ops := alarm.ReceiverSpec{Name: "ops"}
		tree := route.Route{Receiver: "ops", GroupBy: []model.LabelName{"team"}, Routes: []route.Route{
			{Matchers: matcher.MustParse(`n="2"`), Continue: true}, {},
		}}
		e, err := alarm.NewEngine(alarm.EngineOptions{Store: alarmtest.NewStore(), Build: build(tree, nil, ops)})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		rng := rand.New(rand.NewPCG(1, 1))
		for range 200 {
			s := alarm.Snapshot{Source: "push", Partial: true}
			a := s.Firing(model.LabelSet{
				"alertname": "X", "n": model.LabelValue(fmt.Sprint(rng.IntN(20))), "team": model.LabelValue(fmt.Sprint(rng.IntN(3))),
			})
			a.StartsAt = time.Now()
			a.EndsAt = a.StartsAt.Add(time.Duration(rng.IntN(600)) * time.Second)
			require.NoError(t, e.Submit(ctx, alarm.Input{Snapshots: []alarm.Snapshot{s}}))
			compareMatching(t, e, fmt.Sprintf(`team="%d"`, rng.IntN(4)), fmt.Sprintf(`n="%d",team="1"`, rng.IntN(20)), `n="2"`, `n!="2"`, `team=~"1|2"`, `x=""`)
			time.Sleep(time.Duration(rng.IntN(90)) * time.Second)
		}
		cancel()
		require.NoError(t, <-ended)
	})
}

func compareMatching(t *testing.T, e *alarm.Engine, filters ...string) {
	t.Helper()
	for _, filter := range filters {
		ms := matcher.MustParse(filter)
		other := func(r alarm.Reading) bool { return !ms.Matches(r.Alert.Labels) }

		all, err := e.Alerts(t.Context())
		require.NoError(t, err)
		got, err := e.Matching(t.Context(), ms)
		require.NoError(t, err)
		require.Equal(t, slices.Concat(slices.DeleteFunc(all, other)), slices.Concat(got), filter)

		groups, err := e.Groups(t.Context())
		require.NoError(t, err)
		want := []alarm.GroupReading{}
		for _, g := range groups {
			if g.Alerts = slices.DeleteFunc(g.Alerts, other); len(g.Alerts) > 0 {
				want = append(want, g)
			}
		}
		gotGroups, err := e.GroupsMatching(t.Context(), ms)
		require.NoError(t, err)
		require.Equal(t, want, gotGroups, filter)

		found, err := e.Find(t.Context(), ms, 1000)
		require.NoError(t, err)
		require.True(t, slices.IsSorted(found))
		for _, r := range got {
			require.Contains(t, found, r.Alert.Fingerprint())
		}
	}
}
