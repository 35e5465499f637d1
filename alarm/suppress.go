package alarm

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// A Suppressor says why alerts that are true are not worth waking anyone for.
type Suppressor interface {
	// Name is the suppressor's word in verdicts, metrics and history, such as "silence".
	Name() string

	// Judge gives its complete reasons for every alert that v's changes touch, and when it wants
	// to be asked again. It depends only on its arguments and on the indexes that it built from
	// earlier ones: no clock, no I/O, no change to v. The first call after construction has every
	// alert among its changes.
	Judge(now time.Time, v View) Judgement
}

// An Overduer is a Suppressor whose reasons end although what they speak of goes on: explanations ask it.
type Overduer interface {
	// Overdue returns what would still withhold the alert, had it not done so for as long as it may. It
	// may be called by any goroutine.
	Overdue(model.Fingerprint) []Suppression
}

// A View is what a Suppressor may look at.
type View struct {
	// Changes are the alerts that changed since the last call, sorted by fingerprint. A Refreshed
	// alert is among them only at the first call: whatever depends on EndsAt waits for Ended, which
	// Presence gives in time. After Ended an index can drop the alert until it Appeared again: what
	// may still come is Changed, with State Resolved.
	Changes []Change

	// Silences are those that were set, ended or removed since the last call.
	Silences []SilenceChange

	// Rejudged are the alerts of which the suppressors before this one say something else than at the
	// last call, sorted. What depends on Reasons looks at these beside the Changes.
	Rejudged []model.Fingerprint

	// Reasons returns what the suppressors before this one say of an alert, in this cycle.
	Reasons func(model.Fingerprint) []Suppression

	// Alert returns an alert as it is now, or nil if nobody knows it.
	Alert func(model.Fingerprint) *Alert

	// Told says whether a receiver knows that the alert fires, and not yet that it ended. That changes
	// after the cycle: a reason that is withdrawn once an alert was told comes too late for it.
	Told func(model.Fingerprint) bool
}

// A Judgement is what a Suppressor returns.
type Judgement struct {
	// Judged are the alerts that were judged, changed or not, sorted. Whatever this suppressor
	// said of them before no longer counts.
	Judged []model.Fingerprint

	// Reasons are the complete reasons for the alerts in Judged, sorted by fingerprint.
	Reasons []Suppression

	// Raised are alerts of the suppressor's own that began, changed or ended: each with RaisedBy set to
	// its name, sorted by fingerprint. They are alerts like any other: stored, routed, and judged by
	// every suppressor, those before this one included, in the same cycle. A suppressor that raises
	// finds the alerts that it raised before a restart among the changes of its first call, and ends
	// those for which there is no cause any more. An alert with the same labels that a source reports
	// comes first.
	Raised []Change

	// Rows are to be persisted with the plan.
	Rows []Row

	// Next is when the suppressor wants to be asked again, or zero.
	Next time.Time
}

// Reason is the kind of a suppression, as verdicts, metrics and pages name it.
type Reason string

// The reasons that are known today.
const (
	ReasonSilence    Reason = "silence"    // a person's
	ReasonWindow     Reason = "window"     // planned maintenance
	ReasonActivity   Reason = "activity"   // nobody uses the environment
	ReasonInhibition Reason = "inhibition" // one of Alertmanager's inhibit_rules
	ReasonDependency Reason = "dependency" // another alert explains it
	ReasonRollup     Reason = "rollup"     // it is one of many that one alert stands for
	ReasonHold       Reason = "hold"       // it may be transient
	ReasonFlood      Reason = "flood"      // it joined a flood
)

// Reasons returns all that are known, in the order of the suppressors.
func Reasons() []Reason {
	return []Reason{
		ReasonSilence, ReasonWindow, ReasonActivity, ReasonRollup, ReasonDependency, ReasonInhibition, ReasonHold, ReasonFlood,
	}
}

// A Suppression is one reason for withholding one alert.
type Suppression struct {
	Fingerprint model.Fingerprint `json:"-"` // the alert that is withheld
	Reason      Reason            `json:"reason"`
	By          string            `json:"by"`              // the silence's ID, or the cause's fingerprint
	Root        string            `json:"root,omitempty"`  // the first cause's fingerprint, if causes form a chain
	Close       bool              `json:"close,omitempty"` // what is open in a level-triggered receiver is closed there
	Rule        string            `json:"rule,omitempty"`  // the rule that says so, if it has a name
	Note        string            `json:"note,omitempty"`  // for people
	Since       time.Time         `json:"since,omitzero"`  // from when on
	Until       time.Time         `json:"until,omitzero"`  // zero: until what caused it ends
}

// A Verdict is what was decided about one alert, and why.
type Verdict struct {
	Fingerprint  model.Fingerprint
	At           time.Time     // when it came to be so
	Suppressions []Suppression // in the order of the suppressors; empty: it may be told
}

// reasons returns the suppressions, or nothing.
func (v *Verdict) reasons() []Suppression {
	if v == nil {
		return nil
	}
	return v.Suppressions
}

// closes says whether a level-triggered receiver is to close the alert although it fires.
func (v *Verdict) closes() bool {
	return slices.ContainsFunc(v.reasons(), func(s Suppression) bool { return s.Close })
}

// Withheld says whether the alert is kept from being told.
func (v *Verdict) Withheld() bool { return v != nil && len(v.Suppressions) > 0 }
