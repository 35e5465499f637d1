package server

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
	"github.com/tocsin/tocsin/notify"
)

// A routeQuestion is an alert that might fire at some time.
type routeQuestion struct {
	labels model.LabelSet
	at     time.Time
}

// parseRouteQuestion reads labels such as alertname="X",cluster="y", and perhaps a time after an @.
func parseRouteQuestion(text string, now time.Time) (routeQuestion, error) {
	q := routeQuestion{labels: model.LabelSet{}, at: now}
	list := text
	if before, after, ok := cutLast(text, "@"); ok {
		at, err := parseInstant(strings.TrimSpace(after))
		if err != nil {
			return q, fmt.Errorf("--route %q: %w", text, err)
		}
		list, q.at = before, at
	}
	ms, err := matcher.Parse(strings.TrimSpace(list))
	if err != nil {
		return q, fmt.Errorf("--route %q: %w", text, err)
	}
	for _, m := range ms {
		if m.Type != matcher.Equal {
			return q, fmt.Errorf("--route %q: %s is a condition, not a label: write %s=\"…\"", text, m, m.Name)
		}
		q.labels[model.LabelName(m.Name)] = model.LabelValue(m.Value)
	}
	if len(q.labels) == 0 {
		return q, fmt.Errorf("--route %q: it has no labels: write alertname=\"X\",cluster=\"y\"", text)
	}
	return q, nil
}

// cutLast is strings.Cut at the last separator that stands outside quotes.
func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 || strings.Count(s[i:], `"`) > 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// parseInstant reads a time as RFC 3339 has it, seconds optional.
func parseInstant(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write one such as 2027-01-01T03:00Z", s)
}

// printRoute says where an alert would go: each path from the root, the team, the receiver, the timers,
// and what would mute it then.
func printRoute(w io.Writer, a *assembly, q routeQuestion) error {
	c := a.config
	tree, err := route.New(c.Route(), c.TimeIntervals(), c.Teams()...)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s at %s\n", q.labels, q.at.Format(time.RFC3339))
	for _, window := range c.Windows() {
		if until, mutes := mutedBy(window, q); mutes {
			fmt.Fprintf(w, "  muted by window %s%s\n", window.Name, untilWords(until))
		}
	}
	for _, m := range tree.Match(q.labels) {
		fmt.Fprintf(w, "  path       %s\n", strings.Join(m.Path, " / "))
		if m.Team != "" {
			fmt.Fprintf(w, "  team       %s\n", m.Team)
		}
		fmt.Fprintf(w, "  receiver   %s (%s)\n", m.Receiver, integrationNames(a.receivers[m.Receiver]))
		fmt.Fprintf(w, "  group_by   %s\n", groupedBy(m))
		fmt.Fprintf(w, "  timers     group_wait %s, group_interval %s, repeat_interval %s\n",
			model.Duration(m.Wait), model.Duration(m.Interval), model.Duration(m.Repeat))
		if by, until := tree.Muted(m.RouteID, q.at); len(by) > 0 {
			fmt.Fprintf(w, "  muted      by time interval %s%s\n", strings.Join(by, ", "), untilWords(until))
		}
	}
	if !tree.Owned(q.labels) {
		fmt.Fprintln(w, "  unowned    neither a team nor a route but the root takes it")
	}
	return nil
}

// mutedBy says whether a window mutes the alert of a question, and when its occurrence ends. An alert that
// begins in the window's grace is told.
func mutedBy(window *alarm.Silence, q routeQuestion) (until time.Time, mutes bool) {
	now, ok := window.Latest(q.at)
	if !ok || !q.at.Before(now.End) || !window.Matchers.Matches(q.labels) {
		return time.Time{}, false
	}
	return now.End.In(q.at.Location()), true
}

func groupedBy(m route.Match) string {
	if m.GroupByAll {
		return "..."
	}
	names := make([]string, 0, len(m.GroupBy))
	for _, name := range m.GroupBy {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return cmp.Or(strings.Join(names, ", "), "nothing: one group for all")
}

func integrationNames(integrations []notify.Integration) string {
	names := make([]string, 0, len(integrations))
	for _, in := range integrations {
		names = append(names, in.Name)
	}
	return cmp.Or(strings.Join(names, ", "), "nobody: it has no integrations")
}

func untilWords(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " until " + t.Format(time.RFC3339)
}
