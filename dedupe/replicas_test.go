package dedupe

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// Two replicas that report the same alert report one alert.
func TestReplicaLabels(t *testing.T) {
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	p, err := NewPresence(now, &alarm.Stored{}, Options{ReplicaLabels: []model.LabelName{"prometheus_replica"}})
	require.NoError(t, err)
	push := func(ls model.LabelSet) alarm.Snapshot {
		return alarm.Snapshot{Source: "push", At: now, Partial: true, Alerts: []alarm.Alert{{Labels: ls, StartsAt: now, EndsAt: now.Add(time.Minute), UpdatedAt: now}}}
	}
	a := model.LabelSet{"alertname": "X", "prometheus_replica": "a"}
	changes, _, _ := p.Observe(now, []alarm.Snapshot{push(a), push(model.LabelSet{"alertname": "X", "prometheus_replica": "b"})})
	require.Len(t, changes, 1)
	assert.Equal(t, model.LabelSet{"alertname": "X"}, changes[0].Alert.Labels)
	assert.Equal(t, model.LabelSet{"alertname": "X"}.Fingerprint(), changes[0].Alert.Fingerprint())
	assert.Len(t, a, 2, "what was handed in is not modified")

	only := model.LabelSet{"prometheus_replica": "a"}
	changes, _, _ = p.Observe(now, []alarm.Snapshot{push(only)})
	require.Len(t, changes, 1)
	assert.Equal(t, only, changes[0].Alert.Labels, "an alert needs an identity")
}
