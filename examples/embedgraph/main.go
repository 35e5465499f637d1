// Command embedgraph reads alerts as Alertmanager's API v2 lists them and prints what is worth a page,
// with the number of alerts that each explains. It needs no server, store or configuration file.
//
//	amtool --alertmanager.url=http://localhost:9093 alert query -o json | go run ./examples/embedgraph
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/depgraph"
)

func run(in io.Reader, out io.Writer) error {
	g, err := depgraph.New([]depgraph.Rule{{
		Name:   "node-hides-workloads",
		Cause:  matcher.MustParse(`alertname="NodeDown"`),
		Impact: matcher.MustParse(`alertname=~"TargetDown|PodCrashLooping|.*Latency"`),
		On:     []depgraph.Pair{depgraph.Same("cluster"), {Impact: "instance", Cause: "node", StripPort: true}},
	}}, depgraph.Options{})
	if err != nil {
		return err
	}
	var alerts []alarm.Alert
	if err := json.NewDecoder(in).Decode(&alerts); err != nil {
		return fmt.Errorf("read alerts: %w", err)
	}
	explains, explained := map[string]int{}, map[string]bool{}
	for _, e := range g.Explain(time.Now(), alerts) {
		explained[e.Impact.Labels.String()] = true
		for _, root := range e.Roots {
			explains[root.Labels.String()]++
		}
	}
	for _, a := range alerts {
		if ls := a.Labels.String(); !explained[ls] {
			fmt.Fprintf(out, "%s explains %d\n", ls, explains[ls])
		}
	}
	return nil
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "embedgraph:", err)
		os.Exit(1)
	}
}
