package opsgenie_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify/opsgenie"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

func quick(b *testing.B, jsm bool) (*opsgenietest.Server, *opsgenie.Client) {
	s := opsgenietest.New(opsgenietest.Options{JSM: jsm})
	o := opsgenie.Options{
		URL: "http://fake", Instance: "test", HTTPClient: s.Client(), Follow: opsgenie.Follow{First: time.Nanosecond},
		Account: opsgenie.NewAccount(opsgenie.AccountOptions{Alert: 1e9, AlertBurst: 1e9, Search: 1e9, SearchBurst: 1e9}),
	}
	if jsm {
		o.Backend, o.URL = opsgenie.JiraServiceManagement, o.URL+opsgenietest.PathIntegration
		o.Operations = opsgenie.Operations{URL: "http://fake" + opsgenietest.PathOperations, CloudID: "cloud", Token: "token"}
	}
	c, err := opsgenie.New("key", o)
	require.NoError(b, err)
	return s, c
}

// What a change costs, in requests and in time of ours.
func BenchmarkChange(b *testing.B) {
	for _, jsm := range []bool{false, true} {
		name := map[bool]string{false: "opsgenie", true: "jsm"}[jsm]
		for _, tc := range []struct {
			name   string
			action alarm.Action
			text   string
		}{{"open", alarm.Add, "x"}, {"same", alarm.Update, "x"}, {"update", alarm.Update, "%d"}, {"close", alarm.Close, "x"}} {
			b.Run(name+"/"+tc.name, func(b *testing.B) {
				s, c := quick(b, jsm)
				open := delivery(alarm.Add, "x", nil)
				require.NoError(b, c.Deliver(b.Context(), open))
				s.Forget()
				n := 0
				for b.Loop() {
					n++
					text := tc.text
					if text == "%d" {
						text = map[bool]string{true: "even", false: "odd"}[n%2 == 0]
					}
					d := delivery(tc.action, text, open.Data)
					require.NoError(b, c.Deliver(b.Context(), d))
					if tc.action == alarm.Update {
						open.Data = d.Data
					}
				}
				b.ReportMetric(float64(len(s.Requests()))/float64(n), "requests/change")
			})
		}
	}
}

// What an hour costs in which nothing happens, with lists each five minutes.
func BenchmarkQuietHour(b *testing.B) {
	for _, jsm := range []bool{false, true} {
		for _, size := range []int{1000} {
			b.Run(fmt.Sprintf("%s/%dopen", map[bool]string{false: "opsgenie", true: "jsm"}[jsm], size), func(b *testing.B) {
				s, c := quick(b, jsm)
				put(s, size, nil)
				n := 0
				for b.Loop() {
					n++
					for range 12 {
						_, err := c.List(b.Context())
						require.NoError(b, err)
					}
				}
				b.ReportMetric(float64(len(s.Requests()))/float64(n), "requests/hour")
			})
		}
	}
}
