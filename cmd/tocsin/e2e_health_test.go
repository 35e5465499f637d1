package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/examples/fleet"
)

// A town is a fleet of services, a file that names them, and who is told of them. Its environment "quiet"
// says how many work in it; the others do not.
type town struct {
	t     *testing.T
	fleet *fleet.Fleet
	url   string
	file  string
	sink  *sink

	stateLabel string // the label that says whether an environment is active

	mu      sync.Mutex // guards what is below
	users   int        // of the environment quiet
	failing bool       // its services
	passive map[string]bool
}

// newTown starts a calm fleet with fifteen services in each environment.
func newTown(t *testing.T, environments int) *town {
	t.Helper()
	return newTownOf(t, environments, 15)
}

// newTownOf is newTown with so many services.
func newTownOf(t *testing.T, environments, services int) *town {
	t.Helper()
	town := &town{
		t: t, fleet: fleet.New(fleet.Options{Environments: environments, Services: services, Clusters: 3, Calm: true, Largest: 4 << 10}),
		file: filepath.Join(t.TempDir(), "targets.json"), sink: newSink(t), users: 1, passive: map[string]bool{}, stateLabel: "state",
	}
	srv := httptest.NewServer(town)
	t.Cleanup(srv.Close)
	town.url = srv.URL
	town.Write()
	return town
}

// ServeHTTP answers for the fleet, and for the environment quiet.
func (w *town) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/quiet/") {
		w.fleet.ServeHTTP(rw, r)
		return
	}
	w.mu.Lock()
	users, failing := w.users, w.failing
	w.mu.Unlock()
	status := "UP"
	if failing {
		status = "DOWN"
		rw.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintf(rw, `{"status":%q,"operations":{"lastHour":%d}}`, status, users)
}

// Write writes the file that names the targets, as the fleet has them now.
func (w *town) Write() {
	w.t.Helper()
	type target struct {
		Cluster     string            `json:"cluster"`
		Environment string            `json:"environment"`
		Service     string            `json:"service"`
		URL         string            `json:"url"`
		Labels      map[string]string `json:"labels"`
	}
	var all []target
	for _, t := range w.fleet.Targets(w.url) {
		role := "active"
		if w.passive[t.Namespace] {
			role = "passive"
		}
		all = append(all, target{t.Cluster, t.Namespace, t.Service, t.URL, map[string]string{w.stateLabel: role}})
	}
	for _, service := range w.fleet.Services() {
		all = append(all, target{"cluster-q", "quiet", service, w.url + "/quiet/" + service + "/health", nil})
	}
	text, err := json.Marshal(map[string]any{"targets": all})
	require.NoError(w.t, err)
	require.NoError(w.t, os.WriteFile(w.file+".new", text, 0o600))
	require.NoError(w.t, os.Rename(w.file+".new", w.file))
}

// Quiet says how many use the environment quiet, and whether its services fail.
func (w *town) Quiet(users int, failing bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users, w.failing = users, failing
}

const healthInterval = 2 * time.Second

func (w *town) config() string {
	return fmt.Sprintf(`
route: {receiver: all, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: all, webhook_configs: [{url: %q}]}]
tocsin:
  health:
    target_files: [%q]
    probe: {interval: %s, timeout: 1900ms, per_host: 64}
    activity: {namespace_label: state, pointer: /operations/lastHour, idle_after: 1s}
    metrics: true
`, w.sink.URL, w.file, healthInterval)
}

// healthOf asks the health API.
func healthOf[T any](s *server, path string) (T, error) {
	var answer struct {
		Version string          `json:"version"`
		At      time.Time       `json:"at"`
		Stale   json.RawMessage `json:"stale"`
		Data    T               `json:"data"`
	}
	code, body, err := s.get("/api/v1/health/" + path)
	switch {
	case err != nil:
		return answer.Data, err
	case code != http.StatusOK:
		return answer.Data, fmt.Errorf("%s: %d %s", path, code, body)
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return answer.Data, err
	}
	if answer.Version == "" || answer.Stale == nil {
		return answer.Data, fmt.Errorf("%s says nothing of its version or of how old it is: %s", path, body)
	}
	return answer.Data, nil
}

