package server

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

type letters []alarm.DeadLetter

func (l letters) DeadLetters(context.Context) ([]alarm.DeadLetter, error)       { return l, nil }
func (l letters) Revive(context.Context, alarm.DeadOrder) (found bool, _ error) { return false, nil }

func TestDeadLetterMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(deadLetterCollector{
		letters: letters{
			{Key: alarm.IntentionKey{Receiver: "ops", Group: "a"}},
			{Key: alarm.IntentionKey{Receiver: "ops", Group: "b"}},
			{Key: alarm.IntentionKey{Receiver: "gone"}},
		},
		receivers: func() []string { return []string{"ops", "mail"} },
	}))
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP tocsin_notify_dead_letters Notifications that were given up, and that nobody has retried or discarded.
# TYPE tocsin_notify_dead_letters gauge
tocsin_notify_dead_letters{receiver="gone"} 1
tocsin_notify_dead_letters{receiver="mail"} 0
tocsin_notify_dead_letters{receiver="ops"} 2
`)))
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	assert.Empty(t, problems)
}
