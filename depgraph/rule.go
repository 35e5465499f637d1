package depgraph

import (
	"errors"
	"fmt"
	"time"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// Kind says what a rule means for its impacts.
type Kind string

const (
	// Dependency withholds the impacts while a cause fires, and longer or shorter as the rule says. It
	// is what the empty Kind means.
	Dependency Kind = "dependency"

	// Inhibition mutes the impacts, as Alertmanager's inhibit_rules do.
	Inhibition Kind = "inhibition"
)

// Require says how many causes it takes to explain an impact.
type Require string

const (
	// Any single cause explains. It is what the empty Require means.
	Any Require = "any"

	// All causes that the topology knows have to fire.
	All Require = "all"

	// AtLeast means that so many of them as [Rule.Least] have to.
	AtLeast Require = "at_least"
)

// A Rule says which alerts explain which others. It must not be modified once a Graph has it. All but
// Name, Kind, Cause, Impact and the names in On are for a Dependency alone.
type Rule struct {
	// Name is given with each reason. State is kept by it, so that it should be unique; of rules
	// with the same name each finds its own as long as their order stays.
	Name string

	// Kind defaults to Dependency.
	Kind Kind

	// Cause and Impact match the alerts on both sides. Empty matchers match every alert.
	Cause, Impact matcher.Matchers

	// On are the labels whose values have to be the same on both sides.
	On []Pair

	// Via says that the cause is about something that what the impact is about depends on, directly
	// or not, as [Options.Topology] has it. Two that depend on each other explain nothing.
	Via bool

	// Require says how many causes it takes. Defaults to Any. With Via it counts entities that have
	// a cause, otherwise causes. All needs Via.
	Require Require

	// Least is how many AtLeast wants.
	Least int

	// Of chooses the entities that Require counts, out of those that the impact depends on: matchers
	// of their labels, beside which they have the labels name and kind. Defaults to those whose
	// labels do not contradict Cause.
	Of matcher.Matchers

	// AnySeverity lets a cause explain what is more severe than itself.
	AnySeverity bool

	// SilencedPass says that a cause which is silenced, or in a maintenance window, explains nothing.
	SilencedPass bool

	// KeepOpen leaves an impact open that is open at a level-triggered receiver. Otherwise it is
	// closed there, with a note.
	KeepOpen bool

	// HoldBack is how long an impact waits for a cause that comes later, counted from when it was
	// first seen to fire. One that was told is not held back. Defaults to 0.
	HoldBack time.Duration

	// Settle is how long an impact stays withheld after what explained it is over. Defaults to 0.
	Settle time.Duration

	// Max is how long the rule withholds an impact that goes on firing, counted from when it first
	// did, whatever its causes do meanwhile. 0, which is the default, means as long as somebody
	// knows of the cause; see [Options.Untold].
	Max time.Duration
}

// A Pair names the label of an impact and the label of a cause that have to have the same value. For a
// Dependency a label that is missing, or empty, agrees with none.
type Pair struct {
	Impact, Cause string

	// StripPort leaves ":9100" out of both values.
	StripPort bool

	// Optional says that a label that is missing, on either side, agrees with every value.
	Optional bool
}

// Same is a Pair of labels that have the same name on both sides.
func Same(label string) Pair { return Pair{Impact: label, Cause: label} }

// optionalMost bounds the optional pairs of one rule: an alert stands in two to that power pools.
const optionalMost = 4

// Validate returns everything that is wrong with the rule alone, or nil.
func (r *Rule) Validate(o Options) error {
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	optional := 0
	for _, p := range r.On {
		if p.Impact == "" || p.Cause == "" {
			refuse("a label to agree in has no name")
		}
		if p.Optional {
			optional++
		}
		if r.Kind == Inhibition && (p.Optional || p.StripPort) {
			refuse("Alertmanager's inhibition knows no optional labels and strips no ports: make it a dependency")
		}
	}
	switch r.Kind {
	case Inhibition:
		plain := Rule{Name: r.Name, Kind: r.Kind, Cause: r.Cause, Impact: r.Impact, On: r.On}
		if !r.same(&plain) {
			refuse("what is for dependencies alone has no meaning for an inhibition: make it a dependency")
		}
		return errors.Join(wrong...)
	case Dependency, "":
	default:
		refuse("kind %q is not known", r.Kind)
	}
	if optional > optionalMost {
		refuse("%d labels are optional, at most %d can be: make several rules of it", optional, optionalMost)
	}
	for _, d := range []time.Duration{r.HoldBack, r.Settle, r.Max} {
		if d < 0 {
			refuse("%s is less than no time", d)
		}
	}
	if r.Via && o.Topology == nil {
		refuse("it goes via the topology, and there is none")
	}
	r.validateRequire(optional > 0, refuse)
	return errors.Join(wrong...)
}

func (r *Rule) validateRequire(optional bool, refuse func(string, ...any)) {
	switch r.Require {
	case "", Any:
		if r.Least != 0 || len(r.Of) > 0 {
			refuse("how many and of which is given, but any one explains")
		}
		return
	case All:
		if !r.Via {
			refuse("only the topology knows how many all are: go via the topology, or require at least a number")
		}
	case AtLeast:
		if r.Least < 1 {
			refuse("at least %d is no requirement", r.Least)
		}
	default:
		refuse("requirement %q is not known", r.Require)
	}
	if len(r.Of) > 0 && !r.Via {
		refuse("what to count is a choice among entities: go via the topology")
	}
	if optional {
		refuse("causes are counted among those that agree in each label: none can be optional")
	}
}

// same says whether two rules agree in all that is for dependencies alone.
func (r *Rule) same(o *Rule) bool {
	return r.Via == o.Via && r.Require == o.Require && r.Least == o.Least && len(r.Of) == len(o.Of) &&
		r.AnySeverity == o.AnySeverity && r.SilencedPass == o.SilencedPass && r.KeepOpen == o.KeepOpen &&
		r.HoldBack == o.HoldBack && r.Settle == o.Settle && r.Max == o.Max
}
