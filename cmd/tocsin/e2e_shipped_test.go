package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Fifteen services of one environment fail: one notification, P1; in a passive one: P2; in one that nobody uses: none,
// and its page says why, until somebody does. All of it runs by the configurations of the manifests in
// examples/kubernetes, with a webhook and Opsgenie; and beside it vmalert evaluates examples/rules over what the agent
// wrote, and the server of examples/configs/health-by-vmalert.yml tells the same.
func TestHealthAsShipped(t *testing.T) {
	t.Parallel()
	x := newShipped(t)
	for _, side := range x.sides {
		eventually(t, side.silenced(true))
	}
	x.fleet.Fail("env-0001", "", true)
	x.fleet.Fail("env-0002", "", true)
	x.Quiet(0, true)
	for _, side := range x.sides {
		eventually(t, side.told("env-0001", "P1"))
		eventually(t, side.told("env-0002", "P2"))
		eventually(t, side.suppressed)
		eventually(t, failingCount(side.server, 3*15))
		assert.Empty(t, side.sink.within("quiet"), side.name)
		assert.Empty(t, side.genie.within("quiet"), side.name)
		for _, page := range []string{"/environment?cluster=cluster-q&namespace=quiet", "/health?cluster=cluster-q", "/environments?cluster=cluster-q"} {
			code, body, err := side.get(page)
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, code)
			assert.Contains(t, body, "silenced: nobody uses it", "%s of %s says why", page, side.name)
		}
	}

	x.Quiet(3, true)
	for _, side := range x.sides {
		eventually(t, side.told("quiet", "P1"))
		eventually(t, side.silenced(false))
		for _, namespace := range []string{"env-0001", "env-0002", "quiet"} {
			assert.Equal(t, []string{"firing"}, side.sink.within(namespace), "%s: one notification about %s", side.name, namespace)
			assert.Len(t, side.genie.within(namespace), 1, "%s: one incident about %s", side.name, namespace)
		}
	}
	assert.Equal(t, x.sides[0].labels(), x.sides[1].labels(), "the same is told by both, but for what vmalert adds")

	x.fleet.Fail("env-0001", "", false)
	x.fleet.Fail("env-0002", "", false)
	x.Quiet(3, false)
	for _, side := range x.sides {
		eventually(t, func() error {
			if open, incidents := len(side.sink.Open()), len(side.genie.Open()); open+incidents > 0 {
				return fmt.Errorf("%s: %d alerts and %d incidents are open", side.name, open, incidents)
			}
			return nil
		})
		for _, namespace := range []string{"env-0001", "env-0002", "quiet"} {
			assert.Equal(t, []string{"firing", "resolved"}, side.sink.within(namespace), "%s: %s", side.name, namespace)
		}
	}
}

// What ships for vmalert is what it takes; what is no rule is refused.
func TestVMAlertTakesTheRules(t *testing.T) {
	t.Parallel()
	vmalert := newerPart(t, "vmalert")
	files, err := filepath.Glob(filepath.Join("..", "..", "examples", "rules", "*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		assert.Zero(t, run(t, vmalert, "-dryRun", "-rule="+file).Code, file)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		bad := filepath.Join(t.TempDir(), "bad.yml")
		require.NoError(t, os.WriteFile(bad, []byte(strings.ReplaceAll(string(text), "| stats by", "| uniq by")), 0o600))
		assert.NotZero(t, run(t, vmalert, "-dryRun", "-rule="+bad).Code)
	}
}

// labels are those of each alert about failing services that was told to fire, without what vmalert adds, sorted.
func (s *side) labels() []string {
	var all []string
	for _, n := range s.sink.Notifications() {
		for _, a := range n.Alerts {
			if a.Status != "firing" || a.Labels["alertname"] != "HealthServicesFailing" {
				continue // an agent that a busy machine was too slow for
			}
			labels := a.Labels.Clone()
			delete(labels, "alertgroup")
			delete(labels, "stats_result")
			all = append(all, labels.String())
		}
	}
	slices.Sort(all)
	return all
}
