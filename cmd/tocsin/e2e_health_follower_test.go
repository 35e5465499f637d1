package main_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery/vlogs/vlogstest"
)

// TestHealthOfFollower asks the one of two servers how services are that does not lead, and has it take over
// from the other one: no agent is told as down that was heard before, and nothing is told twice.
func TestHealthOfFollower(t *testing.T) {
	t.Parallel()
	logs, url := vlogstest.Start(t), newDatabase(t, "postgres")
	town := newTown(t, 2)
	health := fmt.Sprintf("    probe: {interval: %s, timeout: 1900ms, per_host: 64}\n    victorialogs: {url: %q}\n", healthInterval, logs.URL)
	config := groupConfig(town.sink.URL, "1h") +
		"tocsin:\n  storage: {dsn: " + strconv.Quote(url) + "}\n  health:\n" + health
	c := &cluster{t: t, down: make([]atomic.Bool, 2)}
	for range 2 {
		s := newServer(t, config)
		s.client.Timeout = 15 * time.Second
		s.Start()
		c.servers = append(c.servers, s)
	}
	agent := newServer(t, fmt.Sprintf("tocsin:\n  health:\n    agent: one\n    target_files: [%q]\n", town.file)+health)
	startProcess(t, program(t), "agent", "--config.file="+agent.config, "--web.listen-address=127.0.0.1:0", "--storage.path="+agent.storage)

	leader := c.Leader()
	other := c.servers[1-leader]
	eventually(t, failingIs(other))
	town.fleet.Fail("env-0001", "orders", true)
	eventually(t, failingIs(other, "env-0001/orders"))
	eventually(t, town.sink.said("HealthServicesFailing", "firing"))
	for _, path := range []string{"/health", "/services", "/service?name=orders"} {
		code, body, err := other.get(path)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, code, path)
		assert.Contains(t, body, "orders", path)
	}

	c.servers[leader].Kill()
	c.down[leader].Store(true)
	eventually(t, func() error {
		if !other.leads() {
			return fmt.Errorf("it does not lead yet")
		}
		return nil
	})
	eventually(t, failingIs(other, "env-0001/orders"))
	town.fleet.Fail("env-0001", "orders", false)
	eventually(t, town.sink.said("HealthServicesFailing", "firing", "resolved"))
	assert.Empty(t, town.sink.About("TocsinAgentDown"))
}
