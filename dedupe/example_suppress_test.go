package dedupe_test

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/dedupe"
)

// severities are three, the worst first.
func severities() alarm.Severities {
	return alarm.Severities{Values: []alarm.Severity{{Name: "critical", Page: true}, {Name: "warning", Page: true}, {Name: "info"}}}
}

func ExampleHold() {
	hold, err := dedupe.NewHold(nil, dedupe.HoldOptions{
		Severities: severities(), For: map[string]time.Duration{"warning": 30 * time.Second},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	alert := alarm.Alert{Labels: model.LabelSet{"alertname": "OOMKill", "severity": "warning"}}.WithFingerprint()
	judge := func(state alarm.State, kind alarm.ChangeKind) {
		a := alert
		a.State, a.StartsAt = state, now
		if kind == alarm.Appeared {
			alert.Fired++
		}
		j := hold.Judge(now, alarm.View{Changes: []alarm.Change{{Kind: kind, Alert: &a}}})
		for _, r := range j.Reasons {
			fmt.Println(now.Format(time.TimeOnly), r.Reason, "until", r.Until.Format(time.TimeOnly))
		}
		for _, c := range j.Raised {
			fmt.Println(now.Format(time.TimeOnly), c.Kind, c.Alert.Labels)
			fmt.Println("  ", c.Alert.Annotations["summary"])
		}
	}
	for range 3 { // up for 20 s each six minutes
		judge(alarm.Firing, alarm.Appeared)
		now = now.Add(20 * time.Second)
		judge(alarm.Resolved, alarm.Ended)
		now = now.Add(340 * time.Second)
	}

	// Output:
	// 03:00:00 hold until 03:00:30
	// 03:06:00 hold until 03:06:30
	// 03:12:00 hold until 03:12:30
	// 03:12:20 appeared {alertname="OOMKill", severity="warning", transient="true"}
	//    Fired and ended 3 times since 2026-01-01 03:00 UTC, each time too briefly to tell.
}

func ExampleFlood() {
	flood, err := dedupe.NewFlood(nil, dedupe.FloodOptions{
		Severities: severities(), Pages: 2, Within: 2 * time.Minute,
		Team: func(ls model.LabelSet) string { return string(ls["team"]) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	for i, name := range []string{"TargetDown", "HighLatency", "TargetDown", "TargetDown", "DiskFull"} {
		a := alarm.Alert{
			Labels: model.LabelSet{
				"alertname": model.LabelValue(name), "instance": model.LabelValue(fmt.Sprint("db", i)), "rack": "r7", "severity": "warning", "team": "db",
			},
			StartsAt: now,
		}.WithFingerprint()
		j := flood.Judge(now.Add(time.Duration(10*i)*time.Second), alarm.View{Changes: []alarm.Change{{Alert: &a}}})
		if len(j.Reasons) == 0 {
			fmt.Println("page:", name)
		}
		for _, c := range j.Raised {
			fmt.Printf("%s %s of %s; cause: %q\n", c.Kind, c.Alert.Name(), c.Alert.Annotations["by_alertname"], c.Alert.Annotations["probable_cause"])
		}
	}

	// Output:
	// page: TargetDown
	// page: HighLatency
	// appeared TocsinFlood of 1 TargetDown; cause: ""
	// changed TocsinFlood of 2 TargetDown; cause: "rack=\"r7\" (2 of 2)"
	// changed TocsinFlood of 2 TargetDown, 1 DiskFull; cause: "rack=\"r7\" (3 of 3)"
}
