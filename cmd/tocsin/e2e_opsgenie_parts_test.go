package main_test

import (
	"fmt"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

// A genie is a fake of Opsgenie, or of JSM, behind a socket.
type genie struct {
	*opsgenietest.Server
	t   *testing.T
	url string
	jsm bool
}

// eachGenie runs a test with both services.
func eachGenie(t *testing.T, test func(t *testing.T, g *genie)) {
	t.Parallel()
	for _, jsm := range []bool{false, true} {
		t.Run(map[bool]string{false: "opsgenie", true: "jsm"}[jsm], func(t *testing.T) {
			t.Parallel()
			test(t, newGenie(t, jsm))
		})
	}
}

func newGenie(t *testing.T, jsm bool) *genie {
	t.Helper()
	g := &genie{Server: opsgenietest.New(opsgenietest.Options{JSM: jsm, Delay: 20 * time.Millisecond}), t: t, jsm: jsm}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	g.url = srv.URL
	return g
}

// account is the value of the key opsgenie: of a receiver that keeps its incidents there.
func (g *genie) account(more string) string {
	service := "api_url: " + g.url
	if g.jsm {
		service = fmt.Sprintf("backend: jsm, api_url: %[1]s%[2]s, operations_url: %[1]s%[3]s, cloud_id: cloud, email: ops@example.org, api_token: token, team_id: team",
			g.url, opsgenietest.PathIntegration, opsgenietest.PathOperations)
	}
	return fmt.Sprintf("{api_key: key, %s, reconcile_interval: 1s, requests_per_second: 1000, close_at_most: 100, %s}", service, more)
}

// config has one receiver, named name, which keeps incidents. More is put below tocsin:, at the end.
func (g *genie) config(name, account, more string) string {
	return fmt.Sprintf(`
route: {receiver: %s, group_by: [alertname], group_wait: 100ms, group_interval: 500ms, repeat_interval: 24h}
receivers: [{name: %[1]s}]
tocsin:
  startup_grace: 1s
  severities: {critical: {priority: P1}, warning: {priority: P3}}
  receivers:
  - {name: %[1]s, opsgenie: %s}
%s
`, name, g.account(account), more)
}

// open returns the fingerprints of the alerts that have an open incident.
func (g *genie) open() map[string]opsgenietest.Alert {
	open := map[string]opsgenietest.Alert{}
	for _, a := range g.Open() {
		open[path.Base(a.Alias)] = a
	}
	return open
}

// opened is a check for eventually: exactly these alerts have open incidents.
func (g *genie) opened(want ...model.LabelSet) func() error {
	return func() error {
		open, lacks := g.open(), 0
		for fp := range fingerprints(want) {
			if _, ok := open[fp]; !ok {
				lacks++
			}
		}
		if lacks > 0 || len(open) != len(want) {
			return fmt.Errorf("%d incidents are open, and should be %d; of these %d are not", len(open), len(want), lacks)
		}
		return nil
	}
}

// logged is a check for eventually: the server wrote this on standard error.
func (s *server) logged(text string) func() error {
	return func() error {
		if !strings.Contains(s.stderr.String(), text) {
			return fmt.Errorf("%q was not logged", text)
		}
		return nil
	}
}

// incident is the newest incident of an alert, open or not.
func (g *genie) incident(labels model.LabelSet) (found opsgenietest.Alert) {
	for _, a := range g.Alerts() {
		if path.Base(a.Alias) == labels.Fingerprint().String() {
			found = a
		}
	}
	return found
}

// incidents is how many incidents an alert ever had.
func (g *genie) incidents(labels model.LabelSet) int {
	n := 0
	for _, a := range g.Alerts() {
		if path.Base(a.Alias) == labels.Fingerprint().String() {
			n++
		}
	}
	return n
}

// noted is a check for eventually: a note of the alert's newest incident holds text.
func (g *genie) noted(labels model.LabelSet, text string) func() error {
	return func() error {
		if notes := strings.Join(g.incident(labels).Notes, "\n"); !strings.Contains(notes, text) {
			return fmt.Errorf("the notes of %s do not hold %q: %s", labels, text, notes)
		}
		return nil
	}
}

// reconciled returns when everything was compared again, twice: a comparison may be under way.
func (g *genie) reconciled(s *server) {
	g.t.Helper()
	last := func() (float64, error) { return s.Metric("tocsin_reconcile_last_success_timestamp_seconds") }
	began, err := last()
	require.NoError(g.t, err)
	for range 2 {
		eventually(g.t, func() error {
			now, err := last()
			if err == nil && now <= began {
				err = fmt.Errorf("the last comparison began at %g", now)
			}
			if err == nil {
				began = now
			}
			return err
		})
	}
}
