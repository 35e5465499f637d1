package dedupe_test

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/dedupe"
)

// Is it news, or is it flapping? Flap alone, without Presence, store or server.
func ExampleFlap() {
	alert := alarm.Alert{Labels: model.LabelSet{"alertname": "LinkDown", "instance": "switch7"}}
	now := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	var saved []alarm.Row

	observe := func(firing bool) {
		f, err := dedupe.NewFlap(dedupe.FlapOptions{HalfLife: 15 * time.Minute})
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := f.Load(saved); err != nil {
			fmt.Println(err)
			return
		}
		switch f.Observe(now, alert.Fingerprint(), firing) {
		case dedupe.FlapStarted:
			fmt.Println(now.Format("15:04"), "page: it flaps")
		case dedupe.FlapEnded, dedupe.Steady:
			fmt.Println(now.Format("15:04"), "tell: firing", firing)
		case dedupe.Flapping, dedupe.FlapNoted: // quiet
		}
		saved = f.State() // what to keep
		if next := f.Next(); !next.IsZero() {
			fmt.Println(now.Format("15:04"), "  ask again at", next.Format("15:04"))
		}
	}
	for i := range 6 {
		observe(i%2 == 0)
		now = now.Add(time.Minute)
	}
	now = time.Date(2026, 1, 1, 3, 43, 0, 0, time.UTC)
	observe(false)

	// Output:
	// 03:00 tell: firing true
	// 03:01 tell: firing false
	// 03:02 tell: firing true
	// 03:03 page: it flaps
	// 03:03   ask again at 03:31
	// 03:04   ask again at 03:36
	// 03:05   ask again at 03:41
	// 03:43 tell: firing false
}
