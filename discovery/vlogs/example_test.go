package vlogs_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/vlogs"
)

// An agent writes what it found; whoever wants to know reads the latest of all agents.
func Example() {
	ctx, now := context.Background(), time.Now()
	w, err := vlogs.NewWriter("http://victorialogs:9428", vlogs.WriterOptions{})
	if err != nil {
		panic(err)
	}
	t := discovery.Target{Cluster: "eu-1", Namespace: "env-42", Service: "orders"}
	found := discovery.Cycle{
		Agent: "agent-1", Cluster: "eu-1", At: now, Interval: 30 * time.Second,
		Results: []discovery.Health{discovery.NoAnswer(t, now, discovery.WhyRefused, "connection refused")},
	}
	if err := w.Write(ctx, found); err != nil { // now it is in the spool; w.Run(ctx) sends it
		panic(err)
	}
	batches, _ := w.Waiting()
	fmt.Println(batches, "batch waits")

	r, err := vlogs.NewReader("http://victorialogs:9428", vlogs.ReaderOptions{})
	if err != nil {
		panic(err)
	}
	latest := func(ctx context.Context) ([]discovery.Cycle, error) { return r.Cycles(ctx, time.Now()) }
	_ = latest
	// Output: 1 batch waits
}
