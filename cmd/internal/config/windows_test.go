package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

const withWindows = `
route: {receiver: r}
receivers: [{name: r}]
tocsin:
  windows:
`

func TestWindows(t *testing.T) {
	c, err := Parse(File{Name: "am.yml", Text: []byte(withWindows + `
  - {name: patch-night, matchers: ['env="staging"'], rrule: "FREQ=WEEKLY;BYDAY=TU", start: "2026-01-06T22:00", duration: 2h, zone: Europe/London, grace: 5m}
  - {name: move, cluster: eu-1, instance: db1, start: 2026-05-01T08:00:00+02:00, end: 2026-05-01T10:00:00+02:00, close_open: true, comment: the racks move}
`)}, nil)
	require.NoError(t, err)
	assert.Equal(t, SilenceGuard{Alerts: 50, Severity: "critical"}, c.Tocsin.SilenceGuard)
	ws := c.Windows()
	require.Len(t, ws, 2)
	summer, winter := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 7, 0, 0, 0, 0, time.UTC)
	o, ok := ws[0].Occurrence(summer)
	require.True(t, ok)
	assert.Equal(t, "2026-07-07 21:00:00 +0000 UTC", o.Start.UTC().String())
	assert.Equal(t, 5*time.Minute, ws[0].Grace)
	o, _ = ws[0].Occurrence(winter)
	assert.Equal(t, "2026-01-13 22:00:00 +0000 UTC", o.Start.UTC().String())
	assert.Equal(t, `{cluster="eu-1",instance=~"db1(:[0-9]+)?"}`, ws[1].Matchers.String())
	assert.Equal(t, 2*time.Hour, ws[1].EndsAt.Sub(ws[1].StartsAt))
	assert.Equal(t, alarm.Scope{Cluster: "eu-1", Instance: "db1"}, ws[1].Scope)
	assert.True(t, ws[1].CloseOpen)
}

func TestWindowsOfTeamsAndOtherLabels(t *testing.T) {
	c, err := Parse(File{Name: "am.yml", Text: []byte(withWindows + `
  - {name: w, team: db, environment: prod, start: 2026-05-01T08:00, duration: 1h}
  teams: [{name: db, matchers: ['job="pg"'], clusters: [a.b, c], receiver: r}]
  scope_labels: {environment: env}
  silence_guard: {alerts: 5, severity: page}
`)}, nil)
	require.NoError(t, err)
	assert.Equal(t, `{env="prod",job="pg",cluster=~"a\\.b|c"}`, c.Windows()[0].Matchers.String())
	assert.Equal(t, SilenceGuard{Alerts: 5, Severity: "page"}, c.Tocsin.SilenceGuard)
}

