package alarm_test

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/alarm/silence"
	"github.com/tocsin/tocsin/dedupe"
	"github.com/tocsin/tocsin/depgraph"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTranscripts(t *testing.T) {
	webhook := []alarm.IntegrationSpec{{Name: "webhook[0]", SendResolved: true}}
	level := alarm.IntegrationSpec{Name: "log[0]", SendResolved: true, Level: true}
	everybody := alarm.ReceiverSpec{Name: "everybody", Integrations: webhook}
	db := alarm.ReceiverSpec{Name: "db", Integrations: webhook}
	byName := []model.LabelName{model.AlertNameLabel}
	toDB := route.Route{Receiver: "db", Matchers: matcher.MustParse(`team="db"`)}
	nights := map[string][]timeinterval.TimeInterval{"nights": {{Times: []timeinterval.TimeRange{{StartMinute: 10, EndMinute: 60}}}}}

	alarmtest.RunTranscripts(t, "testdata/transcripts/*.txt", map[string]alarm.Build{
		"basic":   build(route.Route{Receiver: "everybody", GroupBy: byName}, nil, everybody),
		"split":   build(route.Route{Receiver: "everybody", GroupBy: byName, Routes: []route.Route{toDB}}, nil, everybody, db),
		"renamed": build(route.Route{Receiver: "db", GroupBy: byName}, nil, db),
		"nights": build(route.Route{
			Receiver: "everybody", GroupBy: byName,
			Routes: []route.Route{{MuteTimeIntervals: []string{"nights"}, Matchers: matcher.MustParse(`team="db"`)}},
		}, nights, everybody),
		"level": build(route.Route{Receiver: "everybody", GroupBy: byName}, nil,
			alarm.ReceiverSpec{Name: "everybody", Integrations: []alarm.IntegrationSpec{level}}),
		"fallback": build(route.Route{Receiver: "everybody", GroupBy: byName}, nil,
			alarm.ReceiverSpec{Name: "everybody", Integrations: []alarm.IntegrationSpec{level}, Fallback: "mail"},
			alarm.ReceiverSpec{Name: "mail", Integrations: webhook}),
		"reminding": build(route.Route{Receiver: "everybody", GroupBy: byName}, nil,
			alarm.ReceiverSpec{Name: "everybody", Integrations: []alarm.IntegrationSpec{{Name: "log[0]", SendResolved: true, Level: true, Remind: time.Hour}}}),
		"held": held(build(route.Route{Receiver: "everybody", GroupBy: byName}, nil, everybody)),
		"tally": tallied(build(route.Route{Receiver: "everybody", GroupBy: byName}, nil,
			alarm.ReceiverSpec{Name: "everybody", Integrations: []alarm.IntegrationSpec{webhook[0], level}})),
		"untallied": build(route.Route{Receiver: "everybody", GroupBy: byName}, nil,
			alarm.ReceiverSpec{Name: "everybody", Integrations: []alarm.IntegrationSpec{webhook[0], level}}),
	})
}

// held withholds the first page of warnings for 30 s.
func held(build alarm.Build) alarm.Build {
	return func(now time.Time, s *alarm.Stored) (alarm.Parts, error) {
		parts, err := build(now, s)
		if err != nil {
			return parts, err
		}
		hold, err := dedupe.NewHold(s, dedupe.HoldOptions{
			Severities: alarm.Severities{Values: []alarm.Severity{{Name: "critical", Page: true}, {Name: "warning", Page: true}}},
			For:        map[string]time.Duration{"warning": 30 * time.Second},
		})
		parts.Suppressors = append(parts.Suppressors, hold)
		return parts, err
	}
}

// tallied adds a suppressor that raises alerts of its own.
func tallied(build alarm.Build) alarm.Build {
	return func(now time.Time, s *alarm.Stored) (alarm.Parts, error) {
		parts, err := build(now, s)
		parts.Suppressors = slices.Insert(parts.Suppressors, 1, alarm.Suppressor(newTally()))
		return parts, err
	}
}

// build makes the parts that the server makes, with short timers.
func build(root route.Route, intervals map[string][]timeinterval.TimeInterval, receivers ...alarm.ReceiverSpec) alarm.Build {
	wait, interval, repeat := 10*time.Second, time.Minute, time.Hour
	root.Wait, root.Interval, root.Repeat = &wait, &interval, &repeat
	return func(now time.Time, s *alarm.Stored) (alarm.Parts, error) {
		presence, err := dedupe.NewPresence(now, s, dedupe.Options{})
		if err != nil {
			return alarm.Parts{}, err
		}
		tree, err := route.New(root, intervals)
		if err != nil {
			return alarm.Parts{}, err
		}
		graph, err := depgraph.New([]depgraph.Rule{{
			Kind:   depgraph.Inhibition,
			Cause:  matcher.MustParse(`alertname="ClusterDown"`),
			Impact: matcher.MustParse(`alertname!="ClusterDown"`),
			On:     []depgraph.Pair{depgraph.Same("cluster")},
		}}, depgraph.Options{})
		if err != nil {
			return alarm.Parts{}, err
		}
		return alarm.Parts{
			Presence:    presence,
			Suppressors: []alarm.Suppressor{silence.NewSuppressor(now, s.Silences), graph.Suppressor()},
			Router:      tree,
			Receivers:   receivers,
		}, nil
	}
}
