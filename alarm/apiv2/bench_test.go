package apiv2_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/apiv2"
	"github.com/tocsin/tocsin/alarm/matcher"
)

type pushNothing struct{}

func (pushNothing) Receive(context.Context, time.Time, []byte) error { return nil }

// open reads what it holds, in one group or in many.
type open struct {
	*fake
	readings []alarm.Reading
}

func (o open) Receivers() []alarm.ReceiverSpec { return nil }
func (o open) Matching(context.Context, matcher.Matchers) ([]alarm.Reading, error) {
	return o.readings, nil
}

func (o open) GroupsMatching(context.Context, matcher.Matchers) ([]alarm.GroupReading, error) {
	var groups []alarm.GroupReading
	size := max(1, len(o.readings)/1000)
	for i := 0; i+size <= len(o.readings); i += size {
		groups = append(groups, alarm.GroupReading{
			Group:  &alarm.Group{RouteID: "0", Receiver: "team", Labels: model.LabelSet{"g": model.LabelValue(fmt.Sprint(i))}},
			Alerts: o.readings[i : i+size],
		})
	}
	return groups, nil
}

// readings returns n alerts of 10 labels and 3 annotations.
func readings(n int) []alarm.Reading {
	now := time.Now().UTC()
	list := make([]alarm.Reading, n)
	for i := range list {
		a := alarm.Alert{
			Labels: model.LabelSet{
				"alertgroup": "latency", "alertname": "HighLatency", "cluster": model.LabelValue(fmt.Sprintf("cluster-%d", i%50)),
				"env": model.LabelValue(fmt.Sprintf("production-eu-%d", i%7)), "instance": model.LabelValue(fmt.Sprintf("10.0.%d.%d:9100", i/250, i%250)),
				"job": "node-exporter", "namespace": model.LabelValue(fmt.Sprintf("shop-%d", i%100)), "pod": model.LabelValue(fmt.Sprintf("checkout-%08d", i)),
				"severity": "warning", "team": model.LabelValue(fmt.Sprintf("team-%d", i%20)),
			},
			Annotations: model.LabelSet{
				"description": model.LabelValue(fmt.Sprintf("The request latency of instance 10.0.%d.%d:9100 has been above its objective for more than ten minutes, see the runbook.", i/250, i%250)),
				"runbook_url": "https://runbooks.example.org/latency/high", "summary": model.LabelValue(fmt.Sprintf("High latency on %d", i)),
			},
			GeneratorURL: fmt.Sprintf("http://vmalert-0.monitoring.svc:8880/vmalert/alert?group_id=14550520989585825537&alert_id=%d", i),
			StartsAt:     now.Add(-time.Hour), EndsAt: now.Add(time.Hour), UpdatedAt: now,
		}.WithFingerprint()
		list[i] = alarm.Reading{Alert: &a, Receivers: []string{"team"}}
	}
	slices.SortFunc(list, func(x, y alarm.Reading) int {
		if x.Alert.Fingerprint() < y.Alert.Fingerprint() {
			return -1
		}
		return 1
	})
	return list
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		engine := open{readings: readings(n)}
		a, err := apiv2.New(engine, pushNothing{}, newFake(b), apiv2.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, what := range []string{"alerts", "alerts/groups", "alerts?filter=cluster%3Dcluster-7"} {
			b.Run(fmt.Sprintf("%s/%d", what, n), func(b *testing.B) {
				r := httptest.NewRequest("GET", "/api/v2/"+what, nil)
				b.ReportAllocs()
				for b.Loop() {
					a.ServeHTTP(discard{http.Header{}}, r)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/alert")
			})
		}
	}
}
