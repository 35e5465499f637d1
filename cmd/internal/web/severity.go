package web

import (
	"slices"

	"github.com/prometheus/common/model"
)

// A severityScale orders alerts by how bad they are.
type severityScale struct {
	label  model.LabelName
	values []string // the worst first
}

func newSeverityScale(label string, values []string) severityScale {
	s := severityScale{label: "severity", values: []string{"critical", "error", "warning", "info", "none"}}
	if label != "" {
		s.label = model.LabelName(label)
	}
	if len(values) > 0 {
		s.values = slices.Clone(values)
	}
	return s
}

// severities is the scale of the configuration in force.
func (h *handler) severities() severityScale {
	if h.opts.Severities == nil {
		return newSeverityScale("", nil)
	}
	configured := h.opts.Severities()
	var values []string
	for _, s := range configured.Values {
		values = append(values, s.Name)
	}
	return newSeverityScale(string(configured.Label), values)
}

// unknownRank lies behind the worst and before all others: an alert that nobody classified may be
// anything.
const unknownRank = 1

// rank is low for what is bad.
func (s severityScale) rank(ls model.LabelSet) int {
	value := string(ls[s.label])
	for i, v := range s.values {
		if v == value {
			return 2 * i
		}
	}
	return unknownRank
}

// A tone is how loud the page shows a severity; it is a class of the style sheet.
type tone string

const (
	toneHigh  tone = "high"  // the worst severity
	toneMid   tone = "mid"   // anything between
	toneLow   tone = "low"   // what is for information
	tonePlain tone = "plain" // unknown
)

func (s severityScale) tone(rank int) tone {
	switch {
	case rank == 0:
		return toneHigh
	case rank == unknownRank:
		return tonePlain
	case rank > len(s.values): // the milder half, for ranks go in steps of two
		return toneLow
	default:
		return toneMid
	}
}