type healthRow struct {
	Cluster, Namespace, Service, Name, State, Silence string
	FirstSeen                                         time.Time
	FailCount                                         int
	Services                                          int
}

// failingIs is a check for eventually: these services fail, as namespace/service.
func failingIs(s *server, want ...string) func() error {
	return func() error {
		rows, err := healthOf[[]healthRow](s, "failing")
		if err != nil {
			return err
		}
		var got []string
		for _, r := range rows {
			got = append(got, r.Namespace+"/"+r.Service)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("%q fail, and %q should", got, want)
		}
		return nil
	}
}

// firing returns the notifications about a namespace that said that it fires.
func (w *town) firing(namespace string) []notifiedAlert {
	var found []notifiedAlert
	for _, n := range w.sink.Notifications() {
		for _, a := range n.Alerts {
			if string(a.Labels["namespace"]) == namespace && a.Status == "firing" {
				found = append(found, a)
			}
		}
	}
	return found
}

// told is a check for eventually: one notification about a namespace, with that priority.
func (w *town) told(namespace, priority string) func() error {
	return func() error {
		switch found := w.firing(namespace); {
		case len(found) == 0:
			return fmt.Errorf("nobody was told of %s", namespace)
		case string(found[0].Labels["priority"]) != priority:
			return giveUp(fmt.Errorf("%s was told as %s", namespace, found[0].Labels))
		default:
			return nil
		}
	}
}

func TestHealthServiceFails(t *testing.T) {
	t.Parallel()
	town := newTown(t, 6)
	s := startServer(t, town.config())
	eventually(t, failingIs(s))
	summary, err := healthOf[map[string]int](s, "summary")
	require.NoError(t, err)
	assert.Equal(t, 7*15, summary["services"])
	assert.Equal(t, 7*15, summary["ok"])

	began := time.Now()
	town.fleet.Fail("env-0001", "orders", true)
	eventually(t, failingIs(s, "env-0001/orders"))
	eventually(t, town.told("env-0001", "P1"))
	assert.Less(t, time.Since(began), 2*healthInterval+30*time.Second, "two cycles, and what a busy machine needs")
	rows, err := healthOf[[]healthRow](s, "failing")
	require.NoError(t, err)
	assert.WithinDuration(t, began, rows[0].FirstSeen, time.Minute)
	assert.Positive(t, rows[0].FailCount)
	for path, want := range map[string]string{
		"/health": "orders", "/environments": "env-0001", "/clusters": rows[0].Cluster, "/services": "basket", "/service?name=orders": "env-0002",
		"/environment?cluster=" + rows[0].Cluster + "&namespace=env-0001": "orders", "/metrics": "tocsin_health_status{",
	} {
		code, body, err := s.get(path)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, code, path)
		assert.Contains(t, body, want, path)
	}

	// A reload that changes other things keeps what is known: since when, and how often.
	since, count := rows[0].FirstSeen, rows[0].FailCount
	s.Configure(strings.Replace(town.config(), "repeat_interval: 1h", "repeat_interval: 2h", 1))
	eventually(t, func() error {
		rows, err := healthOf[[]healthRow](s, "failing")
		if err == nil && (len(rows) != 1 || rows[0].FailCount < count+2 || !rows[0].FirstSeen.Equal(since)) {
			err = fmt.Errorf("%+v", rows)
		}
		return err
	})
	town.fleet.Fail("env-0001", "orders", false)
	eventually(t, failingIs(s))
	eventually(t, town.sink.said("HealthServicesFailing", "firing", "resolved"))
}

