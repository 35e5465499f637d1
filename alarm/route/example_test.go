package route_test

import (
	"fmt"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

func Example() {
	weekend := timeinterval.TimeInterval{Weekdays: []timeinterval.WeekdayRange{
		{InclusiveRange: timeinterval.InclusiveRange{Begin: 6, End: 6}}, // Saturday
		{InclusiveRange: timeinterval.InclusiveRange{Begin: 0, End: 0}}, // Sunday
	}}
	tree, err := route.New(route.Route{
		Receiver: "ops",
		GroupBy:  []model.LabelName{"alertname"},
		Routes: []route.Route{
			{Matchers: matcher.MustParse(`team="db"`), Receiver: "db", MuteTimeIntervals: []string{"weekend"}},
		},
	}, map[string][]timeinterval.TimeInterval{"weekend": {weekend}})
	if err != nil {
		panic(err)
	}
	for _, g := range tree.Route(model.LabelSet{"alertname": "SlowQuery", "team": "db", "instance": "db1"}) {
		fmt.Println(g.Key, "->", g.Receiver)
		by, next := tree.Muted(g.RouteID, time.Date(2026, 7, 4, 12, 0, 0, 0, time.UTC))
		fmt.Println("muted by", by, "until", next.Format(time.RFC3339))
	}
	// Output:
	// {}/{team="db"}:{alertname="SlowQuery"} -> db
	// muted by [weekend] until 2026-07-06T00:00:00Z
}
