package alarm

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// An IntentionKey names one group at one integration of one receiver. There is at most one open
// intention for each.
type IntentionKey struct {
	Receiver    string // the receiver's name
	Integration string // the integration's kind and position, such as webhook[0]
	Group       string // Group.Key, or the alias of a single alert
}

// String returns the key as logs print it.
func (k IntentionKey) String() string { return k.Receiver + "/" + k.Integration + "/" + k.Group }

// Action is what a delivery does at the remote.
type Action uint8

// The actions of a plan.
const (
	Add    Action = iota // nothing is open there yet
	Update               // something is open, and differs
	Close                // nothing fires any more
)

// String returns the action as history, metrics and transcripts print it.
func (a Action) String() string { return [...]string{"add", "update", "close"}[a] }

// An Intention is a row of the outbox: that something is to be told, not yet what. The engine
// renders it when the Deliverer takes it.
type Intention struct {
	ID       int64 // unique, rising
	Key      IntentionKey
	GroupID  string // Group.ID of the group whose flush made it
	Action   Action
	Reason   NotifyReason
	At       time.Time // when it was planned
	Deadline time.Time // until when it is retried

	// Uncertain says that the remote may have accepted it already, without our knowing: an attempt
	// broke off, or we did. What ended meanwhile is told then, though it may never have been seen.
	// It is not stored: every intention that is restored is uncertain.
	Uncertain bool
}

// A Delivery is one message for one remote: an intention, rendered.
type Delivery struct {
	Intention

	Now         time.Time
	GroupKey    string
	GroupLabels model.LabelSet
	RouteID     string
	RouteLabels model.LabelSet // templates
	Repeat      time.Duration

	// Alerts are firing and resolved, in the order of Alertmanager's messages (job, instance, then
	// labels). EndsAt of a firing alert is zero. With send_resolved: false there are no resolved.
	Alerts []Alert

	// Team is whose route it is, if it is a team's.
	Team string

	// Data is what the integration returned with the last delivery of this key, such as Slack's
	// message timestamp. A receiver may replace it; the new value is kept with the outcome.
	Data []byte

	// Told are the sets that the remote knows after this delivery.
	Told ToldSets

	// Oldest is the StartsAt of the oldest alert that it tells as firing for the first time, or zero.
	Oldest time.Time

	// Notes are for people: that a cause explains it, that it flaps, that it was opened again and why.
	// Receivers that keep notes add each as one.
	Notes []string
}

// ToldSets are the alerts of one notification, as sorted hashes (see [Hash]).
type ToldSets struct {
	Firing   []uint64
	Resolved []uint64

	// Note is what a level-triggered remote was told beside that: Occurrences.Note.
	Note string
}

// An Outcome is what became of an intention.
type Outcome struct {
	ID  int64
	Key IntentionKey
	At  time.Time

	// Err is nil if the remote accepted it. Otherwise the intention is given up and the group is
	// judged again at its next flush.
	Err error

	// Uncertain says that the remote may have accepted it although Err is not nil, or that it may have
	// accepted an earlier attempt although nothing is left to say now.
	Uncertain bool

	// Unsent says that there was nothing left to say.
	Unsent bool

	Attempts int
	Told     ToldSets  // of the Delivery that was accepted
	Data     []byte    // of the Delivery that was accepted
	Oldest   time.Time // of the Delivery that was accepted
}

// Told is what one integration knows of one group: the notification log.
type Told struct {
	Key IntentionKey

	// At is the time of the last 2xx.
	At time.Time

	// Sets are those of the last notification. They decide when to speak again.
	Sets ToldSets

	// Open are the hashes of the alerts that were told firing and not yet told resolved, sorted.
	// They decide what must still be closed. It can hold more than Sets.Firing: alerts that were
	// told, and are muted now.
	Open []uint64

	// Data belongs to the integration.
	Data []byte

	// Acked says who acknowledged it there. It is forgotten with the next notification that closes it.
	Acked Acked

	// ClosedThere is when somebody closed it there although it fired, and ClosedBy who; zero once it
	// was opened again.
	ClosedThere time.Time
	ClosedBy    string
}

// A ReceiverSpec says what the engine has to know of a receiver.
type ReceiverSpec struct {
	Name         string
	Labels       map[string]string
	Integrations []IntegrationSpec

	// Fallback is the receiver that is told of an alert that a level-triggered integration refused for
	// good, or empty.
	Fallback string
}

// An IntegrationSpec says what the engine has to know of one integration of a receiver.
type IntegrationSpec struct {
	Name         string // kind and position, such as webhook[0]
	SendResolved bool

	// Level says that it is told of each alert by itself, at once, when its verdict changes:
	// without group_wait, group_interval or repeat_interval.
	Level bool

	// Remind is after what time a level-triggered integration is told that an alert goes on: then at
	// twice that time, four times, and so on, counted from the alert's beginning. Zero: never.
	Remind time.Duration
}

// Validate is a sanity check for store implementations and importers.
func (k IntentionKey) Validate() error {
	if k.Receiver == "" || k.Integration == "" {
		return fmt.Errorf("intention key %q: receiver and integration must not be empty", k)
	}
	return nil
}
