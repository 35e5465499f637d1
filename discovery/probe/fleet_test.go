package probe

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/examples/fleet"
)

// From endpoints to alerts: what fails is an alert after one cycle, an environment that comes is found, one
// that goes leaves, and when everything is unreachable at once nothing is reported down.
func TestFleetToAlerts(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	f := fleet.New(fleet.Options{Environments: 4, Services: 15, Largest: 8 << 10, Calm: true, Clock: clock})
	srv := httptest.NewServer(f)
	defer srv.Close()
	base := srv.URL
	p, err := New(func() []discovery.Target { return f.Targets(base) }, Options{Agent: "a", PerHost: 16})
	require.NoError(t, err)
	defer p.client.CloseIdleConnections()
	board, err := discovery.NewBoard(discovery.BoardOptions{Clock: clock})
	require.NoError(t, err)
	cycle := func() []string {
		now = now.Add(30 * time.Second)
		board.Observe(now, p.Cycle(t.Context(), 0))
		s, err := board.Alerts(t.Context())
		require.NoError(t, err)
		out := []string{}
		for _, a := range s.Alerts {
			out = append(out, string(a.Labels["namespace"])+": "+string(a.Annotations["services"]))
		}
		return out
	}
	assert.Empty(t, cycle())
	f.Fail("env-0002", "", true)
	assert.Equal(t, []string{"env-0002: " + strings.Join(f.Services(), ",")}, cycle(), "fifteen services are one alert")
	f.Add("env-new")
	f.Fail("env-0002", "", false)
	f.Fail("env-new", "orders", true)
	assert.Equal(t, []string{"env-new: orders"}, cycle())
	assert.Len(t, board.Environments(), 5)
	assert.NotEmpty(t, board.Entities())
	f.Remove("env-new")
	assert.Empty(t, cycle())
	assert.Len(t, board.Environments(), 4)

	srv.CloseClientConnections()
	srv.Close()
	f.Fail("env-0001", "", true)
	two := f.Targets(base)
	for i := range two { // so that there is more than one host, and none of them answers
		if i%2 == 0 {
			two[i].URL = strings.Replace(two[i].URL, "127.0.0.1", "localhost", 1)
		}
	}
	p.targets = func() []discovery.Target { return two }
	assert.Empty(t, cycle())
	assert.Len(t, board.Environments(), 4)
}
