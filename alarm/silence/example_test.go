package silence_test

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/silence"
)

func ExampleSuppressor() {
	now := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	made, err := silence.Set(now, nil, alarm.Silence{
		Matchers: matcher.MustParse(`cluster="eu",alertname=~"Disk.*"`),
		EndsAt:   now.Add(time.Hour),
		Comment:  "the disks are being replaced",
	}, func() string { return "s1" })
	if err != nil {
		fmt.Println(err)
		return
	}
	s := silence.NewSuppressor(now, made)
	full := alarm.Alert{Labels: model.LabelSet{"alertname": "DiskFull", "cluster": "eu"}}
	slow := alarm.Alert{Labels: model.LabelSet{"alertname": "DiskSlow", "cluster": "us"}}
	j := s.Judge(now, alarm.View{Changes: []alarm.Change{{Alert: &full}, {Alert: &slow}}})
	for _, why := range j.Reasons {
		fmt.Println(why.Fingerprint == full.Fingerprint(), why.Reason, why.By, why.Note)
	}
	fmt.Println("again at", j.Next.Format(time.TimeOnly))
	j = s.Judge(j.Next, alarm.View{})
	fmt.Println(len(j.Judged), "judged again,", len(j.Reasons), "muted")

	// Output:
	// true silence s1 the disks are being replaced
	// again at 04:00:00
	// 1 judged again, 0 muted
}

// Maintenance each Tuesday at ten in the evening, whatever the clocks do.
func ExamplePlanner() {
	planned, err := silence.Planner{}.Plan(time.Time{}, silence.Window{
		Name: "patch-night", Scope: alarm.Scope{Cluster: "eu-1"},
		Rule: "FREQ=WEEKLY;BYDAY=TU", Start: "2026-01-06T22:00", Zone: "Europe/London", Duration: 2 * time.Hour,
	})
	if err != nil {
		fmt.Println(err) // all that is wrong with it
		return
	}
	fmt.Println(planned.Matchers)
	for _, o := range planned.Ahead(time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC), 3) {
		fmt.Println(o.Start.Format(time.DateTime), "to", o.End.Format(time.DateTime), "UTC")
	}
	fmt.Println(planned.StateAt(time.Date(2026, 3, 31, 21, 30, 0, 0, time.UTC)))

	// Output:
	// {cluster="eu-1"}
	// 2026-03-24 22:00:00 to 2026-03-25 00:00:00 UTC
	// 2026-03-31 21:00:00 to 2026-03-31 23:00:00 UTC
	// 2026-04-07 21:00:00 to 2026-04-07 23:00:00 UTC
	// active
}
