package reference

import (
	"fmt"
	"strings"
	"time"
)

// A Kind is what a step does.
type Kind string

// What can happen.
const (
	Fire          Kind = "fire"   // a sender pushes the alert, or the source begins to list it
	End           Kind = "end"    // and that it has ended, or lists it no more
	MuteOn        Kind = "mute"   // a silence or window begins
	MuteOff       Kind = "unmute" // and ends
	Reload        Kind = "reload" // another configuration
	Acknowledge   Kind = "acknowledge"
	Unacknowledge Kind = "unacknowledge"
	CloseByHand   Kind = "close by hand"
	SourceDown    Kind = "source down"
	SourceUp      Kind = "source up"

	Refuse Kind = "webhooks refuse"
	Accept Kind = "webhooks accept"

	Kill  Kind = "kill -9"
	Term  Kind = "SIGTERM"
	Start Kind = "start" // what was killed

	Cut    Kind = "cut off from the database" // connections are refused
	Freeze Kind = "no answer from the database"
	Heal   Kind = "the database is back"

	Pause    Kind = "SIGSTOP"
	Continue Kind = "SIGCONT" // when another server leads, if one can

	Wait Kind = "wait" // a moment, in which whatever is under way goes on

	Settle Kind = "settle" // all is healed, and compared with the model
)

// unclean says that the outcome of what was under way may be lost.
func (k Kind) unclean() bool { return k == Kill || k == Cut || k == Freeze || k == Pause }

// Fault says that it befalls a server. The next step happens at the same time.
func (k Kind) Fault() bool { return k.unclean() || k == Term }

// A Step is one thing that happens.
type Step struct {
	Kind     Kind
	Alert    Alert
	Mute     Mute
	Variant  Variant
	Follower bool          // a fault of one that does not lead
	After    time.Duration // a fault comes so long after the next step began; a moment lasts so long
	Dice     uint64        // for what the model does not care about, such as which server is asked
}

// String is the step as a line of a script.
func (s Step) String() string {
	switch s.Kind {
	case Fire, End, Acknowledge, Unacknowledge, CloseByHand:
		return fmt.Sprintf("%s %s", s.Kind, s.Alert)
	case MuteOn, MuteOff:
		return fmt.Sprintf("%s %s", s.Kind, s.Mute)
	case Reload:
		return fmt.Sprintf("%s %s", s.Kind, [...]string{"by name", "by instance", "the team apart"}[s.Variant])
	}
	if s.Kind == Wait {
		return fmt.Sprintf("%s %s", s.Kind, s.After)
	}
	if !s.Kind.Fault() {
		return string(s.Kind)
	}
	who := "the leader"
	if s.Follower {
		who = "a follower"
	}
	return fmt.Sprintf("%s: %s, %s after the next step began", who, s.Kind, s.After)
}

// Script writes a trace for people, one step a line.
func Script(trace []Step) string {
	var b strings.Builder
	for i, s := range trace {
		fmt.Fprintf(&b, "%3d  %s\n", i, s)
	}
	return b.String()
}
