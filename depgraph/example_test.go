package depgraph_test

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/depgraph"
)

func ExampleGraph_Explain() {
	g, err := depgraph.New([]depgraph.Rule{{
		Name:   "node-hides-workloads",
		Cause:  matcher.MustParse(`alertname="NodeDown"`),
		Impact: matcher.MustParse(`alertname=~"TargetDown|.*Latency"`),
		On:     []depgraph.Pair{depgraph.Same("cluster"), {Impact: "instance", Cause: "node", StripPort: true}},
	}}, depgraph.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	alerts := []alarm.Alert{
		{Labels: model.LabelSet{"alertname": "NodeDown", "cluster": "eu", "node": "n1"}},
		{Labels: model.LabelSet{"alertname": "TargetDown", "cluster": "eu", "instance": "n1:9100"}},
		{Labels: model.LabelSet{"alertname": "TargetDown", "cluster": "eu", "instance": "n2:9100"}},
	}
	for _, e := range g.Explain(time.Now(), alerts) {
		fmt.Println(e.Impact, "because of", e.Roots)
	}

	// Output:
	// TargetDown[9e743ad][firing] because of [NodeDown[9c89c32][firing]]
}
