package dedupe

import (
	"slices"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// withoutReplicas returns a snapshot whose alerts lack the replica labels, or s itself if none has
// one. An alert that has no other labels keeps them: it would have no identity without.
func withoutReplicas(s *alarm.Snapshot, replicas []model.LabelName) *alarm.Snapshot {
	if !slices.ContainsFunc(s.Alerts, func(a alarm.Alert) bool { return countOf(a.Labels, replicas) > 0 }) {
		return s
	}
	stripped := *s
	stripped.Alerts = slices.Clone(s.Alerts)
	for i := range stripped.Alerts {
		a := &stripped.Alerts[i]
		if n := countOf(a.Labels, replicas); n == 0 || n == len(a.Labels) {
			continue
		}
		a.Labels = a.Labels.Clone()
		for _, name := range replicas {
			delete(a.Labels, name)
		}
		*a = a.WithFingerprint()
	}
	return &stripped
}

// countOf says how many of the labels are there.
func countOf(ls model.LabelSet, names []model.LabelName) int {
	n := 0
	for _, name := range names {
		if _, ok := ls[name]; ok {
			n++
		}
	}
	return n
}
