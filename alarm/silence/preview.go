package silence

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A Guard says which silences are asked about before they mute. The zero value asks about none.
type Guard struct {
	// Alerts is how many alerts that fire now a silence may mute unasked. Zero is any number.
	Alerts int

	// Severity is the severity of which it may mute none unasked, nor of a worse one. Empty is none.
	Severity string

	// Severities order the severities. Without an order only Severity itself is guarded.
	Severities alarm.Severities
}

// Guarded says whether an alert with these labels is one of the severities that nobody mutes unasked.
func (g *Guard) Guarded(ls model.LabelSet) bool {
	if g.Severity == "" {
		return false
	}
	label := g.Severities.Label
	if label == "" {
		label = "severity"
	}
	if string(ls[label]) == g.Severity {
		return true
	}
	rank, known := g.Severities.Rank(ls)
	limit, ranked := g.Severities.Rank(model.LabelSet{label: model.LabelValue(g.Severity)})
	return known && ranked && rank < limit
}

// A Hit is an alert that fires and would be muted.
type Hit struct {
	Fingerprint model.Fingerprint `json:"-"`
	Labels      model.LabelSet    `json:"labels"`
	StartsAt    time.Time         `json:"startsAt"`
	Guarded     bool              `json:"guarded,omitempty"`  // of a severity that nobody mutes unasked
	Withheld    bool              `json:"withheld,omitempty"` // already, for another reason
}

// A NameCount is how many alerts of one name there were.
type NameCount struct {
	Name   string `json:"alertname"`
	Alerts int    `json:"alerts"`
}

// A Preview is what a silence would hit.
type Preview struct {
	Now     int   `json:"now"`     // so many fire
	Guarded int   `json:"guarded"` // so many of them of a severity that nobody mutes unasked
	Hits    []Hit `json:"alerts"`  // the first of them, the guarded ones on top

	Past     int         `json:"past"`       // so many fired since Since
	Since    time.Time   `json:"since"`      // earlier history was not looked at
	PastTop  []NameCount `json:"pastAlerts"` // by name, the most frequent first
	Complete bool        `json:"complete"`   // Since is as far back as was asked

	// Confirm says why somebody has to confirm it, or is empty.
	Confirm []string `json:"confirm"`
}

// A Sighting is an alert that fired at some time in the past.
type Sighting struct {
	Fingerprint model.Fingerprint
	Labels      model.LabelSet
}

// maxHits bounds the lists of a preview.
const maxHits = 20

// Look returns what a silence with these matchers would hit: of the alerts that are active now, and of
// those that fired in the past. Each sighting counts once.
func Look(ms matcher.Matchers, now []alarm.Reading, past []Sighting, g Guard) Preview {
	p := Preview{Hits: []Hit{}, PastTop: []NameCount{}, Confirm: []string{}}
	for _, r := range now {
		a := r.Alert
		if a.State != alarm.Firing || !ms.Matches(a.Labels) {
			continue
		}
		hit := Hit{Fingerprint: a.Fingerprint(), Labels: a.Labels, StartsAt: a.StartsAt, Guarded: g.Guarded(a.Labels), Withheld: r.Verdict.Withheld()}
		if p.Now++; hit.Guarded {
			p.Guarded++
		}
		p.Hits = append(p.Hits, hit)
	}
	slices.SortStableFunc(p.Hits, func(a, b Hit) int {
		return cmp.Or(order(b.Guarded)-order(a.Guarded), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	p.Hits = slices.Clip(p.Hits[:min(maxHits, len(p.Hits))])
	p.past(ms, past)
	if g.Alerts > 0 && p.Now > g.Alerts {
		p.Confirm = append(p.Confirm, fmt.Sprintf("it would mute %d alerts that fire now, more than %d", p.Now, g.Alerts))
	}
	if p.Guarded > 0 {
		p.Confirm = append(p.Confirm, fmt.Sprintf("it would mute %d of severity %s", p.Guarded, g.Severity))
	}
	return p
}

func order(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *Preview) past(ms matcher.Matchers, past []Sighting) {
	seen, counts := map[model.Fingerprint]bool{}, map[string]int{}
	for _, s := range past {
		if seen[s.Fingerprint] || !ms.Matches(s.Labels) {
			continue
		}
		seen[s.Fingerprint] = true
		p.Past++
		counts[string(s.Labels[model.AlertNameLabel])]++
	}
	for name, n := range counts { // sorted below
		p.PastTop = append(p.PastTop, NameCount{name, n})
	}
	slices.SortFunc(p.PastTop, func(a, b NameCount) int { return cmp.Or(b.Alerts-a.Alerts, cmp.Compare(a.Name, b.Name)) })
	p.PastTop = slices.Clip(p.PastTop[:min(maxHits, len(p.PastTop))])
}
