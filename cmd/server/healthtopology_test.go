package server

import (
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// What is stored of the topology is what was seen, and only namespaces that changed are written.
func TestTopologyRows(t *testing.T) {
	of := func(namespace, on string) alarm.Entity {
		return alarm.Entity{
			Name: "service/a/" + namespace + "/app", Kind: "service", DependsOn: []string{on},
			Labels: model.LabelSet{"cluster": "a", "namespace": model.LabelValue(namespace), "service": "app"},
		}
	}
	node := alarm.Entity{Name: "node/a/n1", Kind: "node", Labels: model.LabelSet{"cluster": "a", "node": "n1"}}
	first := shardsOf(alarm.Entities{node, of("one", "node/a/n1"), of("two", "x")})
	rows, err := first.rowsFrom(nil)
	require.NoError(t, err)
	require.Len(t, rows, 3)
	var live liveTopology
	assert.Equal(t, first.entities(), live.at(&alarm.Stored{Rows: append(rows, alarm.Row{Part: topologyPart, Key: "a/bad", Value: []byte{1}})}))

	none, err := first.rowsFrom(readShards(rows))
	require.NoError(t, err)
	assert.Empty(t, none)
	next := shardsOf(alarm.Entities{node, of("one", "y")})
	rows, err = next.rowsFrom(first)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	assert.Equal(t, "a/one", rows[0].Key)
	assert.Equal(t, alarm.Row{Part: topologyPart, Key: "a/two"}, rows[1], "it is gone")
	live.set(next)
	assert.Equal(t, next.entities(), live.at(&alarm.Stored{}), "what was seen counts")
}
