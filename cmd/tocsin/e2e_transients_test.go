package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// transientsConfig is quickConfig with what else follows tocsin:, and two severities that page.
func transientsConfig(url, more string) string {
	return quickConfig(url) + "tocsin:\n  severities: {critical: {page: true}, warning: {page: true}, info: {page: false}}\n" + more
}

func severe(alertname, severity string, n int) model.LabelSet {
	return model.LabelSet{"alertname": model.LabelValue(alertname), "severity": model.LabelValue(severity), "n": model.LabelValue(fmt.Sprint(n))}
}

// kills has something fire and end at once, so many times.
func kills(s *server, labels model.LabelSet, times int) {
	for range times {
		s.Push(firing(labels))
		s.Push(ended(labels))
	}
}

// firings counts the notifications that tell that an alert fires, apart from those that follow one another.
func (s *sink) firings(alertname string) int {
	n, open := 0, false
	for _, said := range s.About(alertname) {
		if said == "firing" && !open {
			n++
		}
		open = said == "firing"
	}
	return n
}

// transients is a check for eventually: an alert that stands for so many transients is open.
func (s *sink) transients(count int) func() error {
	return func() error {
		last := ""
		for _, n := range s.Notifications() {
			for _, a := range n.Alerts {
				if a.Labels["transient"] == "true" && a.Status == "firing" {
					last = string(a.Annotations["transients"])
				}
			}
		}
		if last != fmt.Sprint(count) {
			return fmt.Errorf("%q transients were told, and should be %d", last, count)
		}
		return nil
	}
}

// TestOOMKillsOfHighestSeverity flaps: the first occurrences are pages, the others are one that stays open. (What
// is noted in an hour, alarm.TestOOMKills shows.)
func TestOOMKillsOfHighestSeverity(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	s := startServer(t, transientsConfig(sink.URL, "  flap: {half_life: 15m, min: 10m}\n"))
	oom := severe("OOMKilled", "critical", 0)
	for range 10 {
		s.Push(firing(oom))
		rounds(t, s, sink, named(fmt.Sprintf("Clock%d", time.Now().UnixNano())))
		s.Push(ended(oom))
	}
	assert.LessOrEqual(t, sink.firings("OOMKilled"), 2)
	assert.Positive(t, sink.firings("OOMKilled"))
}

// TestOOMKillsWithHold: none is told by itself, and one notification has the count, across kill -9.
func TestOOMKillsWithHold(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	s := startServer(t, transientsConfig(sink.URL, "  transients: {hold: {warning: 10m}, promote: {count: 10, within: 1h}}\n"))
	oom := severe("OOMKilled", "warning", 0)
	kills(s, oom, 6)
	s.Kill()
	s.Start()
	kills(s, oom, 4)
	eventually(t, sink.transients(10))
	rounds(t, s, sink, named("Clock"))
	assert.Equal(t, []string{"firing"}, sink.About("OOMKilled"))
}

// TestHoldSurvives: what is held when the server is killed is told when its time has come.
func TestHoldSurvives(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	s := startServer(t, transientsConfig(sink.URL, "  transients: {hold: {warning: 15s}}\n"))
	s.Push(firing(severe("Slow", "warning", 0)), firing(severe("Gone", "warning", 0)), firing(severe("Down", "critical", 0)))
	eventually(t, sink.said("Down", "firing"))
	assert.Empty(t, sink.About("Slow"))
	s.Kill()
	s.Start()
	s.Push(ended(severe("Gone", "warning", 0)))
	eventually(t, sink.said("Slow", "firing"))
	assert.Empty(t, sink.About("Gone"))
}

// TestFloodIsOne: beyond three pages all are one more alert, which a kill -9 leaves as it is, and which ends with
// what it stands for.
func TestFloodIsOne(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	s := startServer(t, transientsConfig(sink.URL, "  flood: {pages: 3, within: 10m}\n"))
	var down []model.LabelSet
	for n := range 40 {
		down = append(down, severe("Down", "warning", n))
	}
	s.Push(each(down[:30], firing)...)
	eventually(t, sink.said("TocsinFlood", "firing"))
	s.Kill()
	s.Start()
	s.Push(each(down[30:], firing)...)
	rounds(t, s, sink, severe("Clock0", "info", 0)) // which pages nobody, and so joins no flood
	require.LessOrEqual(t, len(sink.Open()), 5)     // three pages, the flood, and at most a clock
	s.Push(each(down, ended)...)
	eventually(t, func() error {
		if open := sink.Open(); len(open) > 0 {
			return fmt.Errorf("%d alerts are open", len(open))
		}
		return nil
	})
	told := map[string]bool{}
	for _, n := range sink.Notifications() {
		for _, a := range n.Alerts {
			if strings.HasPrefix(string(a.Labels["alertname"]), "Down") {
				told[a.Fingerprint] = true
			}
		}
	}
	if !assert.LessOrEqual(t, len(told), 3) {
		for _, n := range sink.Notifications() {
			t.Logf("%s: %s", n.GroupKey, n.sets())
		}
	}
}

// TestExplainedSurvives: an impact is withheld when the server is killed, and told when its cause is over and it
// still fires; another that is over by then is never told.
func TestExplainedSurvives(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	s := startServer(t, transientsConfig(sink.URL, `  dependencies:
  - {name: node, cause: ['alertname="NodeDown"'], impact: ['alertname="TargetDown"'], on: [severity], hold_back: 3s, settle: 2s, max: 4h}
`))
	cause := severe("NodeDown", "critical", 0)
	s.Push(firing(cause))
	s.Push(firing(severe("TargetDown", "critical", 1)), firing(severe("TargetDown", "critical", 2)))
	eventually(t, sink.lastSaid("NodeDown", "firing"))
	s.Kill()
	s.Start()
	rounds(t, s, sink, named("Clock"))
	require.Empty(t, sink.About("TargetDown"))
	s.Kill()
	s.Start()
	s.Push(ended(cause), ended(severe("TargetDown", "critical", 1)))
	eventually(t, sink.lastSaid("NodeDown", "resolved")) // what was on its way at the kill may be told twice
	eventually(t, sink.said("TargetDown", "firing"))
	assert.Contains(t, sink.Open(), severe("TargetDown", "critical", 2).Fingerprint().String())
}
