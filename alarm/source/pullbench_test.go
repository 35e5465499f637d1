package source

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// ruleAnswer is an answer of vmalert with n alerts in 100 rules.
func ruleAnswer(n int) string {
	var b strings.Builder
	b.WriteString(`{"status":"success","data":{"groups":[`)
	for r := range 100 {
		if r > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"g%d","rules":[{"state":"firing","name":"HighLatency","query":"latency_seconds > 1","duration":60,"labels":{"severity":"warning"},"lastError":"","evaluationTime":0.01,"lastEvaluation":"2026-11-21T10:56:40.911877Z","alerts":[`, r)
		for i := range n / 100 {
			j := r*n/100 + i
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"state":"firing","name":"HighLatency","value":"1.7","labels":{"alertgroup":"g%d","alertname":"HighLatency","cluster":"cluster-%d","env":"production-eu-%d","instance":"10.0.%d.%d:9100","job":"node-exporter","namespace":"shop-%d","pod":"checkout-%08d","severity":"warning","team":"team-%d"},"annotations":{"description":"The request latency of instance 10.0.%d.%d:9100 has been above its objective for more than ten minutes, see the runbook.","runbook_url":"https://runbooks.example.org/latency/high","summary":"High latency on %d"},"activeAt":"2026-11-21T10:00:43.89972634Z","id":"%d","rule_id":"6781236967579413031","group_id":"16595382602160869872","expression":"latency_seconds \u003e 1","source":"http://vmalert:8880/vmalert/api/v1/alert?group_id=16595382602160869872\u0026alert_id=%d","restored":false}`,
				r, j%50, j%7, j/250, j%250, j%100, j, j%20, j/250, j%250, j, 2299787279173520354+j, 2299787279173520354+j)
		}
		b.WriteString(`],"health":"ok","type":"alerting"}],"interval":60}`)
	}
	b.WriteString(`]}}`)
	return b.String()
}

// The time includes the transport, but no network.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		body := ruleAnswer(n)
		client := &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			header := http.Header{"Date": {asked.Format(http.TimeFormat)}}
			return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
		})}
		for _, known := range []bool{false, true} {
			name := fmt.Sprintf("new/%d", n)
			if known {
				name = fmt.Sprintf("known/%d", n)
			}
			b.Run(name, func(b *testing.B) {
				fresh := func() *Rules {
					r, err := NewRules("bench", VMAlert, []string{"http://vmalert"}, PullOptions{Client: client})
					if err != nil {
						b.Fatal(err)
					}
					return r
				}
				ask := func(r *Rules) {
					if s, err := r.Alerts(b.Context()); err != nil || len(s.Alerts) != n || len(s.Unknowns) > 0 {
						b.Fatal(len(s.Alerts), len(s.Unknowns), err)
					}
				}
				r := fresh()
				ask(r)
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if !known {
						r = fresh()
					}
					ask(r)
				}
			})
		}
	}
}
