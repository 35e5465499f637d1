package source

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// cluster answers as an Alertmanager does that started so long ago.
func cluster(alerts string, age time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/am/api/v2/alerts":
			io.WriteString(w, alerts)
		case "/am/api/v2/status":
			io.WriteString(w, `{"config":{"original":"route: {}"},"uptime":"`+asked.Add(-age).Format(time.RFC3339)+`"}`)
		default:
			http.NotFound(w, r)
		}
	}
}

func newTestAlertmanager(t *testing.T, urls ...string) *Alertmanager {
	t.Helper()
	o, _ := options(t)
	o.Labels = model.LabelSet{"cluster": "lab"}
	for i := range urls {
		urls[i] += "/am"
	}
	m, err := NewAlertmanager("am", urls, o)
	require.NoError(t, err)
	return m
}

// All that is active counts, whatever the Alertmanager itself withholds.
func TestAlertmanager(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/am/api/v2/status" {
			io.WriteString(w, golden(t, "alertmanager-status.json"))
			return
		}
		io.WriteString(w, golden(t, "alertmanager-alerts.json"))
	})
	got := read(t, newTestAlertmanager(t, f.URL))
	day := asked.Truncate(24 * time.Hour)
	assert.ElementsMatch(t, []alarm.Alert{
		alarm.Alert{
			Labels:       model.LabelSet{"alertname": "A1", "cluster": "lab", "env": "e1", "severity": "warning", "team": "orders"},
			Annotations:  model.LabelSet{"summary": "s"},
			GeneratorURL: "http://x/",
			StartsAt:     day.Add(7*time.Hour + 59*time.Minute + 4265*time.Millisecond),
		}.WithFingerprint(),
		alarm.Alert{Labels: model.LabelSet{"cluster": "own"}, Annotations: model.LabelSet{}, StartsAt: day.Add(7*time.Hour + 58*time.Minute)}.WithFingerprint(),
		alarm.Alert{Labels: model.LabelSet{"alertname": "A2", "cluster": "lab"}, Annotations: model.LabelSet{}, StartsAt: day.Add(7*time.Hour + 58*time.Minute)}.WithFingerprint(),
	}, got.Alerts)
	assert.Empty(t, got.Unknowns)
}

func TestAlertmanagerCluster(t *testing.T) {
	const (
		x      = `{"labels":{"alertname":"X"},"annotations":{},"startsAt":"2026-11-21T10:00:00.000Z"}`
		sooner = `{"labels":{"alertname":"X"},"annotations":{},"startsAt":"2026-11-21T09:00:00.000Z"}`
		old    = time.Hour
		young  = 5*time.Minute - time.Second
	)
	down := fails(503, "Limit of concurrent GET requests reached")
	tests := map[string]struct {
		a, b http.HandlerFunc
		want []string
	}{
		"both":                  {cluster("["+x+"]", old), cluster("["+sooner+"]", old), []string{`firing {alertname="X", cluster="lab"} 09:00:00`}},
		"one lists it":          {cluster("[]", old), cluster("["+x+"]", old), []string{`firing {alertname="X", cluster="lab"} 10:00:00`}},
		"none":                  {cluster("[]", old), cluster("[]", old), []string{}},
		"one young":             {cluster("[]", young), cluster("[]", old), []string{}},
		"one young, one down":   {cluster("[]", young), down, []string{`unknown {}`}},
		"young, and lists it":   {cluster("["+x+"]", young), cluster("[]", young), []string{`firing {alertname="X", cluster="lab"} 10:00:00`, `unknown {}`}},
		"one useless":           {cluster("["+x+`,{"labels":{}}]`, old), cluster("[]", old), []string{`firing {alertname="X", cluster="lab"} 10:00:00`}},
		"no uptime":             {says(`[]`), down, nil},
		"both down":             {down, down, nil},
		"an object, not a list": {cluster(`{"status":"success"}`, old), down, nil},
		"labels as a list":      {cluster(`[{"labels":[]}]`, old), down, nil},
		"half a list":           {cluster(`[`+x+`,`, old), down, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := newFake(t, tt.a), newFake(t, tt.b)
			got, err := newTestAlertmanager(t, a.URL, b.URL).Alerts(t.Context())
			if tt.want == nil {
				require.Error(t, err)
				assert.Equal(t, alarm.Snapshot{}, got)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, told(got))
		})
	}
}