func TestBadWindows(t *testing.T) {
	for _, tc := range []struct{ window, want string }{
		{`{start: 2026-05-01T08:00, duration: 1h, cluster: a}`, "am.yml:6: tocsin.windows[0].name: no name is given"},
		{`{name: w, start: 2026-05-01T08:00, duration: 1h}`, "tocsin.windows[0].matchers: nothing says what it mutes"},
		{`{name: w, cluster: a, duration: 1h}`, "tocsin.windows[0].start: nothing says when it begins"},
		{`{name: w, cluster: a, start: 2026-05-01T08:00}`, "tocsin.windows[0].duration: nothing says how long it lasts"},
		{`{name: w, cluster: a, start: 2026-05-01T08:00, duration: 1h, end: 2026-05-01T09:00}`, "given more than once"},
		{`{name: w, cluster: a, start: 2026-05-01T08:00, end: 2026-05-01T07:00}`, "it ends before it begins"},
		{`{name: w, cluster: a, start: tuesday, duration: 1h}`, `tocsin.windows[0].start: "tuesday" is no time`},
		{`{name: w, cluster: a, start: 2026-05-01T08:00, duration: 1h, zone: Europe/Lundon}`, `tocsin.windows[0].zone: no zone "Europe/Lundon"`},
		{`{name: w, cluster: a, start: 2026-05-01T08:00, duration: 1h, rrule: FREQ=HOURLY}`, "tocsin.windows[0].rrule: FREQ=HOURLY"},
		{`{name: w, cluster: a, start: 2026-05-01T08:00, end: 2026-05-01T09:00, rrule: FREQ=DAILY}`, "tocsin.windows[0].rrule: what recurs has no end"},
		{`{name: w, team: nobody, start: 2026-05-01T08:00, duration: 1h}`, `tocsin.windows[0].team: no team "nobody"`},
		{`{name: w, matchers: ['a=~".*"'], start: 2026-05-01T08:00, duration: 1h}`, "must not match the empty string"},
		{`{name: w, matchers: [a], start: 2026-05-01T08:00, duration: 1h}`, `"a" is no matcher`},
		{`{name: w, cluster: a, start: 2026-05-01T08:00, duration: 30h, rrule: FREQ=DAILY}`, "am.yml:6: tocsin.windows[0].duration: it never ends: each occurrence lasts 1d6h, until the next one begins or longer: write less"},
		{`{name: w, cluster: a, start: 2026-10-20T08:00, duration: 1d, rrule: FREQ=DAILY, zone: Europe/London}`, "tocsin.windows[0].duration: it never ends"},
		{`{name: w, cluster: a, start: 2026-10-20T08:00, duration: 7d, rrule: FREQ=WEEKLY;COUNT=3}`, "tocsin.windows[0].duration: it never ends"},
		{`{name: w, cluster: a, start: 2026-05-01T08:00, duration: 1h, lease: 5m}`, `unknown key "lease"`},
	} {
		_, err := Parse(File{Name: "am.yml", Text: []byte(withWindows + "  - " + tc.window + "\n")}, nil)
		if assert.Error(t, err, tc.window) {
			assert.Contains(t, err.Error(), tc.want, tc.window)
		}
	}
	_, err := Parse(File{Name: "am.yml", Text: []byte(withWindows + `
  - {name: w, start: yesterday, zone: Mars/Olympus}
  - {name: w, cluster: a, start: 2026-05-01T08:00, duration: 1h, rrule: "FREQ=DAILY;COUNT=0"}
  silence_guard: {alerts: many}
`)}, nil)
	require.Error(t, err)
	for _, want := range []string{"windows[0].matchers", "windows[0].zone", "windows[1].name: \"w\" is given twice", "windows[1].rrule: COUNT is 0", `silence_guard.alerts: "many" is no number`} {
		assert.Contains(t, err.Error(), want, "all at once")
	}
}

func TestLongWindowsThatEnd(t *testing.T) {
	for _, window := range []string{
		`{name: w, cluster: a, start: 2026-10-20T08:00, duration: 23h, rrule: FREQ=DAILY, zone: Europe/London}`,
		`{name: w, cluster: a, start: 2026-10-20T08:00, duration: 1d, rrule: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"}`,
		`{name: w, cluster: a, start: 2026-10-20T08:00, duration: 30d, rrule: "FREQ=DAILY;COUNT=1"}`,
	} {
		_, err := Parse(File{Name: "am.yml", Text: []byte(withWindows + "  - " + window + "\n")}, nil)
		assert.NoError(t, err, window)
	}
}

func TestPastWindows(t *testing.T) {
	c, err := Parse(File{Name: "am.yml", Text: []byte(withWindows + `
  - {name: w, cluster: a, start: 2026-05-01T08:00, duration: 1h}
  - {name: v, cluster: a, start: 2026-05-01T08:00, duration: 1h, rrule: FREQ=DAILY}
`)}, nil)
	require.NoError(t, err)
	over := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)
	assert.Empty(t, c.Past(over))
	assert.Equal(t, "am.yml:7: tocsin.windows[0]: it was over at 2026-05-01T09:00:00Z, and mutes nothing: remove it, or correct start", c.Past(over.Add(1)).Error())
}

func TestGuardedSeverity(t *testing.T) {
	for _, tc := range []struct{ section, want string }{
		{"severities: {page: {}, note: {}}", "page"},
		{"severities: {page: {}, critical: {}}", "critical"},
		{"severities: {page: {}, note: {}}\n  silence_guard: {severity: note}", "note"},
		{"severities: {page: {}, note: {}}\n  silence_guard: {severity: }", "page"},
		{`silence_guard: {severity: ""}`, ""},
		{"silence_guard: {severity: blocker}", "blocker"},
	} {
		c, err := Parse(File{Name: "am.yml", Text: []byte(withTocsin + "  " + tc.section + "\n")}, nil)
		if assert.NoError(t, err, tc.section) {
			assert.Equal(t, tc.want, c.Tocsin.SilenceGuard.Severity, tc.section)
		}
	}
	_, err := Parse(File{Name: "am.yml", Text: []byte(withTocsin + "  severities: {critical: {}, note: {}}\n  silence_guard: {severity: critcal}\n")}, nil)
	assert.EqualError(t, err, `am.yml:8: tocsin.silence_guard.severity: no severity "critcal": nobody would be asked: did you mean "critical"? known are critical, note`)
}
