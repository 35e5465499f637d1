package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHealthIsTopology has a service say in its health document that it depends on a database: while that
// fails, an alert about the service is explained by the one about the database, through a restart too, until
// the service says so no longer.
func TestHealthIsTopology(t *testing.T) {
	t.Parallel()
	var alone, away atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case away.Load():
			panic(http.ErrAbortHandler)
		case strings.HasPrefix(r.URL.Path, "/app/") && !alone.Load():
			fmt.Fprint(w, `{"status":"UP","components":{"store":{"status":"UP","details":{"url":"jdbc://db.shop.svc:5432"}}}}`)
		default:
			fmt.Fprint(w, `{"status":"UP"}`)
		}
	}))
	t.Cleanup(srv.Close)
	sink := newSink(t)
	var targets []string
	for _, name := range []string{"app", "other", "db"} {
		targets = append(targets, fmt.Sprintf(`{cluster: eu, environment: shop, service: %s, url: "%s/%s/health"}`, name, srv.URL, name))
	}
	s := startServer(t, fmt.Sprintf(`
route: {receiver: all, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: all, webhook_configs: [{url: %q}]}]
tocsin:
  topology: {health: true}
  dependencies:
  - {name: by-tree, cause: ['alertname="DatabaseDown"'], impact: ['alertname="TargetDown"'], via: topology}
  health:
    targets: [%s]
    probe: {interval: %s, timeout: 1900ms, per_host: 64}
`, sink.URL, strings.Join(targets, ", "), healthInterval))
	eventually(t, func() error {
		if !strings.Contains(s.stderr.String(), "topology changed") {
			return fmt.Errorf("nothing is known of the topology")
		}
		return nil
	})
	about := func(name, service string) model.LabelSet {
		return model.LabelSet{"alertname": model.LabelValue(name), "cluster": "eu", "namespace": "shop", "service": model.LabelValue(service)}
	}
	told := func(name string, want ...string) func() error {
		return func() error {
			var got []string
			for _, n := range sink.Notifications() {
				for _, a := range n.Alerts {
					if string(a.Labels["alertname"]) == name && a.Status == "firing" {
						got = append(got, string(a.Labels["service"]))
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				return fmt.Errorf("told of %s of %v, and should be of %v", name, got, want)
			}
			return nil
		}
	}
	s.Push(firing(about("DatabaseDown", "db")))
	eventually(t, told("DatabaseDown", "db"))
	s.Push(firing(about("TargetDown", "app")), firing(about("TargetDown", "other")))
	eventually(t, told("TargetDown", "other"))
	_, why, err := s.get("/api/v1/explain?filter=service%3Dapp")
	require.NoError(t, err)
	assert.Contains(t, why, "by-tree")
	assert.Contains(t, why, "DatabaseDown")

	away.Store(true) // after the restart nobody says what depends on what
	s.Stop()
	s.Start()
	s.Push(firing(about("TargetDown", "clock")))
	eventually(t, told("TargetDown", "other", "clock"))
	eventually(t, func() error { // they were asked, and did not answer
		summary, err := healthOf[map[string]int](s, "summary")
		if err == nil && summary["ok"] > 0 || summary["services"] != 3 {
			err = fmt.Errorf("%v", summary)
		}
		return err
	})
	s.Push(firing(about("TargetDown", "later")))
	eventually(t, told("TargetDown", "other", "clock", "later"))
	assert.Equal(t, "suppressed", first(s.Alerts(`service="app"`)).Status.State)
	away.Store(false)

	alone.Store(true)
	eventually(t, told("TargetDown", "other", "clock", "later", "app"))
}
