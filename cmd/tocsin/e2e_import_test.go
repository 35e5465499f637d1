package main_test

import (
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestImportsAlertmanagerState swaps the binary under a folder in which Alertmanager worked.
func TestImportsAlertmanagerState(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	s := newServer(t, quickConfig(sink.URL))
	s.program = debianProgram(t, "prometheus-alertmanager")
	s.Start()
	told := []string{"Disk", "Locks", "Gone", "Muted"}
	for _, name := range told {
		s.Push(firing(named(name)))
		eventually(t, sink.said(name, "firing"))
	}
	s.Silence(silencing(model.AlertNameLabel, "Muted", time.Hour))
	expired := s.Silence(silencing(model.AlertNameLabel, "Expired", time.Hour))
	s.Expire(expired)
	planned := silencing("room", "2|3", time.Hour)
	planned.StartsAt, planned.Matchers[0].IsRegex, planned.Matchers[0].IsEqual = planned.StartsAt.Add(time.Minute), true, false
	s.Silence(planned)
	silences := s.Silences()
	s.Stop() // it writes its state then

	s.program = program(t)
	s.Start()
	assert.Equal(t, silences, s.Silences())
	// Gone is never pushed again while it fires: its sender only says that it has ended.
	s.Push(firing(named("Disk")), firing(named("Locks")), firing(named("Muted")))
	rounds(t, s, sink, named("Clock"))
	for _, name := range told {
		assert.Equal(t, []string{"firing"}, sink.About(name), "told again")
	}
	s.Push(ended(named("Disk")), ended(named("Muted")), ended(named("Gone")))
	for _, name := range []string{"Disk", "Muted", "Gone"} {
		eventually(t, sink.said(name, "firing", "resolved"))
	}

	// It is imported once: what happened since is not undone by the files, which are still there.
	for id, sil := range silences {
		if sil.Status.State == "active" {
			s.Expire(id)
		}
	}
	silences = s.Silences()
	s.Kill()
	s.Start()
	require.Equal(t, silences, s.Silences())
	s.Push(firing(named("Locks")))
	rounds(t, s, sink, named("Watch"))
	assert.Equal(t, []string{"firing"}, sink.About("Locks"))
	s.Push(ended(named("Locks")))
	eventually(t, sink.said("Locks", "firing", "resolved"))
}
