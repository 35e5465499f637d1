package discovery_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tocsin/tocsin/discovery"
)

// Any health document, as one kind of tree.
func ExampleParse() {
	r := discovery.Parse(discovery.Answer{Status: 503, Body: []byte(`{"status":"DOWN","components":{
		"db":{"status":"UP","components":{"primary":{"status":"UP"}}},
		"broker":{"status":"DOWN","details":{"error":"connection refused"}}}}`)})
	fmt.Println(r.Format, r.State, "-", r.Message)
	discovery.Walk(r.Nodes, func(path string, n *discovery.Node) {
		fmt.Println(path, n.State)
	})
	// Output:
	// spring3 fail - broker: connection refused
	// broker fail
	// db ok
	// db/primary ok
}

// What fails in one environment is one alert.
func ExampleBoard() {
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	board, err := discovery.NewBoard(discovery.BoardOptions{Clock: func() time.Time { return now }})
	if err != nil {
		panic(err)
	}
	cycle := discovery.Cycle{Agent: "agent-1", Cluster: "eu-1", At: now, Interval: 30 * time.Second}
	for _, service := range []string{"billing", "orders"} {
		t := discovery.Target{Cluster: "eu-1", Namespace: "env-42", Service: service}
		cycle.Results = append(cycle.Results, discovery.NoAnswer(t, now, discovery.WhyRefused, "connection refused"))
	}
	board.Observe(now, cycle)
	snapshot, err := board.Alerts(context.Background())
	if err != nil {
		panic(err)
	}
	for _, a := range snapshot.Alerts {
		fmt.Println(a.Labels)
		fmt.Println(a.Annotations["summary"])
	}
	// Output:
	// {activity="active", alertname="HealthServicesFailing", cluster="eu-1", environment="env-42", namespace="env-42", priority="P1", severity="critical"}
	// 2 of 2 services fail in env-42 (cluster eu-1, active): billing, orders
}
