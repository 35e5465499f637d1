package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// windowsConfig plans a window that is always under way but for a second, and guards little.
func windowsConfig(url string) string {
	return quickConfig(url) + `
tocsin:
  silence_guard: {alerts: 2, severity: critical}
  windows:
  - {name: always, cluster: eu, rrule: "FREQ=DAILY", start: "2026-01-01T00:00", duration: 23h59m59s, zone: UTC, comment: weekly}
`
}

// script runs commands of a client, and compares exit code and output. <id> stands for any ID, <time>
// for any time.
func script(t *testing.T, s *server, steps string) {
	t.Helper()
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
	at := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	for step := range strings.SplitSeq(strings.TrimSpace(steps), "\n\n") {
		command, want, _ := strings.Cut(step, "\n")
		args := strings.Fields(strings.TrimPrefix(command, "$ tocsin "))
		r := run(t, s.program, append(args, "--alertmanager.url=http://"+s.address)...)
		got := id.ReplaceAllString(at.ReplaceAllString(r.Stdout+r.Stderr, "<time>"), "<id>")
		got = fmt.Sprintf("%s[%d]", got, r.Code)
		squeeze := func(s string) string { return regexp.MustCompile(` +`).ReplaceAllString(s, " ") }
		assert.Equal(t, squeeze(strings.TrimSpace(want)), squeeze(got), command)
	}
}

func TestWindowsByCommandLine(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	s := startServer(t, windowsConfig(sink.URL))
	s.Push(
		firing(model.LabelSet{"alertname": "NodeDown", "instance": "db1:9100", "severity": "critical"}),
		firing(model.LabelSet{"alertname": "Slow", "cluster": "eu"}),
	)
	script(t, s, `
$ tocsin window add --name=deploy --instance=db1 --lease=10m --author=ci --comment=v2
It would mute 1 alerts that fire now; 1 fired since <time>.
! {alertname="NodeDown", instance="db1:9100", severity="critical"} since <time>
 past week: NodeDown, 1 alerts
To be confirmed: it would mute 1 of severity critical.
Nothing was muted. Add --yes if that is meant.
[1]

$ tocsin silence add --comment=no severity=critical
It would mute 1 alerts that fire now; 1 fired since <time>.
! {alertname="NodeDown", instance="db1:9100", severity="critical"} since <time>
 past week: NodeDown, 1 alerts
To be confirmed: it would mute 1 of severity critical.
Nothing was muted. Add --yes if that is meant.
[1]

$ tocsin window add --name=deploy --instance=db1 --lease=10m --author=ci --comment=v2 --yes
<id>
[0]

$ tocsin window list
Name State Starts At Ends At Matchers Recurs Created By ID
always active <time> <time> cluster="eu" FREQ=DAILY UTC configuration <id>
deploy active <time> <time> instance=~"db1(:[0-9]+)?" ci <id>
[0]

$ tocsin window add --name=deploy --cluster=us --duration=1h
tocsin: error: 400 Bad Request
 name: a window "deploy" is there already (<id>): extend that one, end it, or choose another name
[1]

$ tocsin window add --name=x --rrule=FREQ=HOURLY --duration=1h a=b
tocsin: error: 400 Bad Request
 rrule: FREQ=HOURLY: windows recur by days, weeks, months or years: write FREQ=DAILY;BYHOUR=0,6,12,18 for several times a day
[1]

$ tocsin window extend deploy
<time>
[0]

$ tocsin window extend deploy --for=1h
<time>
[0]

$ tocsin window preview cluster=eu
It would mute 1 alerts that fire now; 1 fired since <time>.
 {alertname="Slow", cluster="eu"} since <time>
 past week: Slow, 1 alerts
[0]

$ tocsin window end --series always
tocsin: error: 400 Bad Request
 series: window "always" stands in the configuration file: remove it from the file and reload
[1]

$ tocsin window end deploy always
[0]

$ tocsin window list
Name State Starts At Ends At Matchers Recurs Created By ID
always pending <time> <time> cluster="eu" FREQ=DAILY UTC configuration <id>
[0]

$ tocsin window end nobody
tocsin: error: 404 Not Found: no window "nobody", by ID or by name: GET /api/v1/windows lists them
[1]
`)
	r := run(t, s.program, "window", "list", "--expired", "-o", "json", "--alertmanager.url=http://"+s.address)
	var list []map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.Stdout), &list), r.Stdout)
	require.Len(t, list, 1)
	assert.Equal(t, "deploy", list[0]["name"])
}

// A window mutes across kill -9, is a silence to API v2, and ends when it leaves the file: then what
// still fires is told.
func TestAWindowOfTheFile(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	s := startServer(t, windowsConfig(sink.URL))
	in := model.LabelSet{"alertname": "Slow", "cluster": "eu"}
	muted := func() error {
		if a := s.Alerts()[in.Fingerprint().String()]; a.Status.State != "suppressed" {
			return fmt.Errorf("%+v should be suppressed", a.Status)
		}
		return nil
	}
	s.Push(firing(in))
	eventually(t, muted)
	require.Len(t, s.Silences(), 1)
	s.Kill()
	s.Start()
	require.NoError(t, muted())
	rounds(t, s, sink, named("Clock"))
	require.Error(t, sink.said("Slow", "firing")(), "it is withheld")

	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	before, _, _ := strings.Cut(string(text), "  windows:")
	s.Configure(before)
	code, body, err := s.do("POST", "/-/reload", "")
	require.NoError(t, err)
	require.Equal(t, 200, code, body)
	eventually(t, sink.said("Slow", "firing"))
	for _, sil := range s.Silences() {
		assert.Equal(t, "expired", sil.Status.State)
	}
}

// What was told before a window began and ends within it is told as resolved; what comes and goes
// within it is never told; and what still fires at its end is.
func TestTheNetStateIsToldAroundAWindow(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	s := startServer(t, quickConfig(sink.URL))
	in := func(name string) model.LabelSet {
		return model.LabelSet{"alertname": model.LabelValue(name), "cluster": "us"}
	}
	s.Push(firing(in("Told")))
	eventually(t, sink.said("Told", "firing"))
	script(t, s, `
$ tocsin window add --name=move --cluster=us --duration=1h
<id>
[0]
`)
	s.Push(firing(in("Transient")), firing(in("Stays")))
	rounds(t, s, sink, named("Watch"))
	s.Push(ended(in("Told")), ended(in("Transient")))
	eventually(t, sink.said("Told", "firing", "resolved"))
	rounds(t, s, sink, named("Clock"))
	require.Error(t, sink.said("Stays", "firing")(), "it is withheld")
	script(t, s, `
$ tocsin window end move
[0]
`)
	eventually(t, sink.said("Stays", "firing"))
	rounds(t, s, sink, named("Bell"))
	require.NoError(t, sink.said("Transient")(), "nothing was ever said of it")
}
