package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// StillFiring is the reason of an update that only reminds people of an alert that goes on.
const StillFiring alarm.NotifyReason = "still firing"

// An Incident is one alert as a level-triggered remote shows it.
type Incident struct {
	ID    string // the remote's
	Alias string // ours
	Open  bool

	// Ours says that it carries our tag and our instance id. What does not is never touched.
	Ours bool

	Message  string
	Priority string
	Tags     []string
	Owner    string
	Count    int // of repeated creates; it may stop at a limit of the remote's

	Acknowledged   bool
	AcknowledgedBy string
	ClosedBy       string
	CreatedAt      time.Time
	UpdatedAt      time.Time
	ClosedAt       time.Time // zero if open, or not known
}

// A Belief is what the engine holds about one alias.
type Belief struct {
	Key   alarm.IntentionKey
	Alias string

	// Open says that the remote was told that it fires, and not yet that it ended.
	Open bool

	// Busy says that an intention for it is in the outbox or in hand.
	Busy bool

	// Elsewhere says that another remote was told: here it only protects what has its alias.
	Elsewhere bool

	// ClosedByHand says that its closing was reported and the policy leaves it closed.
	ClosedByHand bool

	Priority       string
	ToldAt         time.Time // when the remote last accepted a delivery of it
	Acknowledged   bool
	AcknowledgedBy string
	Data           []byte // what the receiver keeps: alarm.Told.Data
}

// A Situation is all that a reconciliation is decided from.
type Situation struct {
	Now time.Time

	// Fresh says that every source was read and none is stale.
	Fresh bool

	// Believed holds every alias of this instance id at any remote.
	Believed []Belief

	// Listed is what the remote shows as open now, Before what it showed at BeforeAt, at least one
	// interval ago. A zero BeforeAt means that there is no such list.
	Listed   []Incident
	Before   []Incident
	BeforeAt time.Time

	// Read holds what was read by alias of those that are believed open and are not listed. Open is
	// false where none is open; ClosedAt is then never zero.
	Read map[string]Incident

	// Approved says that a person allowed more closes than the guard lets through.
	Approved bool
}

// A StepAction is what a step of a reconciliation does.
type StepAction uint8

// The actions of a reconciliation.
const (
	StepWait         StepAction = iota // nothing yet; the reason says why
	StepRead                           // read the incident by its alias and decide again
	StepClose                          // ours, open there, and nothing fires for it: an orphan
	StepReopen                         // fires, and was closed there by a hand
	StepClosedByHand                   // as StepReopen, but the policy leaves it closed: show it
	StepAcknowledge                    // who works on it has changed: show it
	StepRemind                         // it goes on: tell people again, in a note
)

// String returns the action as logs and metrics print it.
func (a StepAction) String() string {
	return [...]string{"wait", "read", "close", "reopen", "closed_by_hand", "acknowledge", "remind"}[a]
}

// A Step is one thing that a reconciliation does, or does not do yet.
type Step struct {
	Action   StepAction
	Alias    string
	Reason   string // for people
	Belief   Belief // zero for an orphan
	Incident Incident

	// Until is when a wait for a policy's delay ends, or zero.
	Until time.Time

	// Passing says that it waits only because a delivery is under way, or was a moment ago.
	Passing bool
}

// drift says that the step stands for a difference between us and the remote.
func (s *Step) drift() bool {
	return s.Action != StepAcknowledge && s.Action != StepRemind && !s.Passing
}

// A Reconciliation is what was decided.
type Reconciliation struct {
	Steps []Step // sorted by alias

	// Guarded says why nothing is closed although orphans were found, or is empty.
	Guarded string
}

// Reconcile compares what we believe open with what the remote shows, and says how to make them
// agree. It asks nobody: the same situation gives the same steps.
//
//	believed   listed        then
//	open       open          acknowledgement and reminder, if due
//	open       no            read by alias; if open there, all is well; else reopen by policy
//	no         open, ours    close: if the list before shows it too, nothing is under way for its
//	                         alias, every source is fresh, and the guard lets it through
//	any        not ours      nothing, ever
func Reconcile(s Situation, p Policy) Reconciliation {
	p = p.withDefaults()
	believed := map[string]*Belief{}
	for i := range s.Believed {
		believed[s.Believed[i].Alias] = merge(believed[s.Believed[i].Alias], &s.Believed[i])
	}
	listed := map[string]*Incident{}
	before := map[string]bool{} // by id
	for i := range s.Listed {
		if in := &s.Listed[i]; in.Ours && in.Open {
			listed[in.Alias] = in
		}
	}
	for i := range s.Before {
		before[s.Before[i].ID] = s.Before[i].Ours && s.Before[i].Open
	}

	var r Reconciliation
	add := func(step Step, ok bool) {
		if ok {
			r.Steps = append(r.Steps, step)
		}
	}
	for alias, in := range listed {
		b := believed[alias]
		if b != nil && b.Open {
			add(agree(&s, p, b, in))
		} else {
			add(orphan(&s, p, b, in, before[in.ID]), true)
		}
	}
	for alias, b := range believed {
		if listed[alias] == nil && b.Open && !b.Elsewhere && !b.ClosedByHand {
			add(missing(&s, p, b))
		}
	}
	slices.SortFunc(r.Steps, func(a, b Step) int { return strings.Compare(a.Alias, b.Alias) })
	r.guard(&s, p, len(listed))
	return r
}

