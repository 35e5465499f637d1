package alarm

import "time"

// An Observer counts what an engine does. The engine's goroutine calls it: it must not block.
type Observer interface {
	// Cycle is called after each cycle, with how long it took, its commit included, and what was
	// decided. The plan must not be kept or modified.
	Cycle(took time.Duration, p *Plan)

	// CommitFailed is called when a plan could not be committed: what it held was refused.
	CommitFailed()

	// Withheld is called for the alerts that a flush leaves out, by their first [Reason], or by
	// [MutedByInterval].
	Withheld(reason string, alerts int)
}

// MutedByInterval is what an Observer is told of alerts whose route is muted by a time interval.
const MutedByInterval = "mute_time_interval"

// nobody observes nothing.
type nobody struct{}

func (nobody) Cycle(time.Duration, *Plan) {}
func (nobody) CommitFailed()              {}
func (nobody) Withheld(string, int)       {}

// observeWithheld tells of the alerts that a flush leaves out.
func (e *Engine) observeWithheld(g *group) {
	var counts map[Reason]int
	for _, en := range g.members {
		if en.verdict.Withheld() {
			if counts == nil {
				counts = map[Reason]int{}
			}
			counts[en.verdict.Suppressions[0].Reason]++
		}
	}
	for reason, n := range counts { // the order does not show: they are counted
		e.opts.Observer.Withheld(string(reason), n)
	}
}

// Stats counts what an engine holds.
type Stats struct {
	Active     int            // alerts that fire, and that nothing withholds
	Suppressed int            // alerts that fire and are withheld
	ByReason   map[Reason]int // those, by their first reason
	Groups     int            // that are alive
	Intentions int            // that were committed and have no outcome yet
}

// Stats counts what the engine holds now.
func (e *Engine) Stats() Stats {
	s := Stats{ByReason: map[Reason]int{}}
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, en := range e.alerts { // the order does not show: they are counted
		switch {
		case en.alert.State != Firing:
		case en.verdict.Withheld():
			s.Suppressed++
			s.ByReason[en.verdict.Suppressions[0].Reason]++
		default:
			s.Active++
		}
	}
	for _, g := range e.groups {
		if !g.level {
			s.Groups++
		}
	}
	s.Intentions = len(e.open)
	return s
}
