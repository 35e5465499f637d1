package server

import (
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

func TestPriorityOf(t *testing.T) {
	night, err := matcher.Parse(`{team="night"}`)
	require.NoError(t, err)
	of := priorityOf([]config.PriorityRule{{Matchers: []matcher.Matchers{night}, Priority: "P5"}})
	for want, labels := range map[string]model.LabelSet{
		"P3": {"alertname": "DiskFull", "priority": "P1"},
		"P2": {"alertname": healthAlert, "priority": "P2"},
		"P5": {"alertname": healthAlert, "priority": "P2", "team": "night"},
	} {
		assert.Equal(t, want, of(&alarm.Alert{Labels: labels}, "P3"), "%s", labels)
	}
	assert.Equal(t, "P3", of(&alarm.Alert{Labels: model.LabelSet{"alertname": healthAlert, "priority": "high"}}, "P3"))
}