// merge joins two beliefs in one alias, which only a change of configuration makes: what protects
// more counts.
func merge(a, b *Belief) *Belief {
	if a == nil {
		return b
	}
	kept := *a
	if (!a.Open && b.Open) || (a.Open == b.Open && a.Elsewhere && !b.Elsewhere) {
		kept = *b
	}
	kept.Open, kept.Busy = a.Open || b.Open, a.Busy || b.Busy
	return &kept
}

// agree judges what is open on both sides.
func agree(s *Situation, p Policy, b *Belief, in *Incident) (Step, bool) {
	step := Step{Alias: b.Alias, Belief: *b, Incident: *in}
	switch {
	case b.Elsewhere:
		return step, false
	case in.Acknowledged != b.Acknowledged || in.AcknowledgedBy != b.AcknowledgedBy:
		step.Action, step.Reason = StepAcknowledge, "acknowledgement withdrawn"
		if in.Acknowledged {
			step.Reason = "acknowledged" + by(in.AcknowledgedBy)
		}
		return step, true
	case !b.Busy && !s.BeforeAt.IsZero() && p.rung(s.Now.Sub(in.CreatedAt)) > p.rung(s.BeforeAt.Sub(in.CreatedAt)):
		step.Action = StepRemind
		step.Reason = fmt.Sprintf("open for %s", s.Now.Sub(in.CreatedAt).Truncate(time.Minute))
		return step, true
	}
	return step, false
}

// orphan judges what is open there, ours, and not believed open.
func orphan(s *Situation, p Policy, b *Belief, in *Incident, listedBefore bool) Step {
	step := Step{Action: StepWait, Alias: in.Alias, Incident: *in}
	if b != nil {
		step.Belief = *b
	}
	switch {
	case b != nil && b.Busy:
		step.Reason, step.Passing = "a delivery for it is under way", true
	case !s.Fresh:
		step.Reason = "a source is stale or was not read yet"
	case !listedBefore || s.BeforeAt.IsZero() || s.Now.Sub(s.BeforeAt) < p.Interval:
		step.Reason = "seen once: the next list decides"
	default:
		step.Action, step.Reason = StepClose, "open here, but nothing fires for it"
	}
	return step
}

// missing judges what is believed open and not listed.
func missing(s *Situation, p Policy, b *Belief) (Step, bool) {
	step := Step{Action: StepWait, Alias: b.Alias, Belief: *b}
	if b.Busy {
		step.Reason, step.Passing = "a delivery for it is under way", true
		return step, true
	}
	if s.Now.Sub(b.ToldAt) < p.Settle {
		step.Reason, step.Passing = "told a moment ago: lists follow writes with delay", true
		return step, true
	}
	in, read := s.Read[b.Alias]
	step.Incident = in
	switch {
	case !read:
		step.Action, step.Reason = StepRead, "believed open, not listed"
		return step, true
	case in.Open:
		return agree(s, p, b, &in)
	}
	closed := "closed there" + by(in.ClosedBy) + " at " + in.ClosedAt.UTC().Format(time.RFC3339) + ", and still firing"
	rule := p.reopen(b.Priority)
	due := in.ClosedAt.Add(rule.After)
	switch {
	case rule.Never:
		step.Action, step.Reason = StepClosedByHand, closed
	case s.Now.Before(due):
		step.Reason, step.Until = closed+"; opened again at "+due.UTC().Format(time.RFC3339), due
	default:
		step.Action, step.Reason = StepReopen, closed
	}
	return step, true
}

// guard turns every close into a wait if there are too many of them.
func (r *Reconciliation) guard(s *Situation, p Policy, listed int) {
	closes := 0
	for i := range r.Steps {
		if r.Steps[i].Action == StepClose {
			closes++
		}
	}
	if s.Approved || closes <= max(p.GuardFloor, 0) || float64(closes) <= p.GuardShare*float64(listed) {
		return
	}
	r.Guarded = fmt.Sprintf("%d of %d open incidents would be closed, more than %.0f %%: approve it if that is right", closes, listed, 100*p.GuardShare)
	for i := range r.Steps {
		if step := &r.Steps[i]; step.Action == StepClose {
			step.Action, step.Reason = StepWait, "guarded: "+r.Guarded
		}
	}
}

func by(name string) string {
	if name == "" {
		return ""
	}
	return " by " + name
}
