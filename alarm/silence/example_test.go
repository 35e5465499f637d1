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
