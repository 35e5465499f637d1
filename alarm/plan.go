package alarm

import (
	"time"

	"github.com/prometheus/common/model"
)

// A Plan is all that one cycle decided. It is committed as a whole or not at all. What is both set
// and removed in one plan is removed.
type Plan struct {
	// At is the cycle's instant; Cycle counts cycles since the start.
	At    time.Time
	Cycle int64

	// Inputs are the changes that are written: never Refreshed ones. They go into the state and,
	// as inputs, into history.
	Inputs []Change

	// Forgotten are resolved alerts that nobody has to hear of any more. Their state is deleted.
	Forgotten []*Alert

	// Silences were set; RemovedSilences are the IDs of those whose retention is over.
	Silences        []*Silence
	RemovedSilences []string

	// Add, Update and Close are new rows of the outbox. Exclude are the verdicts that changed:
	// what is withheld now, with all reasons, and what no longer is.
	Add, Update, Close []Intention
	Exclude            []Verdict

	// Outcomes are the intentions that ended; their rows leave the outbox.
	Outcomes []Outcome

	// Groups were made, or their anchor moved; EndedGroups are the IDs of those that are empty.
	Groups      []GroupState
	EndedGroups []string

	// Told replaces what integrations know; DroppedTold is over: nothing is open and nothing is
	// worth remembering.
	Told        []Told
	DroppedTold []IntentionKey

	// Tellings are what each outcome means for single alerts: history can be asked for them.
	Tellings []Telling

	// Rows of Presence and Suppressors.
	Rows []Row

	// Events are further facts for history, such as a reload, or a source that went away.
	Events []Event
}

// A GroupState is what is kept of a group's timers.
type GroupState struct {
	Group   *Group
	Created time.Time
	Anchor  time.Time // the first flush; the later ones are at Anchor + k × Group.Interval
}

// A Telling says that a remote accepted that an alert fires, which it did not know, or that it ended.
type Telling struct {
	Fingerprint model.Fingerprint
	Key         IntentionKey
	At          time.Time // of the acceptance
	Resolved    bool
}

// An Event is a fact for history that is no change of an alert, verdict or delivery.
type Event struct {
	Kind string `json:"kind"`           // such as "reload", "source", "dropped"
	Name string `json:"name,omitempty"` // what it is about, such as the source's name
	Note string `json:"note,omitempty"`
}

// Empty says that the plan changes nothing that is stored.
func (p *Plan) Empty() bool {
	return len(p.Inputs) == 0 && len(p.Forgotten) == 0 && len(p.Silences) == 0 && len(p.RemovedSilences) == 0 &&
		len(p.Add) == 0 && len(p.Update) == 0 && len(p.Close) == 0 && len(p.Exclude) == 0 &&
		len(p.Outcomes) == 0 && len(p.Groups) == 0 && len(p.EndedGroups) == 0 &&
		len(p.Told) == 0 && len(p.DroppedTold) == 0 && len(p.Tellings) == 0 && len(p.Rows) == 0 && len(p.Events) == 0
}