func TestHealthOneNotificationForAnEnvironment(t *testing.T) {
	t.Parallel()
	town := newTown(t, 6)
	town.passive["env-0002"] = true
	town.Write()
	s := startServer(t, town.config())
	eventually(t, failingIs(s))

	town.fleet.Fail("env-0001", "", true)
	town.fleet.Fail("env-0002", "", true)
	eventually(t, town.told("env-0001", "P1"))
	eventually(t, town.told("env-0002", "P2"))
	eventually(t, func() error {
		rows, err := healthOf[[]healthRow](s, "failing")
		if err == nil && (len(rows) != 30 || rows[0].FailCount < 3) {
			err = fmt.Errorf("%d fail", len(rows))
		}
		return err
	})
	alerts := s.Alerts(`alertname="HealthServicesFailing"`)
	assert.Len(t, alerts, 2, "one alert for each environment")
	assert.Len(t, town.firing("env-0001"), 1, "one notification")
	assert.Len(t, town.firing("env-0002"), 1, "one notification")
}

func TestHealthWithoutActivity(t *testing.T) {
	t.Parallel()
	town := newTown(t, 2)
	town.Quiet(0, false)
	s := startServer(t, town.config())
	quiet := func(want bool) func() error {
		return func() error {
			e, err := healthOf[healthEnvironment](s, "environments/cluster-q/quiet")
			if err == nil && (e.Silence != "") != want {
				err = fmt.Errorf("silenced: %v", e.Silence)
			}
			return err
		}
	}
	eventually(t, quiet(true))
	town.Quiet(0, true)
	eventually(t, func() error {
		for _, a := range s.Alerts(`alertname="HealthServicesFailing"`) {
			if a.Status.State == "suppressed" {
				return nil
			}
		}
		return fmt.Errorf("no alert is suppressed")
	})
	town.fleet.Fail("env-0000", "", true) // what is told later shows that this was not
	eventually(t, town.told("env-0000", "P1"))
	assert.Empty(t, town.firing("quiet"))
	for _, path := range []string{"/environment?cluster=cluster-q&namespace=quiet", "/health?cluster=cluster-q", "/environments?cluster=cluster-q"} {
		code, body, err := s.get(path)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, code)
		assert.Contains(t, body, "silenced: nobody uses it", "%s says why", path)
	}

	s.Stop() // and it stays so over a restart
	s.Start()
	eventually(t, quiet(true))
	eventually(t, failingCount(s, 30))
	assert.Empty(t, town.firing("quiet"))

	town.Quiet(3, true)
	eventually(t, town.told("quiet", "P1"))
	eventually(t, quiet(false))
}

// A healthEnvironment is what the API says of one environment.
type healthEnvironment struct{ Silence string }

func failingCount(s *server, want int) func() error {
	return func() error {
		rows, err := healthOf[[]healthRow](s, "failing")
		if err == nil && len(rows) != want {
			err = fmt.Errorf("%d fail, and %d should", len(rows), want)
		}
		return err
	}
}

func TestHealthEnvironmentsComeAndGo(t *testing.T) {
	t.Parallel()
	town := newTown(t, 3)
	s := startServer(t, town.config())
	names := func(want ...string) func() error {
		return func() error {
			rows, err := healthOf[[]healthRow](s, "environments")
			var got []string
			for _, r := range rows {
				got = append(got, r.Namespace)
			}
			slices.Sort(got)
			if err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("%q are there, and %q should be", got, want)
			}
			return err
		}
	}
	eventually(t, names("env-0000", "env-0001", "env-0002", "quiet"))
	town.fleet.Fail("env-0002", "", true)
	eventually(t, town.told("env-0002", "P1"))

	town.fleet.Add("env-new")
	town.fleet.Remove("env-0002")
	town.Write()
	eventually(t, names("env-0000", "env-0001", "env-new", "quiet"))
	eventually(t, func() error { // what is gone for good no longer fires
		if open := town.sink.Open(); len(open) > 0 {
			return fmt.Errorf("%d alerts are open", len(open))
		}
		return nil
	})
	hits, err := healthOf[[]healthRow](s, "search?q=new")
	require.NoError(t, err)
	require.Len(t, hits, 1)
	assert.Equal(t, "env-new", hits[0].Name)
}
