package opsgenie_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/notify/opsgenie"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

func TestHeartbeat(t *testing.T) {
	everywhere(t, opsgenietest.Options{}, func(t *testing.T, r *rig) {
		spec := opsgenie.HeartbeatSpec{Name: "tocsin a/b", Interval: 2 * time.Minute, Message: "tocsin is dead", Priority: "P1", Tags: []string{"x"}}
		require.NoError(t, r.client.Ping(t.Context(), "tocsin a/b"), "a ping to a missing one is answered all the same")
		assert.ErrorIs(t, r.client.EnsureHeartbeat(t.Context(), spec, false), opsgenie.ErrNoHeartbeat)
		require.NoError(t, r.client.EnsureHeartbeat(t.Context(), spec, true))
		h, err := r.client.Heartbeat(t.Context(), "tocsin a/b")
		require.NoError(t, err)
		assert.True(t, h.Enabled)
		assert.False(t, h.Expired)
		made := r.server.Heartbeats()[0]
		assert.Equal(t, 2*time.Minute, made.Interval)
		assert.Equal(t, "tocsin is dead", made.Message)
		assert.False(t, made.LastPing.IsZero(), "its clock was started")

		time.Sleep(3 * time.Minute)
		h, err = r.client.Heartbeat(t.Context(), "tocsin a/b")
		require.NoError(t, err)
		assert.True(t, h.Expired)
		require.Len(t, r.server.Open(), 1)
		assert.Equal(t, "tocsin is dead", r.server.Open()[0].Message)
		require.NoError(t, r.client.Ping(t.Context(), "tocsin a/b"))
		assert.Empty(t, r.server.Open())
	})
}

func TestHeartbeatSwitchedOff(t *testing.T) {
	everywhere(t, opsgenietest.Options{}, func(t *testing.T, r *rig) {
		r.server.PutHeartbeat(opsgenietest.Heartbeat{Name: "tocsin", Interval: time.Minute})
		spec := opsgenie.HeartbeatSpec{Name: "tocsin"}
		assert.ErrorContains(t, r.client.EnsureHeartbeat(t.Context(), spec, false), "switched off")
		require.NoError(t, r.client.EnsureHeartbeat(t.Context(), spec, true))
		assert.True(t, r.server.Heartbeats()[0].Enabled)
		assert.False(t, r.server.Heartbeats()[0].LastPing.IsZero())
	})
}

func TestHeartbeatPlan(t *testing.T) {
	everywhere(t, opsgenietest.Options{NoHeartbeats: true}, func(t *testing.T, r *rig) {
		err := r.client.HeartbeatSender(opsgenie.HeartbeatSpec{Name: "tocsin"}, true).Send(t.Context())
		assert.ErrorContains(t, err, "the plan does not include it")
	})
}

func TestHeartbeatSender(t *testing.T) {
	everywhere(t, opsgenietest.Options{}, func(t *testing.T, r *rig) {
		s := r.client.HeartbeatSender(opsgenie.HeartbeatSpec{Name: "tocsin"}, false)
		assert.ErrorIs(t, s.Send(t.Context()), opsgenie.ErrNoHeartbeat)
		r.server.PutHeartbeat(opsgenietest.Heartbeat{Name: "tocsin", Interval: 3 * time.Minute, Enabled: true})
		r.server.Forget()
		for range 60 {
			require.NoError(t, s.Send(t.Context()))
			time.Sleep(time.Minute)
		}
		assert.Len(t, r.server.Requests(), 61, "one for each ping, one an hour to verify")
		assert.False(t, r.server.Heartbeats()[0].Expired)

		r.server.Inject(opsgenietest.Fault{Match: opsgenietest.Reads, Times: 1, Status: 500})
		if !r.jsm {
			require.NoError(t, s.Send(t.Context()), "what was verified once is pinged while it cannot be verified")
		}
	})
}

// A key that may only ping is used for that.
func TestHeartbeatPingOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false, opsgenietest.Options{PingOnly: true})
		r.server.PutHeartbeat(opsgenietest.Heartbeat{Name: "tocsin", Interval: time.Minute, Enabled: true})
		require.NoError(t, r.client.HeartbeatSender(opsgenie.HeartbeatSpec{Name: "tocsin"}, true).Send(t.Context()))
		assert.False(t, r.server.Heartbeats()[0].LastPing.IsZero())
		last := r.server.Requests()[len(r.server.Requests())-1]
		assert.True(t, strings.HasSuffix(last.Path, "/v2/heartbeats/tocsin/ping"))
	})
}
