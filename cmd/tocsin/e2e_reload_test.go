package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withDatabaseTeam is quickConfig with a receiver db, to which the alerts of a team go: of its own, if
// all is well, or of none, and then no route uses it.
func withDatabaseTeam(ops, db *sink, team string) string {
	text := quickConfig(ops.URL) + fmt.Sprintf(`
- name: db
  webhook_configs: [{url: %q}]
`, db.URL)
	if team == "" {
		return text
	}
	return strings.Replace(text, "24h}", fmt.Sprintf(`24h, routes: [{receiver: db, matchers: ['team=%q']}]}`, team), 1)
}

func ofDatabaseTeam(alertname string) model.LabelSet {
	labels := named(alertname)
	labels["team"] = "db"
	return labels
}

const reloadedWell = "alertmanager_config_last_reload_successful"

// inForce is a check for eventually: the configuration in force holds text, and the last reload went
// well.
func (s *server) inForce(text string) func() error {
	return func() error {
		var status struct {
			Config struct {
				Original string `json:"original"`
			} `json:"config"`
		}
		s.getJSON("/api/v2/status", &status)
		if !strings.Contains(status.Config.Original, text) {
			return fmt.Errorf("the configuration in force has no %q", text)
		}
		return s.metricIs(reloadedWell, 1)()
	}
}

func (s *server) metricIs(name string, want float64) func() error {
	return func() error {
		got, err := s.Metric(name)
		if err == nil && got != want {
			err = fmt.Errorf("%s is %g, and should be %g", name, got, want)
		}
		return err
	}
}

func postReload(s *server) (int, string) {
	s.t.Helper()
	code, body, err := s.do(http.MethodPost, "/-/reload", "")
	require.NoError(s.t, err)
	return code, body
}

func TestReload(t *testing.T) {
	t.Parallel()
	for name, reload := range map[string]func(*server){
		"SIGHUP": func(s *server) { s.Signal(syscall.SIGHUP) },
		"POST": func(s *server) {
			code, body := postReload(s)
			require.Equal(s.t, http.StatusOK, code, body)
		},
		"the file alone": func(*server) {},
	} {
		t.Run(name, func(t *testing.T) {
			ops, db := newSink(t), newSink(t)
			s := startServer(t, quickConfig(ops.URL))
			s.Push(firing(named("Disk")), firing(ofDatabaseTeam("Locks")))
			eventually(t, ops.said("Disk", "firing"))
			eventually(t, ops.said("Locks", "firing"))

			s.Configure(withDatabaseTeam(ops, db, "db"))
			reload(s)
			eventually(t, s.inForce("name: db"))
			s.Push(firing(ofDatabaseTeam("Replica")))
			eventually(t, db.said("Replica", "firing"))
			eventually(t, db.said("Locks", "firing")) // it is news to this receiver
			rounds(t, s, ops, named("Clock"))
			assert.Equal(t, []string{"firing"}, ops.About("Disk"), "told again after a reload")
			assert.Equal(t, []string{"firing"}, ops.About("Locks"))
			assert.Empty(t, ops.About("Replica"))

			s.Push(ended(named("Disk")), ended(ofDatabaseTeam("Locks")), ended(ofDatabaseTeam("Replica")))
			eventually(t, ops.said("Disk", "firing", "resolved"))
			eventually(t, ops.said("Locks", "firing", "resolved"))
			eventually(t, db.said("Locks", "firing", "resolved"))
			eventually(t, db.said("Replica", "firing", "resolved"))
		})
	}
}

// TestReloadOfBadFile has a file that is no good change nothing but the metric.
func TestReloadOfBadFile(t *testing.T) {
	t.Parallel()
	for name, reload := range map[string]func(*server){
		"SIGHUP": func(s *server) { s.Signal(syscall.SIGHUP) },
		"POST": func(s *server) {
			code, body := postReload(s)
			assert.Equal(s.t, http.StatusInternalServerError, code)
			assert.Contains(s.t, body, "nowhere", "the problem")
		},
		"the file alone": func(*server) {},
	} {
		t.Run(name, func(t *testing.T) {
			sink := newSink(t)
			good := quickConfig(sink.URL)
			s := startServer(t, good)
			require.NoError(t, s.metricIs(reloadedWell, 1)())
			s.Push(firing(named("Disk")))
			eventually(t, sink.said("Disk", "firing"))

			s.Configure(strings.Replace(good, "receiver: ops", "receiver: nowhere", 1))
			reload(s)
			eventually(t, s.metricIs(reloadedWell, 0))
			rounds(t, s, sink, named("Clock"))

			s.Configure(good)
			s.Signal(syscall.SIGHUP)
			eventually(t, s.metricIs(reloadedWell, 1))
			s.Push(ended(named("Disk")))
			eventually(t, sink.said("Disk", "firing", "resolved"))
		})
	}
}

// TestReloadRemovesRoute has what a route told be closed where it was told, though the route is gone.
func TestReloadRemovesRoute(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		newTeam string // that the receiver is for from now on
		then    func(*server)
	}{
		"by a reload":                       {"other", func(*server) {}},
		"and the receiver is out of use":    {"", func(*server) {}},
		"and the server restarts":           {"other", func(s *server) { s.Stop(); s.Start() }},
		"and the server is killed":          {"other", func(s *server) { s.Kill(); s.Start() }},
		"and there is another reload":       {"other", func(s *server) { postReload(s) }},
		"and its sender speaks of it again": {"other", func(s *server) { s.Push(firing(ofDatabaseTeam("Locks"))) }},
	} {
		t.Run(name, func(t *testing.T) {
			ops, db := newSink(t), newSink(t)
			s := startServer(t, withDatabaseTeam(ops, db, "db"))
			s.Push(firing(ofDatabaseTeam("Locks")))
			eventually(t, db.said("Locks", "firing"))

			s.Configure(withDatabaseTeam(ops, db, c.newTeam))
			code, body := postReload(s)
			require.Equal(t, http.StatusOK, code, body)
			eventually(t, ops.said("Locks", "firing"))
			rounds(t, s, ops, named("Clock"))
			c.then(s)
			rounds(t, s, ops, named("Watch"))
			assert.Equal(t, []string{"firing"}, db.About("Locks"), "only the end is told there from now on")

			s.Push(ended(ofDatabaseTeam("Locks")))
			eventually(t, ops.said("Locks", "firing", "resolved"))
			eventually(t, db.said("Locks", "firing", "resolved"))
		})
	}
}

// TestReloadRemovesReceiver has nothing told to a receiver that is gone, and nothing of it left over.
func TestReloadRemovesReceiver(t *testing.T) {
	t.Parallel()
	ops, db := newSink(t), newSink(t)
	s := startServer(t, withDatabaseTeam(ops, db, "db"))
	s.Push(firing(ofDatabaseTeam("Locks")))
	eventually(t, db.said("Locks", "firing"))
	s.Configure(quickConfig(ops.URL))
	code, body := postReload(s)
	require.Equal(t, http.StatusOK, code, body)
	eventually(t, ops.said("Locks", "firing"))
	rounds(t, s, ops, named("Clock"))
	s.Kill()
	s.Start()
	s.Push(ended(ofDatabaseTeam("Locks")))
	eventually(t, ops.said("Locks", "firing", "resolved"))
	rounds(t, s, ops, named("Watch"))
	assert.Equal(t, []string{"firing"}, db.About("Locks"))
}
