package route_test

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/route"
)

// TestTwinDispatcher gives the same alerts to Alertmanager's dispatcher as it runs in its server, and
// compares the groups that it makes. The provider holds all alerts before it starts, so that it has
// them all when it answers.
func TestTwinDispatcher(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	root := randomRoute(r, 0)
	registry, logger, recorder := prometheus.NewRegistry(), promslog.NewNopLogger(), eventrecorder.NopRecorder()
	alerts, err := mem.NewAlerts(t.Context(), time.Hour, 0, nil, logger, recorder, registry, nil)
	require.NoError(t, err)
	defer alerts.Close()

	tree, err := route.New(root, names("i0", "i1", "i2"))
	require.NoError(t, err)
	type group struct{ routeID, key, receiver, labels string }
	want := map[group]bool{}
	for range 300 {
		ls := randomLabels(r)
		ls["alertname"] = "X"
		a := &alert.Alert{Alert: model.Alert{Labels: ls, StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour)}}
		require.NoError(t, alerts.Put(t.Context(), a))
		for _, g := range tree.Route(ls) {
			want[group{g.RouteID, g.Key, g.Receiver, g.Labels.String()}] = true
		}
	}

	silent := notify.StageFunc(func(ctx context.Context, _ *slog.Logger, _ ...*alert.Alert) (context.Context, []*alert.Alert, error) {
		return ctx, nil, nil
	})
	dispatcher := dispatch.NewDispatcher(alerts, twinOf(root), silent, marker.NewGroupMarker(), nil, time.Hour, nil, logger, recorder,
		dispatch.NewDispatcherMetrics(false, registry, nil), nil)
	go dispatcher.Run(time.Now())
	defer dispatcher.Stop()
	got, _, err := dispatcher.Groups(t.Context(),
		func(*dispatch.Route) bool { return true }, func(*alert.Alert, time.Time) bool { return true })
	require.NoError(t, err)
	groups := make([]group, len(got))
	for i, g := range got {
		groups[i] = group{g.RouteID, g.GroupKey, g.Receiver, g.Labels.String()}
	}
	byName := func(a, b group) int { return cmp.Or(cmp.Compare(a.routeID, b.routeID), cmp.Compare(a.key, b.key)) }
	slices.SortFunc(groups, byName)
	require.Equal(t, sortedKeys(want, byName), groups)
}

func sortedKeys[K comparable](m map[K]bool, compare func(a, b K) int) []K {
	var keys []K
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compare)
	return keys
}
