package route_test

import (
	"testing"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

// names are time intervals that exist, and never contain anything.
func names(all ...string) map[string][]timeinterval.TimeInterval {
	intervals := map[string][]timeinterval.TimeInterval{}
	for _, name := range all {
		intervals[name] = nil
	}
	return intervals
}

func TestNewSaysEverythingThatIsWrong(t *testing.T) {
	_, err := route.New(route.Route{
		Matchers:            matcher.MustParse(`a="b"`),
		Continue:            true,
		MuteTimeIntervals:   []string{"night"},
		ActiveTimeIntervals: []string{"day"},
		GroupBy:             []model.LabelName{"cluster", "", "cluster"},
		Routes: []route.Route{
			{Receiver: "fine"},
			{
				GroupBy: []model.LabelName{"cluster"}, GroupByAll: true, Labels: model.LabelSet{"ok": "", "\xff": "", "": ""},
				Wait: new(-time.Second), Interval: new(time.Duration(0)), Repeat: new(time.Duration(0)),
				Routes: []route.Route{{
					GroupBy:           []model.LabelName{"..."},
					MuteTimeIntervals: []string{"night", "nigth"}, ActiveTimeIntervals: []string{"dya"},
				}},
			},
		},
	}, names("night", "day"))

	require.EqualError(t, err, `route.receiver: the root must name a receiver
route.matchers: the root must not have any: what matches nothing else ends up there
route.continue: the root has no siblings to continue with
route.mute_time_intervals: the root must not have any
route.active_time_intervals: the root must not have any
route.group_by: invalid label name ""
route.group_by: label "cluster" occurs twice
route.routes[1].group_by: ... stands for all labels: it cannot have others beside it
route.routes[1].group_wait: must not be negative
route.routes[1].group_interval: must be more than zero
route.routes[1].repeat_interval: must be more than zero
route.routes[1].labels: invalid label name ""
route.routes[1].labels: invalid label name "\xff"
route.routes[1].routes[0].group_by: ... stands for all labels: set GroupByAll
route.routes[1].routes[0].mute_time_intervals: there is no time interval "nigth"
route.routes[1].routes[0].active_time_intervals: there is no time interval "dya"`)

	var first *route.InvalidError
	require.ErrorAs(t, err, &first)
	assert.Equal(t, &route.InvalidError{Path: "route.receiver", Problem: "the root must name a receiver"}, first)
}

func TestNewTakesWhatIsAllowed(t *testing.T) {
	_, err := route.New(route.Route{
		Receiver: "ops", GroupBy: []model.LabelName{},
		Routes: []route.Route{{Wait: new(time.Duration(0)), MuteTimeIntervals: []string{"night", "night"}}},
	}, names("night"))
	require.NoError(t, err)
}

// TestInheritance goes down one path and looks at each step.
func TestInheritance(t *testing.T) {
	tree, err := route.New(route.Route{
		Receiver: "root",
		Routes: []route.Route{{
			Matchers: matcher.MustParse(`depth=~"1|2|3|4|5"`),
			Receiver: "one", GroupBy: []model.LabelName{"b", "a"}, Wait: new(time.Second), Labels: model.LabelSet{"x": "1", "y": "1"},
			MuteTimeIntervals: []string{"night"}, ActiveTimeIntervals: []string{"day"},
			Routes: []route.Route{{
				Matchers:   matcher.MustParse(`depth=~"2|3|4|5"`),
				GroupByAll: true, Interval: new(time.Minute), Labels: model.LabelSet{"y": "2"},
				Routes: []route.Route{{
					Matchers: matcher.MustParse(`depth=~"3|4|5"`),
					Repeat:   new(time.Hour), Receiver: "three",
					Routes: []route.Route{{
						Matchers: matcher.MustParse(`depth=~"4|5"`),
						GroupBy:  []model.LabelName{},
						Routes:   []route.Route{{Matchers: matcher.MustParse(`depth="5"`), Wait: new(time.Duration(0)), MuteTimeIntervals: []string{"noon"}}},
					}},
				}},
			}},
		}},
	}, names("night", "day", "noon"))
	require.NoError(t, err)

	zero := route.Match{
		RouteID: `{}`, Key: `{}`, Path: []string{`{}`}, Receiver: "root",
		GroupBy: []model.LabelName{}, Labels: model.LabelSet{}, Wait: 30 * time.Second, Interval: 5 * time.Minute, Repeat: 4 * time.Hour,
	}
	one := zero
	one.RouteID, one.Key = `{}/{depth=~"1|2|3|4|5"}/0`, `{}/{depth=~"1|2|3|4|5"}`
	one.Path = []string{`{}`, `{depth=~"1|2|3|4|5"}`}
	one.Receiver, one.GroupBy, one.Wait, one.Labels = "one", []model.LabelName{"b", "a"}, time.Second, model.LabelSet{"x": "1", "y": "1"}
	one.MuteTimeIntervals, one.ActiveTimeIntervals = []string{"night"}, []string{"day"}
	two := one
	two.RouteID, two.Key = one.RouteID+`/{depth=~"2|3|4|5"}/0`, one.Key+`/{depth=~"2|3|4|5"}`
	two.Path = []string{`{}`, `{depth=~"1|2|3|4|5"}`, `{depth=~"2|3|4|5"}`}
	two.GroupBy, two.GroupByAll, two.Interval, two.Labels = nil, true, time.Minute, model.LabelSet{"x": "1", "y": "2"}
	two.MuteTimeIntervals, two.ActiveTimeIntervals = nil, nil
	three := two
	three.RouteID, three.Key = two.RouteID+`/{depth=~"3|4|5"}/0`, two.Key+`/{depth=~"3|4|5"}`
	three.Path = []string{`{}`, `{depth=~"1|2|3|4|5"}`, `{depth=~"2|3|4|5"}`, `{depth=~"3|4|5"}`}
	three.Receiver, three.Repeat = "three", time.Hour
	four := three
	four.RouteID, four.Key = three.RouteID+`/{depth=~"4|5"}/0`, three.Key+`/{depth=~"4|5"}`
	four.Path = []string{`{}`, `{depth=~"1|2|3|4|5"}`, `{depth=~"2|3|4|5"}`, `{depth=~"3|4|5"}`, `{depth=~"4|5"}`}
	four.GroupBy, four.GroupByAll = []model.LabelName{}, false
	five := four
	five.RouteID, five.Key = four.RouteID+`/{depth="5"}/0`, four.Key+`/{depth="5"}`
	five.Path = []string{`{}`, `{depth=~"1|2|3|4|5"}`, `{depth=~"2|3|4|5"}`, `{depth=~"3|4|5"}`, `{depth=~"4|5"}`, `{depth="5"}`}
	five.Wait, five.MuteTimeIntervals = 0, []string{"noon"}

	for depth, want := range map[model.LabelValue]route.Match{"": zero, "1": one, "2": two, "3": three, "4": four, "5": five} {
		assert.Equal(t, []route.Match{want}, tree.Match(model.LabelSet{"depth": depth}), depth)
	}
}
