package route

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// What the root has where it says nothing.
const (
	DefaultWait     = 30 * time.Second
	DefaultInterval = 5 * time.Minute
	DefaultRepeat   = 4 * time.Hour
)

// A Route describes one node of the tree and all nodes below it.
type Route struct {
	// Receiver is who is told. Empty inherits; the root must have one.
	Receiver string

	// GroupBy are the labels by which alerts are told apart into groups. Nil inherits, and the root
	// has one group for all; empty makes one group for all.
	GroupBy []model.LabelName

	// GroupByAll groups by all labels there are, so that each alert is told by itself. GroupBy must
	// be nil then. A child that inherits GroupBy inherits this, too.
	GroupByAll bool

	// Wait, Interval and Repeat are group_wait, group_interval and repeat_interval. Nil inherits;
	// the root has DefaultWait, DefaultInterval and DefaultRepeat.
	Wait, Interval, Repeat *time.Duration

	// Matchers must all match. The root must have none.
	Matchers matcher.Matchers

	// Continue lets what matches here try the siblings to the right as well. The root must not set
	// it.
	Continue bool

	// MuteTimeIntervals and ActiveTimeIntervals name time intervals. They hold for this node only:
	// no child inherits them. The root must have none.
	MuteTimeIntervals, ActiveTimeIntervals []string

	// Labels are merged into what is inherited. Their values are templates.
	Labels model.LabelSet

	// Routes are the children, in the order in which they are tried.
	Routes []Route
}

// An InvalidError is one problem of a [Route]. It is returned by [New].
type InvalidError struct {
	// Path is where the problem is, such as route.routes[2].group_by: the names are those of
	// Alertmanager's configuration.
	Path string

	// Problem says what is wrong.
	Problem string
}

// Error returns path and problem.
func (e *InvalidError) Error() string { return e.Path + ": " + e.Problem }

// problems collects everything that is wrong with the tree.
func (r *Route) problems(intervals map[string][]timeinterval.TimeInterval) []error {
	const root = "route"
	var all []error
	add := func(field, problem string) {
		all = append(all, &InvalidError{Path: root + "." + field, Problem: problem})
	}
	if r.Receiver == "" {
		add("receiver", "the root must name a receiver")
	}
	if len(r.Matchers) > 0 {
		add("matchers", "the root must not have any: what matches nothing else ends up there")
	}
	if r.Continue {
		add("continue", "the root has no siblings to continue with")
	}
	if len(r.MuteTimeIntervals) > 0 {
		add("mute_time_intervals", "the root must not have any")
	}
	if len(r.ActiveTimeIntervals) > 0 {
		add("active_time_intervals", "the root must not have any")
	}
	return r.nodeProblems(root, intervals, all)
}

// nodeProblems appends what is wrong with a node, wherever it stands, and with those below it.
func (r *Route) nodeProblems(path string, intervals map[string][]timeinterval.TimeInterval, all []error) []error {
	add := func(field, format string, args ...any) {
		all = append(all, &InvalidError{Path: path + "." + field, Problem: fmt.Sprintf(format, args...)})
	}
	if r.GroupByAll && r.GroupBy != nil {
		add("group_by", "... stands for all labels: it cannot have others beside it")
	}
	for i, name := range r.GroupBy {
		if name == "..." {
			add("group_by", "... stands for all labels: set GroupByAll")
		} else if !matcher.ValidName(string(name)) {
			add("group_by", "invalid label name %q", name)
		}
		if slices.Contains(r.GroupBy[:i], name) {
			add("group_by", "label %q occurs twice", name)
		}
	}
	if r.Wait != nil && *r.Wait < 0 {
		add("group_wait", "must not be negative")
	}
	if r.Interval != nil && *r.Interval <= 0 {
		add("group_interval", "must be more than zero")
	}
	if r.Repeat != nil && *r.Repeat <= 0 {
		add("repeat_interval", "must be more than zero")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		if !matcher.ValidName(string(name)) {
			add("labels", "invalid label name %q", name)
		}
	}
	for _, name := range r.MuteTimeIntervals {
		if _, ok := intervals[name]; !ok {
			add("mute_time_intervals", "there is no time interval %q", name)
		}
	}
	for _, name := range r.ActiveTimeIntervals {
		if _, ok := intervals[name]; !ok {
			add("active_time_intervals", "there is no time interval %q", name)
		}
	}
	for i := range r.Routes {
		all = r.Routes[i].nodeProblems(fmt.Sprintf("%s.routes[%d]", path, i), intervals, all)
	}
	return all
}
