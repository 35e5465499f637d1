package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// restart has all servers end, and begin anew.
func (p paged) restart() {
	p.t.Helper()
	for _, w := range p.ways {
		w.s.Stop()
		w.s.Start()
	}
}

// downSaid are what the receivers were told of the source's being down, all of it.
func (p paged) downSaid(t *testing.T, want ...string) {
	t.Helper()
	for name, w := range p.ways {
		assert.Equal(t, want, w.sink.About("TocsinSourceDown"), name)
	}
}

// TestPullRestartedWhileAway restarts tocsin while its source is away: what it knew before counts, and
// is not told again.
func TestPullRestartedWhileAway(t *testing.T) { eachVMAlert(t, pullRestartedWhileAway) }

func pullRestartedWhileAway(t *testing.T, l *lab) {
	p := page(t, l)
	p.va.Kill()
	p.down(t, "firing")
	p.restart()
	p.asks("error", manyIntervals)
	p.unmoved(t, "Away")
	p.downSaid(t, "firing")

	p.va.Start()
	p.down(t, "resolved")
	eventually(t, p.va.lists(2))
	p.asks("ok", 2)
	p.unmoved(t, "Back")
	p.downSaid(t, "firing", "resolved")
	p.ends(t)
}

// TestPullRestartedWhileBlind restarts tocsin while its source answers, and sees nothing.
func TestPullRestartedWhileBlind(t *testing.T) { eachVMAlert(t, pullRestartedWhileBlind) }

func pullRestartedWhileBlind(t *testing.T, l *lab) {
	p := page(t, l)
	p.vm.Kill()
	p.down(t, "firing")
	p.restart()
	p.asks("ok", manyIntervals)
	p.unmoved(t, "Away")
	p.downSaid(t, "firing")

	p.vm.Start()
	p.down(t, "resolved")
	p.asks("ok", 2)
	p.unmoved(t, "Back")
	p.downSaid(t, "firing", "resolved")
	p.ends(t)
}

// TestPullRestartedTogether restarts tocsin and its source at once. The source counts anew for how long
// a condition has been true, so that an alert that fired is pending there when tocsin first asks.
func TestPullRestartedTogether(t *testing.T) { eachVMAlert(t, pullRestartedTogether) }

func pullRestartedTogether(t *testing.T, l *lab) {
	p := page(t, l)
	for _, w := range p.ways {
		w.s.Stop()
	}
	p.va.Kill()
	l.Rules(deepRule, strings.Replace(deepForRule, "for: 2s", "for: 30s", 1)) // long enough to be seen, on a busy machine too
	p.va.Start()
	eventually(t, p.va.lists(1))
	for _, w := range p.ways {
		w.s.Start()
	}
	p.asks("ok", 3)
	require.NoError(t, p.va.lists(1)(), "the other one is pending")
	p.unmoved(t, "Pending")
	eventually(t, p.va.lists(2))
	p.asks("ok", 2)
	p.unmoved(t, "Firing")
	p.ends(t)
}
