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

// describe is the prose of a team's flood: how many joined, counts by alert name, cluster and probable
// cause, and those of the highest severity one by one.
func (j *flooding) describe(t *team) model.LabelSet {
	var names, clusters, worst []string
	var all []*alarm.Alert
	for _, fp := range slices.Sorted(maps.Keys(t.members)) {
		a := t.members[fp].alert
		all = append(all, a)
		names = append(names, a.Name())
		if c := a.Labels["cluster"]; c != "" {
			clusters = append(clusters, string(c))
		}
		if len(j.opts.Severities.Values) > 0 && j.rank(a) == 0 {
			worst = append(worst, a.Labels.String())
		}
	}
	annotations := model.LabelSet{}
	set := func(name model.LabelName, text string) {
		if text != "" {
			annotations[name] = model.LabelValue(text)
		}
	}
	who := ""
	if t.name != "" {
		who = " for " + t.name
	}
	set("summary", fmt.Sprintf("Flood of alerts%s: %d more than the %d pages within %s: %s",
		who, len(all), j.opts.Pages, j.opts.Within, counts(names)))
	set("by_alertname", counts(names))
	set("by_cluster", counts(clusters))
	set("probable_cause", probableCause(all))
	set("highest_severity", list(worst))
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
func counts(words []string) string {
	n := map[string]int{}
	for _, w := range words {
		n[w]++
	}
	order := slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a, b)) })
	for i, w := range order {
		order[i] = fmt.Sprintf("%d %s", n[w], w)
	}
	return list(order)
}

// list joins words, no more than fit.
func list(words []string) string {
	if over := len(words) - maxNamed; over > 0 {
		words = append(slices.Clip(words[:maxNamed]), fmt.Sprintf("and %d more", over))
	}
	return strings.Join(words, ", ")
}

// probableCause is the label that most of the alerts share, and how many do: at least two, and half of
// them. What the dependencies know as a cause is no member of a flood together with its impacts, so
// this looks for what nobody wrote a rule for. Labels that say what an alert is, rather than where, do
// not count; nor does the cluster, which is counted anyway.
func probableCause(all []*alarm.Alert) string {
	type pair struct {
		name  model.LabelName
		value model.LabelValue
	}
	n := map[pair]int{}
	for _, a := range all {
		for name, value := range a.Labels {
			if !slices.Contains([]model.LabelName{model.AlertNameLabel, "severity", "cluster", "alertgroup", "prometheus", "job", "team"}, name) {
				n[pair{name, value}]++
			}
		}
	}
	order := slices.SortedFunc(maps.Keys(n), func(a, b pair) int {
		return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a.name, b.name), cmp.Compare(a.value, b.value))
	})
	if len(order) == 0 || n[order[0]] < 2 || 2*n[order[0]] < len(all) {
		return ""
	}
	return fmt.Sprintf("%s=%q (%d of %d)", order[0].name, order[0].value, n[order[0]], len(all))
}
