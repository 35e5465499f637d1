package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestIncidentsThroughRestarts has the server end while 2,000 incidents are being opened, and again while
// 800 of them are being closed. Afterwards what is open is what fires, and nothing was opened twice.
func TestIncidentsThroughRestarts(t *testing.T) {
	eachGenie(t, func(t *testing.T, g *genie) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(sig.String(), func(t *testing.T) { incidentsThroughRestarts(t, newGenie(t, g.jsm), sig) })
		}
	})
}

func incidentsThroughRestarts(t *testing.T, g *genie, sig syscall.Signal) {
	const total, ending = 2000, 800
	all := make([]model.LabelSet, total)
	for i := range all {
		all[i] = model.LabelSet{"alertname": "Storm", "n": model.LabelValue(strconv.Itoa(i))}
	}
	s := startServer(t, g.config("ops", "", ""))
	atLeast := func(n int) func() error {
		return func() error {
			if open := len(g.Open()); open < n {
				return fmt.Errorf("%d incidents are open", open)
			}
			return nil
		}
	}
	s.Push(each(all, firing)...)
	eventually(t, atLeast(total/4))
	s.end(sig)
	require.Less(t, len(g.Open()), total, "it ended in the middle")
	s.Start()
	eventually(t, g.opened(all...))

	s.Push(each(all[:ending], ended)...)
	eventually(t, func() error {
		if open := len(g.Open()); open > total-ending/4 {
			return fmt.Errorf("%d incidents are open", open)
		}
		return nil
	})
	s.end(sig)
	require.Greater(t, len(g.Open()), total-ending, "it ended in the middle")
	s.Start()
	eventually(t, g.opened(all[ending:]...))
	g.reconciled(s)
	require.NoError(t, g.opened(all[ending:]...)())

	again := 0
	for _, a := range g.Alerts() {
		again += a.Creates - 1
	}
	assert.Len(t, g.Alerts(), total, "an incident for each alert, and none opened anew")
	t.Logf("%d of %d creates were sent a second time", again, total)
	if sig == syscall.SIGTERM {
		assert.Zero(t, again, "what was under way was finished first")
	}
	assert.LessOrEqual(t, again, inFlight)
}

// TestClosedByHand has people close and acknowledge incidents of alerts that fire.
func TestClosedByHand(t *testing.T) {
	eachGenie(t, func(t *testing.T, g *genie) {
		s := startServer(t, g.config("ops", "reopen: {P1: always, P3: never}", ""))
		disk := model.LabelSet{"alertname": "Disk", "severity": "critical"}
		slow := model.LabelSet{"alertname": "Slow", "severity": "warning"}
		s.Push(firing(disk), firing(slow))
		eventually(t, g.opened(disk, slow))

		require.True(t, g.Close(g.incident(disk).Alias, "anna@example.org"))
		require.True(t, g.Close(g.incident(slow).Alias, "anna@example.org"))
		closed := time.Now()
		eventually(t, g.opened(disk))
		t.Logf("open again after %s", time.Since(closed))
		eventually(t, g.noted(disk, "Opened again, for it still fires"))
		eventually(t, s.explains(slow, "closed by anna@example.org at "))
		g.reconciled(s)
		require.NoError(t, g.opened(disk)(), "what is never opened again is left closed")
		assert.Equal(t, 2, g.incidents(disk))
		assert.Equal(t, 1, g.incidents(slow))

		require.True(t, g.Acknowledge(g.incident(disk).Alias, "otto@example.org"))
		eventually(t, s.explains(disk, "acknowledged by otto@example.org at "))
		require.True(t, g.Unacknowledge(g.incident(disk).Alias))
		eventually(t, func() error {
			if s.explains(disk, "acknowledged by")() == nil {
				return errors.New("it is still acknowledged")
			}
			return nil
		})

		s.Push(ended(disk), ended(slow))
		eventually(t, g.opened())
		s.Push(firing(slow)) // anew
		eventually(t, g.opened(slow))
		assert.Equal(t, 2, g.incidents(slow))
		assert.Equal(t, 2, g.incidents(disk), "nothing was opened by mistake")
	})
}

// explains is a check for eventually: tocsin explain says text of an alert.
func (s *server) explains(labels model.LabelSet, text string) func() error {
	return func() error {
		r := run(s.t, s.program, "explain", "--alertmanager.url=http://"+s.address, "alertname="+strconv.Quote(string(labels["alertname"])))
		if r.Code != 0 || !strings.Contains(r.Stdout, text) {
			return fmt.Errorf("explain does not say %q: %s%s", text, r.Stdout, r.Stderr)
		}
		return nil
	}
}

// TestWebhookOfTheService closes an incident by hand while the next comparison is far away, and has the
// service say so.
func TestWebhookOfTheService(t *testing.T) {
	eachGenie(t, func(t *testing.T, g *genie) {
		s := startServer(t, strings.Replace(g.config("ops", "", ""), "reconcile_interval: 1s", "reconcile_interval: 1h", 1))
		disk := named("Disk")
		s.Push(firing(disk))
		eventually(t, g.opened(disk))
		in := g.incident(disk)
		require.True(t, g.Close(in.Alias, "anna@example.org"))
		hook := func(receiver, payload string) int {
			code, body, err := s.do(http.MethodPost, "/api/v1/opsgenie/"+receiver, payload)
			require.NoError(t, err)
			t.Logf("%d %s", code, body)
			return code
		}
		payload := fmt.Sprintf(`{"action": "Close", "alert": {"alertId": %q, "alias": %q, "tags": [%q, %q]}}`, in.ID, in.Alias, in.Tags[0], in.Tags[1])
		assert.Equal(t, http.StatusNotFound, hook("nobody", payload))
		assert.Equal(t, http.StatusBadRequest, hook("ops", "{"))
		assert.Equal(t, http.StatusBadRequest, hook("ops", fmt.Sprintf(`{"action": "Close", "pad": %q}`, make([]byte, 2<<20))))
		eventually(t, func() error { // the outcome of the create is known a moment after it is open
			assert.Equal(t, http.StatusAccepted, hook("ops", payload))
			return g.opened(disk)()
		})
		eventually(t, g.noted(disk, "Opened again"))
		s.Push(ended(disk))
		eventually(t, g.opened())
		assert.Equal(t, http.StatusAccepted, hook("ops", payload), "a lie opens nothing")
		rest := named("Rest")
		s.Push(firing(rest))
		eventually(t, g.opened(rest))
	})
}
