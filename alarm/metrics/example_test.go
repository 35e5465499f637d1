package metrics_test

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/alarmtest"
	"github.com/tocsin/tocsin/alarm/metrics"
)

func ExampleNew() {
	registry := prometheus.NewRegistry()
	observer := metrics.New(registry)
	engine, err := alarm.NewEngine(alarm.EngineOptions{
		Store: alarmtest.NewStore(), Observer: observer,
		Build: func(_ time.Time, _ *alarm.Stored) (alarm.Parts, error) { return alarm.Parts{}, nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	observer.Watch(engine)
	problems, err := testutil.GatherAndLint(registry)
	fmt.Println(problems, err)
	// Output: [] <nil>
}
