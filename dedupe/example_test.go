package dedupe_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/dedupe"
)

func ExamplePresence() {
	now := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	presence, err := dedupe.NewPresence(now, nil, dedupe.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	observe := func(what string, s alarm.Snapshot) {
		now = now.Add(time.Minute)
		s.Source = "vmalert"
		changes, _, _ := presence.Observe(now, []alarm.Snapshot{s})
		fmt.Println(what)
		for _, c := range changes {
			fmt.Println("  ", c.Kind, c.Alert.Name(), c.Alert.State)
		}
	}

	var one, none alarm.Snapshot
	one.Firing(model.LabelSet{"alertname": "DiskFull", "instance": "db1"})
	observe("one alert", one)
	observe("the same again", one)
	observe("no answer", alarm.Snapshot{Err: errors.New("connection refused")})
	observe("an answer without it", none)

	// Output:
	// one alert
	//    appeared DiskFull firing
	// the same again
	//    refreshed DiskFull firing
	// no answer
	// an answer without it
	//    ended DiskFull resolved
}
