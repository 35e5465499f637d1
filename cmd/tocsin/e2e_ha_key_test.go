package main_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRepetitionHasItsKey kills a leader that has told a receiver, and has no answer yet: the next leader cannot
// know, and tells it again. A receiver that keeps the keys knows it for the same.
func TestRepetitionHasItsKey(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	c := newCluster(t, program(t), "postgres", 2, groupConfig(sink.URL, "1h"), "")
	old := c.servers[c.Leader()]
	sink.Answer(http.StatusOK, 5*patience)
	old.Push(firing(ofGroup("g", 1)))
	eventually(t, func() error { return atLeast(len(sink.Notifications()), 1) })
	sink.Answer(http.StatusOK, 0)
	old.Kill()
	fresh := c.AwaitLeader(old)
	eventually(t, func() error { return atLeast(len(sink.Notifications()), 2) })

	told := sink.Tally()
	assert.Equal(t, 1, told.again)
	assert.Equal(t, 1, told.keyed)
	fresh.Push(ended(ofGroup("g", 1)))
	eventually(t, func() error { return atLeast(len(sink.Notifications()), 3) })
	all := sink.Notifications()
	require.Len(t, all, 3)
	assert.NotEqual(t, all[0].Key, all[2].Key)
	<-time.After(2 * time.Second) // two group intervals
	assert.Len(t, sink.Notifications(), 3)
}
