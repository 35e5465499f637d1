package main_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A clockwork is a server whose clock leaps, with everything that depends on time: alerts that are pushed and
// asked for, held and explained, silenced for half an hour, and a heartbeat.
type clockwork struct {
	t *testing.T
	*server
	sink  *sink
	watch *watchman
	ahead time.Duration   // of the server's clock, and of those of all senders
	open  map[string]bool // that is to be open at the receiver
	alive []alert         // that their sender repeats
	n     int
}

const clockConfig = `
global: {resolve_timeout: 5m}
route: {receiver: ops, group_by: [alertname], group_wait: 300ms, group_interval: 1s, repeat_interval: 24h}
receivers:
- name: ops
  webhook_configs: [{url: %q}]
tocsin:
  severities: {critical: {page: true}, warning: {page: true}}
  sources:
  - {name: lab, type: vmalert, interval: 1s, urls: [%q]}
  dependencies:
  - {name: wait, cause: ['alertname="Cause"'], impact: ['alertname=~"Impact.*"'], on: [n], hold_back: 2s}
  transients: {hold: {warning: 2s}}
  heartbeats:
  - {url: "%s/server", interval: 1s}
`

func newClockwork(t *testing.T) *clockwork {
	t.Helper()
	c := &clockwork{t: t, sink: newSink(t), watch: newWatchman(t), open: map[string]bool{}}
	source := newLiar(t, "vmalert")
	source.Says("Asked", listed("Asked"))
	c.server = newServer(t, fmt.Sprintf(clockConfig, c.sink.URL, source.URL, c.watch.URL))
	c.Start()
	c.expect(named("Asked"))
	for i := range 5 {
		c.fire(c.firing(severe("Explicit", "none", i)))
		c.fire(lasting(severe("Implicit", "none", i))) // until resolve_timeout
	}
	c.Silence(silencing("alertname", "Silenced", 30*time.Minute))
	c.Silence(silencing("alertname", "SilencedLonger", 3*time.Hour))
	c.Push(alert{Labels: named("Silenced"), EndsAt: c.now().Add(5 * time.Hour)}, alert{Labels: named("SilencedLonger"), EndsAt: c.now().Add(5 * time.Hour)})
	c.told()
	return c
}

func (c *clockwork) now() time.Time { return time.Now().Add(c.ahead) }

// firing is an alert that began long ago, and ends after a while unless it is sent again, as vmalert sends it.
func (c *clockwork) firing(labels model.LabelSet) alert {
	return alert{Labels: labels, StartsAt: c.now().Add(-3 * time.Hour), EndsAt: c.now().Add(4 * time.Minute)}
}

// end has alerts end, and their receiver told.
func (c *clockwork) end(alerts ...alert) {
	c.t.Helper()
	for _, a := range alerts {
		a.EndsAt = c.now()
		c.Push(a)
		delete(c.open, a.Labels.Fingerprint().String())
	}
	c.told()
}

func (c *clockwork) expect(labels model.LabelSet) { c.open[labels.Fingerprint().String()] = true }

// fire pushes an alert of which the receiver is to be told.
func (c *clockwork) fire(a alert) {
	c.Push(a)
	c.alive = append(c.alive, a)
	c.expect(a.Labels)
}

// told waits until all that is to be open is so, and nothing else.
func (c *clockwork) told() {
	c.t.Helper()
	eventually(c.t, func() error {
		err := c.sink.opened(c.open)()
		if err != nil {
			c.sink.mu.Lock()
			defer c.sink.mu.Unlock()
			err = fmt.Errorf("%w: open are %v", err, slices.Collect(maps.Values(c.sink.open)))
		}
		return err
	})
}

// quiet returns when nothing was told for some rounds of all groups.
func (c *clockwork) quiet() {
	c.t.Helper()
	before := -1
	eventually(c.t, func() error {
		if now := len(c.sink.Notifications()); now != before {
			before = now
			<-time.After(2 * time.Second)
			return errors.New("somebody is being told")
		}
		return nil
	})
}

