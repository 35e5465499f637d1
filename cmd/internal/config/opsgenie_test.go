package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/notify"
)

const paging = `
route: {receiver: ops}
receivers: [{name: ops}, {name: mail}, {name: old, opsgenie_configs: [{api_key: x}]}]
`

func TestOpsgenie(t *testing.T) {
	c, err := Parse(File{"/etc/am.yml", []byte(paging + `
tocsin:
  receivers:
  - name: ops
    opsgenie:
      api_key_file: key
      reopen: {P1: always, P4: never, default: {after: 10m}}
      priorities: [{matchers: ['state="passive"'], priority: P2}]
      responders: [{type: team, name: "{{ .Team }}"}]
      details: {runbook: "{{ .Annotations.runbook_url }}"}
    fallback: mail
  heartbeats:
  - {opsgenie: ops, create: true}
  - {name: page, url: "https://hc.example/ping/abc", interval: 30s}
`)}, nil)
	require.NoError(t, err)
	o := c.Tocsin.Receivers[0].Opsgenie
	assert.Equal(t, "/etc/key", o.APIKeyFile)
	assert.Equal(t, Reopen{Default: notify.Reopen{After: 10 * time.Minute}, ByPriority: map[string]notify.Reopen{"P1": {}, "P4": {Never: true}}}, o.Reopen)
	assert.Equal(t, 5*time.Minute, o.ReconcileInterval)
	assert.Equal(t, 4*time.Hour, o.Remind)
	assert.Equal(t, []Heartbeat{
		{Name: "tocsin", Opsgenie: "ops", Interval: time.Minute, Create: true},
		{Name: "page", URL: "https://hc.example/ping/abc", Interval: 30 * time.Second},
	}, c.Tocsin.Heartbeats)
	assert.Contains(t, c.Files(), "/etc/key", "its change is noticed")
}

func TestOpsgenieInvalid(t *testing.T) {
	_, err := Parse(File{"am.yml", []byte(paging + `
tocsin:
  receivers:
  - name: ops
    opsgenie: {backend: pagerduty, api_url: "ops", reopen: sometimes, adopt: all, cloud_id: x, close_at_most: 200}
    fallback: nobody
  - name: old
    opsgenie: {api_key: a, api_key_file: b, priorities: [{priority: P9}]}
    fallback: mail
  - name: mail
    log: {}
    fallback: old
  heartbeats:
  - {name: a}
  - {opsgenie: mail, source: gen2, interval: 1ms}
`)}, nil)
	require.Error(t, err)
	for _, want := range []string{
		`am.yml:8: tocsin.receivers[0].opsgenie.backend: no backend "pagerduty": known are jsm, opsgenie`,
		`am.yml:8: tocsin.receivers[0].opsgenie.api_url: not the URL of a server: write one such as https://api.eu.opsgenie.com`,
		`am.yml:8: tocsin.receivers[0].opsgenie.reopen: no way to open it again: write always, never or {after: 10m}`,
		`am.yml:8: tocsin.receivers[0].opsgenie.adopt: no adopt "all"`,
		`am.yml:8: tocsin.receivers[0].opsgenie.api_key: it is missing: write api_key_file: and the path of a file that holds it`,
		`am.yml:8: tocsin.receivers[0].opsgenie.close_at_most: no share in percent: write 1 to 100`,
		`am.yml:9: tocsin.receivers[0].fallback: no receiver "nobody"`,
		`am.yml:11: tocsin.receivers[1].opsgenie.api_key_file: api_key is given as well: keep one of the two`,
		`am.yml:11: tocsin.receivers[1].opsgenie.priorities[0]: "P9" is no priority: write P1 to P5`,
		`am.yml:11: tocsin.receivers[1].opsgenie: receiver "old" has opsgenie_configs as well, and would page twice`,
		`am.yml:12: tocsin.receivers[1].fallback: it leads back: old -> mail -> old`,
		`am.yml:17: tocsin.heartbeats[0]: it goes to one place`,
		`am.yml:18: tocsin.heartbeats[1].opsgenie: no receiver "mail" with opsgenie: below tocsin.receivers`,
		`am.yml:18: tocsin.heartbeats[1].source: no source "gen2" below tocsin.sources`,
		`am.yml:18: tocsin.heartbeats[1].interval: more often than once a second`,
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestOpsgenieLimits(t *testing.T) {
	c, err := Parse(File{"am.yml", []byte(paging + `
tocsin:
  receivers:
  - {name: ops, opsgenie: {api_key: k, requests_per_second: 50}}
  heartbeats:
  - {opsgenie: ops, max_cycle_age: 2m, max_standstill: 5m}
`)}, nil)
	require.NoError(t, err)
	assert.Equal(t, 50, c.Tocsin.Receivers[0].Opsgenie.RequestsPerSecond)
	assert.Equal(t, 2*time.Minute, c.Tocsin.Heartbeats[0].MaxCycleAge)
	assert.Equal(t, 5*time.Minute, c.Tocsin.Heartbeats[0].MaxStandstill)

	_, err = Parse(File{"am.yml", []byte(paging + `
tocsin:
  receivers:
  - {name: ops, opsgenie: {api_key: k, requests_per_second: -1}}
  heartbeats:
  - {opsgenie: ops, max_cycle_age: 10s, max_standstill: -5m}
`)}, nil)
	assert.ErrorContains(t, err, "requests_per_second: less than none")
	assert.ErrorContains(t, err, "max_cycle_age: a cycle is asked for each 15s")
	assert.ErrorContains(t, err, "max_standstill")
}
