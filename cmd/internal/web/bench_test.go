package web

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// many is an engine with n alerts of ten labels and three annotations, in groups of a hundred.
func many(n int) *reading {
	e := &fakeEngine{}
	severities := []model.LabelValue{"critical", "warning", "info"}
	for i := range n {
		if i%100 == 0 {
			e.groups = append(e.groups, group("ops", model.LabelSet{"alertname": "Load", "cluster": model.LabelValue(fmt.Sprint(i / 100))}))
		}
		g := &e.groups[len(e.groups)-1]
		labels := model.LabelSet{
			"alertname": "Load", "cluster": g.Group.Labels["cluster"], "severity": severities[i%3],
			"instance": model.LabelValue(fmt.Sprintf("host-%d.example.com:9100", i)), "job": "node-exporter", "namespace": "shop",
			"team": "infra", "zone": "eu-1a", "env": "production", "pod": model.LabelValue(fmt.Sprintf("node-exporter-%x", i)),
		}
		r := firing(labels, model.LabelSet{
			"summary": model.LabelValue(fmt.Sprintf("Load on host-%d is high", i)), "description": "Load average over 15 minutes is above 4 per core.",
			"runbook_url": "https://runbooks.example.com/load",
		}, time.Duration(i)*time.Second, "ops")
		if i%10 == 0 {
			r = withheld(r, alarm.Suppression{Reason: alarm.ReasonSilence, By: "s1"})
		}
		g.Alerts = append(g.Alerts, r)
	}
	alerts, _ := e.Alerts(context.Background())
	return &reading{groups: e.groups, alerts: alerts}
}

// The engine's part is not in these figures: reading it is shared between viewers.
func BenchmarkAlertsPage(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		r := many(n)
		h, err := New(&fixedEngine{r: r}, Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, bc := range []struct{ name, target string }{
			{"all", "/"},
			{"word", "/?q=host-77"},
			{"matcher", "/?q=severity%3D%22critical%22"},
			{"regexp", "/?q=instance%3D~%22host-7.*%22"},
			{"last", "/?page=100000"},
		} {
			b.Run(fmt.Sprintf("%s/alerts=%d", bc.name, n), func(b *testing.B) {
				for b.Loop() {
					if w := get(b, h, bc.target); w.Code != 200 {
						b.Fatal(w.Code)
					}
				}
			})
		}
	}
}

// A fixedEngine costs nothing to read.
type fixedEngine struct {
	fakeEngine
	r *reading
}

func (e *fixedEngine) Groups(context.Context) ([]alarm.GroupReading, error) { return e.r.groups, nil }

func (e *fixedEngine) Alerts(context.Context) ([]alarm.Reading, error) { return e.r.alerts, nil }

// The reading, and with it the graph, is shared between viewers; here each page is made from the start.
func BenchmarkDependenciesPage(b *testing.B) {
	for _, nodes := range []int{10, 1_000} {
		e := outage(nodes, 12)
		b.Run(fmt.Sprintf("alerts=%d", 1+14*nodes), func(b *testing.B) {
			for b.Loop() {
				h := newHandler(b, e, Options{})
				if w := get(b, h, "/dependencies"); w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