// works has a little of everything happen after a leap of the clock: what began before it goes on, what is
// new is told, and what ends is told to have ended.
func (c *clockwork) works(name string) {
	c.t.Helper()
	c.n++
	fresh := []alert{lasting(severe(name, "none", c.n)), c.firing(severe(name+"Held", "warning", c.n)), c.firing(severe("Impact"+name, "none", c.n))}
	for _, a := range fresh {
		c.fire(a)
	}
	c.told()
	c.alive = c.alive[:len(c.alive)-len(fresh)]
	c.end(fresh...)
	c.watch.hears(c.t, "/server")
	require.NoError(c.t, isReady(c.server))
}

// about returns what was told in an epoch, but for alerts of these names: status and name.
func (c *clockwork) about(epoch int, but ...string) []string {
	var said []string
	for _, n := range c.sink.Notifications() {
		for _, a := range n.Alerts {
			name := string(a.Labels[model.AlertNameLabel])
			if n.Epoch == epoch && !slices.Contains(but, name) {
				said = append(said, a.Status+" "+name)
			}
		}
	}
	return said
}

// repeat has the senders send everything again, by clocks that leapt with the server's.
func (c *clockwork) repeat() {
	var again []alert
	for _, a := range c.alive {
		if !a.EndsAt.IsZero() {
			a.EndsAt = c.now().Add(4 * time.Minute)
		}
		again = append(again, a)
	}
	c.Push(again...)
}

// TestClockLeaps sets the wall clock of a running server an hour ahead, back, and an hour behind.
func TestClockLeaps(t *testing.T) {
	t.Parallel()
	c := newClockwork(t)
	for _, leap := range []struct {
		name  string
		ahead time.Duration
		heard model.LabelSet // that is not silenced at that time
	}{
		{"Ahead", time.Hour, named("Silenced")},
		{"Back", 0, nil},
		{"Behind", -time.Hour, named("SilencedLonger")}, // its silence begins in an hour
	} {
		c.quiet()
		// What begins just before the leap waits for what it would have waited for.
		c.fire(c.firing(severe("Before"+leap.name, "none", 0)))
		c.fire(c.firing(severe("Held"+leap.name, "warning", 0)))
		c.fire(c.firing(severe("Impact"+leap.name, "none", 0)))
		epoch := c.sink.NextEpoch()
		c.ahead = leap.ahead
		c.SetClock(c.ahead)
		if leap.heard != nil {
			c.expect(leap.heard)
		}
		c.told()
		c.repeat()
		c.quiet()
		c.told()
		assert.Empty(t, c.about(epoch, "Before"+leap.name, "Held"+leap.name, "Impact"+leap.name, string(leap.heard["alertname"])),
			"told because the clock leapt: %s", leap.name)
		c.works(leap.name)
	}
	c.ends()
}

// ends has everything end that was pushed: the receiver is told.
func (c *clockwork) ends() {
	c.t.Helper()
	c.end(c.alive...)
	c.end(alert{Labels: named("Silenced")}, alert{Labels: named("SilencedLonger")})
	require.Equal(c.t, map[string]bool{named("Asked").Fingerprint().String(): true}, c.open)
}

// TestClockLeapsBetweenStarts does so while the server is down.
func TestClockLeapsBetweenStarts(t *testing.T) {
	t.Parallel()
	c := newClockwork(t)
	heard := []model.LabelSet{named("Silenced"), nil, named("SilencedLonger")}
	for i, ahead := range []time.Duration{time.Hour, 0, -time.Hour} {
		c.quiet()
		name := fmt.Sprint("Restart", i)
		c.fire(c.firing(severe("Before"+name, "none", 0)))
		c.fire(c.firing(severe("Held"+name, "warning", 0)))
		epoch := c.sink.NextEpoch()
		c.Kill()
		c.ahead = ahead
		c.StartAt(c.ahead)
		if heard[i] != nil {
			c.expect(heard[i])
		}
		c.told()
		c.repeat()
		c.quiet()
		c.told()
		assert.Empty(t, c.about(epoch, "Before"+name, "Held"+name, string(heard[i]["alertname"])), "told because the clock leapt: %s", ahead)
		c.works(name)
	}
	c.ends()
}
