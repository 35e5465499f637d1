package dedupe

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// manyAlerts have 10 labels and 3 annotations each, and their fingerprints computed, as the push
// source delivers them.
func manyAlerts(n int) []alarm.Alert {
	all := make([]alarm.Alert, n)
	for i := range all {
		labels := model.LabelSet{"alertname": "Bench", "i": model.LabelValue(fmt.Sprint(i))}
		for j := range 8 {
			labels[model.LabelName(fmt.Sprint("label", j))] = model.LabelValue(fmt.Sprint("value", i%(j+2)))
		}
		all[i] = alarm.Alert{
			Labels:      labels,
			Annotations: model.LabelSet{"summary": "It burns", "description": model.LabelValue(fmt.Sprint(i)), "runbook": "http://x/"},
			StartsAt:    start,
		}.WithFingerprint()
	}
	return all
}

var sizes = []struct {
	name string
	n    int
}{{"1k", 1000}, {"10k", 10_000}, {"100k", 100_000}}

func benchPresence(b *testing.B) *Presence {
	p, err := NewPresence(start, nil, Options{})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func perAlert(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/alert")
}

// BenchmarkResend pushes all alerts again, in batches of 64, as vmalert does each minute.
func BenchmarkResend(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			p, all, now := benchPresence(b), manyAlerts(size.n), start
			send := func() {
				now = now.Add(time.Minute)
				for i := 0; i < len(all); i += 64 {
					batch := all[i:min(i+64, len(all))]
					for j := range batch {
						batch[j].EndsAt = now.Add(4 * time.Minute)
					}
					p.Observe(now, []alarm.Snapshot{{Source: "p", Partial: true, Alerts: batch}})
				}
			}
			send()
			b.ReportAllocs()
			for b.Loop() {
				send()
			}
			perAlert(b, size.n)
		})
	}
}

// BenchmarkNew pushes alerts that are not known, in batches of 64.
func BenchmarkNew(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			all := manyAlerts(size.n)
			b.ReportAllocs()
			for b.Loop() {
				p := benchPresence(b)
				for i := 0; i < len(all); i += 64 {
					p.Observe(start, []alarm.Snapshot{{Source: "p", Partial: true, Alerts: all[i:min(i+64, len(all))]}})
				}
			}
			perAlert(b, size.n)
		})
	}
}

// BenchmarkWhole reads the same whole snapshot again.
func BenchmarkWhole(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			p, all, now := benchPresence(b), manyAlerts(size.n), start
			p.Observe(now, []alarm.Snapshot{{Source: "a", Alerts: all}})
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(30 * time.Second)
				p.Observe(now, []alarm.Snapshot{{Source: "a", Alerts: all}})
			}
			perAlert(b, size.n)
		})
	}
}
