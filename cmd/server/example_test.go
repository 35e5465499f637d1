package server_test

import (
	"context"
	"os"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/server"
)

// queue is a source: it says what is active whenever it is asked.
type queue struct{ depth func() int }

func (q queue) Alerts(context.Context) (alarm.Snapshot, error) {
	var s alarm.Snapshot
	if q.depth() > 1000 {
		s.Firing(model.LabelSet{"alertname": "QueueTooDeep"})
	}
	return s, nil
}

// A source of one's own, in the full system. examples/customsource is a program to run.
func ExampleMain() {
	main := func() {
		os.Exit(server.Main(os.Args, server.WithSource("queue", queue{depth: func() int { return 0 }})))
	}
	_ = main
}

// The configuration of the quick start is good.
func ExampleRun() {
	server.Run(context.Background(), []string{"check", "../../examples/quickstart/alertmanager.yml"}, os.Stdout, os.Stderr)
	// Output:
	// ../../examples/quickstart/alertmanager.yml: good: 2 receivers, 1 inhibit rules, 0 time intervals
}
