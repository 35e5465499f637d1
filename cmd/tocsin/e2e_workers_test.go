package main_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Of three workers one is killed with -9 in the midst of a cycle, and one is paused there for longer than it may have
// its tasks, and goes on: the version in which that happened is finished by the one that is left, no task of it is
// lost, and none counts twice.
func TestHealthWorkersKilledAndPaused(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	_, others := c.Publisher()
	killed, paused := others[0], others[1]
	version := c.Hold(killed, paused)
	killed.Kill()
	require.NoError(t, paused.cmd.Process.Signal(syscall.SIGSTOP))
	paused.Open()
	_, before, _ := paused.Counts()

	eventually(t, c.published(version))
	require.NoError(t, paused.cmd.Process.Signal(syscall.SIGCONT))
	eventually(t, c.changing(working(paused, before+1)))
	eventually(t, c.whole)
	require.NoError(t, c.ledger.Check())
}

// The publisher is paused in the midst of a cycle for longer than its lease: another takes over, and when the first one
// goes on it is refused. Then the second is killed with -9 in the midst of a cycle, and a third version of the lease is
// won. At no time do two of them write.
func TestHealthPublisherPausedAndKilled(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	first, _ := c.Publisher()
	abandoned := c.Hold(first)
	generation := c.Last().Generation
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGSTOP))
	first.Open()
	taken := func() error {
		if c.Last().Generation <= generation {
			return fmt.Errorf("nobody took over from generation %d", generation)
		}
		return nil
	}
	eventually(t, c.changing(taken))
	second, _ := c.Publisher()
	require.NotSame(t, first, second)
	generation = c.Last().Generation
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGCONT))
	_, before, _ := first.Counts()
	eventually(t, c.changing(working(first, before)))

	lost := c.Hold(second)
	second.Kill()
	eventually(t, c.changing(taken))
	eventually(t, c.whole)
	require.NoError(t, c.ledger.Check())
	for _, p := range c.ledger.Published() {
		assert.NotContains(t, []string{abandoned, lost}, p.ID, "its publisher was paused or killed before it was done")
	}
}
