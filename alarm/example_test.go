package alarm_test

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/dedupe"
)

// An engine needs a store, a function that makes its parts, and somebody to deliver.
func Example() {
	wait := time.Duration(0)
	build := func(now time.Time, s *alarm.Stored) (alarm.Parts, error) {
		presence, err := dedupe.NewPresence(now, s, dedupe.Options{})
		if err != nil {
			return alarm.Parts{}, err
		}
		tree, err := route.New(route.Route{Receiver: "ops", Wait: &wait}, nil)
		return alarm.Parts{Presence: presence, Router: tree, Receivers: []alarm.ReceiverSpec{
			{Name: "ops", Integrations: []alarm.IntegrationSpec{{Name: "print[0]", SendResolved: true}}},
		}}, err
	}
	told := make(chan alarm.Intention, 1)
	engine, err := alarm.NewEngine(alarm.EngineOptions{
		Store: alarmtest.NewStore(),
		Build: build,
		Offer: func(ins []alarm.Intention) { told <- ins[0] }, // notify.Deliverer does this, with retries
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- engine.Run(ctx) }()

	var s alarm.Snapshot
	s.Source = "example"
	s.Firing(model.LabelSet{"alertname": "DiskFull", "instance": "db1"})
	if err := engine.Submit(ctx, alarm.Input{Snapshots: []alarm.Snapshot{s}}); err != nil {
		fmt.Println(err)
	}
	if d, err := engine.Render(time.Now(), <-told); err == nil && d != nil {
		fmt.Println(d.Action, d.Key.Receiver, d.Alerts[0].Labels, d.Reason)
	}
	stop()
	fmt.Println(<-ended)
	// Output:
	// add ops {alertname="DiskFull", instance="db1"} first notification
	// <nil>
}
