package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Of three alerts that one host causes, and one that it does not, two are worth a page.
func TestOnePageForOneHost(t *testing.T) {
	in := `[
	  {"labels": {"alertname": "TargetDown", "cluster": "eu", "instance": "n1:9100"}, "startsAt": "2026-01-01T00:00:00Z"},
	  {"labels": {"alertname": "HighLatency", "cluster": "eu", "instance": "n1:8080"}, "startsAt": "2026-01-01T00:00:00Z"},
	  {"labels": {"alertname": "NodeDown", "cluster": "eu", "node": "n1"}, "startsAt": "2026-01-01T00:00:10Z", "status": {"state": "active"}},
	  {"labels": {"alertname": "TargetDown", "cluster": "us", "instance": "n1:9100"}, "startsAt": "2026-01-01T00:00:00Z"}
	]`
	var out strings.Builder
	require.NoError(t, run(strings.NewReader(in), &out))
	assert.Equal(t, `{alertname="NodeDown", cluster="eu", node="n1"} explains 2
{alertname="TargetDown", cluster="us", instance="n1:9100"} explains 0
`, out.String())
	assert.ErrorContains(t, run(strings.NewReader("?"), &out), "read alerts")
}
