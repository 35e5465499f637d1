package main_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quickConfig tells a receiver named ops of each alertname by itself, and repeats nothing.
func quickConfig(url string) string {
	return fmt.Sprintf(`
route: {receiver: ops, group_by: [alertname], group_wait: 100ms, group_interval: 500ms, repeat_interval: 24h}
receivers:
- name: ops
  webhook_configs: [{url: %q}]
`, url)
}

func named(alertname string) model.LabelSet {
	return model.LabelSet{model.AlertNameLabel: model.LabelValue(alertname)}
}

// rounds lets two flushes of every group pass whose timers are like those of a clock that is told to a
// sink: that it fires, and that it has ended. What was to be said of others by then has been said, and
// is recorded.
func rounds(t *testing.T, s *server, sink *sink, clock model.LabelSet) {
	t.Helper()
	name := string(clock[model.AlertNameLabel])
	s.Push(firing(clock))
	eventually(t, sink.said(name, "firing"))
	s.Push(ended(clock))
	eventually(t, sink.said(name, "firing", "resolved"))
}

func (s *server) suppressed(alertname string) func() error {
	return func() error {
		fp := named(alertname).Fingerprint().String()
		if state := s.Alerts()[fp].Status.State; state != "suppressed" {
			return fmt.Errorf("%s is %q, and should be suppressed", alertname, state)
		}
		return nil
	}
}

func TestPageSilenceResolve(t *testing.T) {
	t.Parallel()

	// page tells of an alert and silences it.
	page := func(t *testing.T) (*server, *sink, string) {
		sink := newSink(t)
		s := startServer(t, quickConfig(sink.URL))
		s.Push(firing(named("Disk")))
		eventually(t, sink.said("Disk", "firing"))
		id := s.Silence(silencing(model.AlertNameLabel, "Disk", time.Hour))
		eventually(t, s.suppressed("Disk"))
		return s, sink, id
	}

	t.Run("the end is told although it is silenced", func(t *testing.T) {
		s, sink, _ := page(t)
		rounds(t, s, sink, named("Clock"))
		s.Push(ended(named("Disk")))
		eventually(t, sink.said("Disk", "firing", "resolved"))
	})

	for name, end := range map[string]func(*server){"SIGTERM": (*server).Stop, "SIGKILL": (*server).Kill} {
		t.Run("and after a restart by "+name, func(t *testing.T) {
			s, sink, id := page(t)
			rounds(t, s, sink, named("Watch"))
			end(s)
			s.Start()
			require.Equal(t, "active", s.Silences()[id].Status.State)
			require.NoError(t, s.suppressed("Disk")())
			s.Push(firing(named("Disk")))
			rounds(t, s, sink, named("Clock"))
			assert.Equal(t, []string{"firing"}, sink.About("Disk"))
			s.Push(ended(named("Disk")))
			eventually(t, sink.said("Disk", "firing", "resolved"))
		})
	}

	t.Run("a silence that ends is no news", func(t *testing.T) {
		s, sink, id := page(t)
		rounds(t, s, sink, named("Clock1"))
		s.Expire(id)
		rounds(t, s, sink, named("Clock2"))
		assert.Equal(t, []string{"firing"}, sink.About("Disk"))
		s.Push(ended(named("Disk")))
		eventually(t, sink.said("Disk", "firing", "resolved"))
	})

	t.Run("what was silenced from the start is told when the silence ends", func(t *testing.T) {
		sink := newSink(t)
		s := startServer(t, quickConfig(sink.URL))
		id := s.Silence(silencing(model.AlertNameLabel, "Disk", time.Hour))
		s.Push(firing(named("Disk")))
		eventually(t, s.suppressed("Disk"))
		rounds(t, s, sink, named("Clock"))
		assert.Empty(t, sink.About("Disk"))
		s.Signal(syscall.SIGHUP) // a reload changes nothing of that
		rounds(t, s, sink, named("Watch"))
		assert.Empty(t, sink.About("Disk"))
		s.Expire(id)
		eventually(t, sink.said("Disk", "firing"))
	})
}
