package source

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// A rule is an alerting rule as a server describes it.
type rule struct {
	group    string
	interval time.Duration // between evaluations

	name      string
	labels    model.LabelSet // templates, not expanded
	hold      time.Duration  // how long it is pending before it fires
	state     string
	health    string
	lastError string
	evaluated time.Time // zero if not since the server started
	alerts    []listed
	invalid   int // alerts that are of no use

	verdict
}

// A verdict says what a rule is worth as a witness.
type verdict struct {
	id       identity
	trouble  string // why it was not evaluated well, or nothing if it was
	omission string // why what it does not list may fire nevertheless, or nothing
}

// why says why nothing is known of what the rule does not list, or nothing if that has ended.
func (v *verdict) why() string { return cmp.Or(v.trouble, v.omission) }

// slack is how much later than after four intervals an evaluation may be.
const slack = 30 * time.Second

// findTrouble says why a rule was not evaluated well, so that what it lists is how things were before the
// trouble began; or nothing, if it was. The server's own clock says what time it is.
func (r *rule) findTrouble(now time.Time) string {
	switch {
	case r.health != "ok":
		return fmt.Sprintf("its health is %.20q", r.health)
	case r.lastError != "":
		return "its last evaluation failed"
	case r.evaluated.IsZero():
		return "it was not evaluated since its server started"
	case now.Sub(r.evaluated) > 4*cmp.Or(r.interval, time.Minute)+slack:
		return "it has not been evaluated for a long time"
	}
	return ""
}

// findOmission says why what a rule does not list may fire nevertheless, although it was evaluated
// well.
func (r *rule) findOmission() string {
	switch {
	case r.invalid > 0:
		return "some of what it lists is not valid"
	case len(r.alerts) == 0 && (r.state == "firing" || r.state == "pending"):
		return "it says that it is " + r.state + ", and lists nothing"
	}
	return ""
}

// An identity is what can be told of a rule by looking at its alerts: rules with the same identity
// are one.
type identity string

// A naming knows how the alerts of a rule are labelled.
type naming struct {
	grouped bool              // by vmalert, which adds the label alertgroup
	dropped []model.LabelName // are left out
}

// judge fills in the verdict. The time is that of the server's own clock.
func (n naming) judge(r *rule, now time.Time) {
	r.verdict = verdict{id: n.identity(r), trouble: r.findTrouble(now), omission: r.findOmission()}
}

const groupLabel = "alertgroup"

// labels returns those that all alerts of the rule have: its name, and its own labels unless they are
// templates.
func (n naming) labels(r *rule) model.LabelSet {
	fixed := maps.Clone(r.labels)
	maps.DeleteFunc(fixed, func(name model.LabelName, value model.LabelValue) bool {
		return value == "" || strings.Contains(string(value), "{{") || n.grouped && name == groupLabel
	})
	if fixed == nil {
		fixed = model.LabelSet{}
	}
	fixed[model.AlertNameLabel] = model.LabelValue(r.name)
	for _, name := range n.dropped {
		delete(fixed, name)
	}
	return fixed
}

func (n naming) identity(r *rule) identity {
	group := ""
	if n.grouped {
		group = r.group
	}
	return identity(group + "\xff" + n.labels(r).String())
}

// matchers match the alerts of the rule, and those of other rules only if nothing but a template tells
// them apart. A vmalert may have been told to leave the label alertgroup out, so it may be absent.
func (n naming) matchers(r *rule) matcher.Matchers {
	ms := matcher.FromLabels(n.labels(r))
	if n.grouped && !slices.Contains(n.dropped, groupLabel) {
		if m, err := matcher.New(matcher.Regexp, groupLabel, regexp.QuoteMeta(r.group)+"|"); err == nil {
			ms = append(ms, m).Sorted()
		}
	}
	return ms
}

// since is when an alert that fires began to. Servers say when its condition became true; it fires
// when that has lasted for as long as the rule wants, by the evaluation that lists it at the latest.
func (r *rule) since(a *listed) time.Time {
	if a.since.IsZero() {
		return a.since
	}
	fires := a.since.Add(r.hold)
	if fires.After(r.evaluated) {
		fires = r.evaluated
	}
	if fires.Before(a.since) {
		return a.since
	}
	return fires
}
