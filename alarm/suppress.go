package alarm

import (
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

// A View is what a Suppressor may look at.
type View struct {
	// Changes are the alerts that changed since the last call, sorted by fingerprint. A Refreshed
	// alert is among them only at the first call: whatever depends on EndsAt waits for Ended, which
	// Presence gives in time. After Ended an index can drop the alert until it Appeared again: what
	// may still come is Changed, with State Resolved.
	Changes []Change

	// Silences are those that were set, ended or removed since the last call.
	Silences []SilenceChange

	// Reasons returns what the suppressors before this one say of an alert, in this cycle.
	Reasons func(model.Fingerprint) []Suppression
}

// A Judgement is what a Suppressor returns.
type Judgement struct {
	// Judged are the alerts that were judged, changed or not, sorted. Whatever this suppressor
	// said of them before no longer counts.
	Judged []model.Fingerprint

	// Reasons are the complete reasons for the alerts in Judged, sorted by fingerprint.
	Reasons []Suppression

	// Rows are to be persisted with the plan.
	Rows []Row

	// Next is when the suppressor wants to be asked again, or zero.
	Next time.Time
}

// Reason is the kind of a suppression, as verdicts, metrics and pages name it.
type Reason string

// The reasons that are known today.
const (
	ReasonSilence    Reason = "silence"
	ReasonInhibition Reason = "inhibition"
)

// A Suppression is one reason for withholding one alert.
type Suppression struct {
	Fingerprint model.Fingerprint `json:"-"` // the alert that is withheld
	Reason      Reason            `json:"reason"`
	By          string            `json:"by"`             // the silence's ID, or the cause's fingerprint
	Rule        string            `json:"rule,omitempty"` // the rule that says so, if it has a name
	Note        string            `json:"note,omitempty"` // for people
	Since       time.Time         `json:"since,omitzero"` // from when on
	Until       time.Time         `json:"until,omitzero"` // zero: until what caused it ends
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

// Withheld says whether the alert is kept from being told.
func (v *Verdict) Withheld() bool { return v != nil && len(v.Suppressions) > 0 }
