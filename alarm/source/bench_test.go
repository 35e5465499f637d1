package source

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tocsin/tocsin/alarm"
)

type sink struct{}

func (sink) Submit(context.Context, alarm.Input) error { return nil }

// bodies returns n alerts of 10 labels and 3 annotations, 744 bytes on the wire, 64 in a body.
func bodies(n, endsAt int) [][]byte {
	var all [][]byte
	for i := 0; i < n; i += 64 {
		var b strings.Builder
		b.WriteByte('[')
		for j := i; j < min(i+64, n); j++ {
			if j > i {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"annotations":{"description":"The request latency of instance 10.0.%d.%d:9100 has been above its objective for more than ten minutes, see the runbook.","runbook_url":"https://runbooks.example.org/latency/high","summary":"High latency on %d"},"endsAt":"2026-11-21T07:%02d:13.948455639Z","startsAt":"2026-11-21T06:41:50.123Z","generatorURL":"http://vmalert-0.monitoring.svc:8880/vmalert/alert?group_id=14550520989585825537\u0026alert_id=%d","labels":{"alertgroup":"latency","alertname":"HighLatency","cluster":"cluster-%d","env":"production-eu-%d","instance":"10.0.%d.%d:9100","job":"node-exporter","namespace":"shop-%d","pod":"checkout-%08d","severity":"warning","team":"team-%d"}}`,
				j/250, j%250, j, endsAt, 2299787279173520354+j, j%50, j%7, j/250, j%250, j%100, j, j%20)
		}
		b.WriteByte(']')
		all = append(all, []byte(b.String()))
	}
	return all
}

func BenchmarkReceive(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		for _, known := range []bool{false, true} {
			name := fmt.Sprintf("new/%d", n)
			if known {
				name = fmt.Sprintf("known/%d", n)
			}
			b.Run(name, func(b *testing.B) {
				first, again := bodies(n, 10), bodies(n, 11)
				receive := func(p *Push, bodies [][]byte) {
					for _, body := range bodies {
						if err := p.Receive(b.Context(), now, body); err != nil {
							b.Fatal(err)
						}
					}
				}
				p, err := NewPush("push", sink{}, PushOptions{})
				if err != nil {
					b.Fatal(err)
				}
				receive(p, first)
				b.ReportAllocs()
				for b.Loop() {
					if !known {
						if p, err = NewPush("push", sink{}, PushOptions{}); err != nil {
							b.Fatal(err)
						}
					}
					receive(p, again)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/alert")
			})
		}
	}
}

func BenchmarkReceiveFallback(b *testing.B) {
	body := []byte(strings.ReplaceAll(string(bodies(64, 10)[0]), `"startsAt"`, `"StartsAt"`))
	p, err := NewPush("push", sink{}, PushOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Receive(b.Context(), now, body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*64), "ns/alert")
}
