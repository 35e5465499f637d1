package dedupe

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// maxNamed bounds how many alerts a flood names one by one: receivers cut longer texts off.
const maxNamed = 100

// A floodTally counts the members of a flood while they come and go.
type floodTally struct {
	names, clusters map[string]int
	pairs           map[labelPair]int
	named           map[model.Fingerprint]*alarm.Alert // those of the highest severity
}

type labelPair struct {
	name  model.LabelName
	value model.LabelValue
}

func newFloodTally() floodTally {
	return floodTally{map[string]int{}, map[string]int{}, map[labelPair]int{}, map[model.Fingerprint]*alarm.Alert{}}
}

// count adds an alert, or takes it away if by is -1.
func (c *floodTally) count(a *alarm.Alert, by int) {
	tick(c.names, a.Name(), by)
	if cluster := string(a.Labels["cluster"]); cluster != "" {
		tick(c.clusters, cluster, by)
	}
	for name, value := range a.Labels {
		switch name {
		case model.AlertNameLabel, "severity", "cluster", "alertgroup", "prometheus", "job", "team": // they say what it is, not where
		default:
			tick(c.pairs, labelPair{name, value}, by)
		}
	}
}

// tick changes a count, and forgets it at zero.
func tick[K comparable](n map[K]int, key K, by int) {
	if n[key] += by; n[key] == 0 {
		delete(n, key)
	}
}

// describe is the prose of a flood: how many joined, counts by alert name, cluster and probable cause,
// and those of the highest severity one by one.
func (j *flooding) describe(w *wave) model.LabelSet {
	annotations := model.LabelSet{}
	set := func(name model.LabelName, text string) {
		if text != "" {
			annotations[name] = model.LabelValue(text)
		}
	}
	who := ""
	if team := w.Labels["team"]; team != "" {
		who = " for " + string(team)
	}
	names := counts(w.tally.names)
	set("summary", fmt.Sprintf("Flood of alerts%s: %d more than the %d pages within %s: %s",
		who, len(w.members), j.opts.Pages, j.opts.Within, names))
	set("by_alertname", names)
	set("by_cluster", counts(w.tally.clusters))
	set("probable_cause", w.tally.probableCause(len(w.members)))
	var named []string
	for _, fp := range slices.Sorted(maps.Keys(w.tally.named)) {
		if len(named) < maxNamed {
			named = append(named, w.tally.named[fp].Labels.String())
		}
	}
	set("highest_severity", list(named, len(w.tally.named)))
	var lines []string
	for _, name := range []model.LabelName{"by_alertname", "by_cluster", "probable_cause", "highest_severity"} {
		if text := annotations[name]; text != "" {
			lines = append(lines, strings.ReplaceAll(string(name), "_", " ")+": "+string(text))
		}
	}
	set("description", strings.Join(lines, "\n"))
	return annotations
}

// counts says how often each word occurs, the most frequent first.
func counts(n map[string]int) string {
	order := slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a, b)) })
	all := len(order)
	order = order[:min(all, maxNamed)]
	for i, w := range order {
		order[i] = fmt.Sprintf("%d %s", n[w], w)
	}
	return list(order, all)
}

// list joins words, and says how many more there are of all.
func list(words []string, all int) string {
	if over := all - len(words); over > 0 {
		words = append(words, fmt.Sprintf("and %d more", over))
	}
	return strings.Join(words, ", ")
}

// probableCause is the label that most of the alerts share, and how many do: at least two, and half of
// them. What the dependencies know as a cause is no member of a flood together with its impacts, so
// this looks for what nobody wrote a rule for. Labels that say what an alert is, rather than where, do
// not count; nor does the cluster, which is counted anyway.
func (c *floodTally) probableCause(all int) string {
	var best labelPair
	most := 0
	for p, n := range c.pairs { // the order does not show: the least of the most frequent counts
		if n > most || n == most && cmp.Or(cmp.Compare(p.name, best.name), cmp.Compare(p.value, best.value)) < 0 {
			best, most = p, n
		}
	}
	if most < 2 || 2*most < all {
		return ""
	}
	return fmt.Sprintf("%s=%q (%d of %d)", best.name, best.value, most, all)
}
