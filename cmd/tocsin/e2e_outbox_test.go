package main_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestReceiverAway has a receiver refuse everything while the server is killed. What was to be told
// is told when the receiver is back, once, and what is told to another receiver is not held up.
func TestReceiverAway(t *testing.T) {
	t.Parallel()
	ops, db := newSink(t), newSink(t)
	ops.Answer(http.StatusInternalServerError, 0)
	s := startServer(t, withDatabaseTeam(ops, db, "db"))
	s.Push(firing(named("Disk")), firing(ofDatabaseTeam("Locks")))
	awaitRefused(t, ops, 1) // and again and again, until it is back
	eventually(t, db.said("Locks", "firing"))
	rounds(t, s, db, ofDatabaseTeam("Clock"))

	s.Kill()
	s.Start()
	s.Push(ended(ofDatabaseTeam("Locks")))
	eventually(t, db.said("Locks", "firing", "resolved"))
	assert.Empty(t, ops.About("Disk"))
	ops.Answer(http.StatusOK, 0)
	eventually(t, ops.said("Disk", "firing"))
	rounds(t, s, ops, named("Watch"))
	assert.Equal(t, []string{"firing"}, ops.About("Disk"))
	s.Push(ended(named("Disk")))
	eventually(t, ops.said("Disk", "firing", "resolved"))
}

// TestAcceptedAndKilled has the server killed after the receiver accepted and before it could be
// noted, and the alert end before the receiver is there again: it may know of the alert, so it is
// told of the end.
func TestAcceptedAndKilled(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	sink.Answer(http.StatusOK, patience)
	s := startServer(t, quickConfig(sink.URL))
	s.Push(firing(named("Disk")))
	eventually(t, sink.said("Disk", "firing"))
	s.Kill()
	sink.Answer(http.StatusInternalServerError, 0)
	s.Start()
	awaitRefused(t, sink, 1)
	s.Push(ended(named("Disk")))
	awaitRefused(t, sink, 2) // one may have been under way
	sink.Answer(http.StatusOK, 0)
	eventually(t, sink.said("Disk", "firing", "resolved"))
}

// awaitRefused returns when the sink has refused so many more notifications.
func awaitRefused(t *testing.T, sink *sink, more int) {
	t.Helper()
	want := sink.Refused() + more
	eventually(t, func() error {
		if got := sink.Refused(); got < want {
			return fmt.Errorf("the receiver was asked %d times, and should be asked %d times", got, want)
		}
		return nil
	})
}
