package alarm

import "time"

// An Input is something for the engine to take in. All that it holds is committed together.
type Input struct {
	Snapshots []Snapshot
	Silences  []*Silence
	Outcomes  []Outcome
	Remotes   []RemoteChange
	Dead      []DeadOrder
	Events    []Event // for history alone
	Rows      []Row   // of who submits: they are kept as those of parts are, and Build is given them
	Pulse     bool    // the store is to be written, whatever else there is
	Reload    *Reload
}

// A Reload replaces the configuration. Without a Build the parts are made anew by the one in force, because
// something else that it looks at has changed: then groups go on as they are.
type Reload struct {
	Build Build
	Note  string // for history, such as the configuration's hash
}

// Build makes the engine's parts out of a configuration and what is stored. The engine calls it at
// the start, at each reload, and after a failed commit, when what the old parts decided never came
// to be. It must keep nothing of s that it intends to modify.
type Build func(now time.Time, s *Stored) (Parts, error)

// Parts are what an engine is made of.
type Parts struct {
	Presence    Presence
	Suppressors []Suppressor
	Router      Router
	Receivers   []ReceiverSpec
}

// Receiver returns the spec of a receiver, or nil.
func (p *Parts) Receiver(name string) *ReceiverSpec {
	for i := range p.Receivers {
		if p.Receivers[i].Name == name {
			return &p.Receivers[i]
		}
	}
	return nil
}
