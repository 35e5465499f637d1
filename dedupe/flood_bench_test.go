package dedupe

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// BenchmarkFlood has 64 alerts join a flood of 40,000, as one push does, and leave it again.
func BenchmarkFlood(b *testing.B) {
	f, err := NewFlood(nil, FloodOptions{Severities: severities()})
	require.NoError(b, err)
	now := start
	push := func(state alarm.State, from, n int) {
		changes := make([]alarm.Change, n)
		for i := range changes {
			a := alarm.Alert{State: state, StartsAt: start, Labels: model.LabelSet{
				"alertname": model.LabelValue(fmt.Sprint("Down", i%50)), "cluster": model.LabelValue(fmt.Sprint("c", i%20)), "severity": "warning",
				"instance": model.LabelValue(fmt.Sprint("host", from+i)), "rack": model.LabelValue(fmt.Sprint("r", i%100)), "job": "node",
			}}.WithFingerprint()
			changes[i].Alert = &a
		}
		now = now.Add(200 * time.Millisecond)
		f.Judge(now, alarm.View{Changes: changes})
	}
	push(alarm.Firing, 0, 40_020)
	b.ReportAllocs()
	for b.Loop() {
		push(alarm.Firing, 50_000, 64)
		push(alarm.Resolved, 50_000, 64)
	}
}
