package depgraph

import (
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// BenchmarkLargePool has 64 alerts of a pool come or go in each call while 40k others fire, at a second
// from call to call.
func BenchmarkLargePool(b *testing.B) {
	r := outage()
	r.Of, r.Match = Pool{Number: 50_000}, matcher.MustParse(`alertname="NodeDown"`)
	r.Steps = []Step{{Above: Tolerance{Percent: 90}, Raise: Raise{Labels: model.LabelSet{"severity": "critical"}}}}
	rs, err := NewRollups([]Rollup{r}, RollupOptions{})
	require.NoError(b, err)
	alerts := func(from, to int, state alarm.State) []alarm.Change {
		var changes []alarm.Change
		for i := from; i < to; i++ {
			a := alarm.Alert{Labels: set("alertname=NodeDown app=xyz cluster=eu-1 node=n" + strconv.Itoa(i)), State: state}.WithFingerprint()
			changes = append(changes, alarm.Change{Alert: &a})
		}
		return changes
	}
	batches := [][]alarm.Change{alerts(40_000, 40_064, alarm.Firing), alerts(40_000, 40_064, alarm.Resolved)}
	s, now, n := rs.Suppressor(), start, 0
	s.Judge(now, alarm.View{Changes: alerts(0, 40_000, alarm.Firing)})
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		s.Judge(now, alarm.View{Changes: batches[n%2]})
		n++
	}
}
