package alarm

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// RemoteKind is what somebody did at a remote.
type RemoteKind string

// What can happen to an alert at a remote without us.
const (
	RemoteAcknowledged   RemoteKind = "acknowledged"
	RemoteUnacknowledged RemoteKind = "unacknowledged"

	// RemoteClosed means that it is to be opened again, for it still fires: whoever reports it has
	// decided that already. RemoteLeftClosed means that it is not.
	RemoteClosed     RemoteKind = "closed"
	RemoteLeftClosed RemoteKind = "left closed"
)

// A RemoteChange is what somebody did at a remote to what we opened there.
type RemoteChange struct {
	Key  IntentionKey
	Kind RemoteKind
	At   time.Time
	By   string // who did it, if the remote says so
}

// A Standing is how one alert, or one group, stands at an integration, as far as we know.
type Standing struct {
	Key    IntentionKey
	Alert  *Alert    // as it is now; nil for a group, or if nobody knows it any more
	Wanted bool      // something fires, and nothing withholds it
	Open   bool      // the remote was told that it fires, and not yet that it ended
	Told   time.Time // when the remote last accepted something
	Busy   bool      // something is on its way there
	Data   []byte    // what the receiver keeps of it
	Acked  Acked     // somebody acknowledged it there
	Closed bool      // somebody closed it there, and it is left so
	Dead   bool      // what was to be told was refused for good
}

// Acked says who acknowledged an alert at a remote, and when. It is zero if nobody did.
type Acked struct {
	At time.Time
	By string
}

// Standings lists what an integration has open, or is to have, sorted by key.
func (e *Engine) Standings(ctx context.Context, receiver, integration string) ([]Standing, error) {
	if err := e.settle(ctx); err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	var all []Standing
	for key, channels := range e.channels { // the order does not show: they are sorted below
		if key.Receiver != receiver || key.Integration != integration {
			continue
		}
		all = append(all, e.standing(key, channels[0].group))
	}
	slices.SortFunc(all, func(a, b Standing) int { return compareKeys(a.Key, b.Key) })
	return all, nil
}

func (e *Engine) standing(key IntentionKey, g *group) Standing {
	s := Standing{Key: key, Busy: e.open[key] != nil, Dead: e.dead[key] != nil}
	for _, en := range g.members { // the order does not show: one is enough
		if g.level {
			s.Alert = en.alert
		}
		s.Wanted = s.Wanted || en.alert.State == Firing && !en.verdict.Withheld()
	}
	if t := e.told[key]; t != nil {
		s.Open, s.Told, s.Acked = len(t.Open) > 0, t.At, t.Acked
		s.Data, s.Closed = t.Data, s.Open && !t.ClosedThere.IsZero()
	}
	return s
}

// takeRemotes takes in what happened at remotes.
func (e *Engine) takeRemotes(now time.Time, changes []RemoteChange) {
	for _, c := range changes {
		t := e.told[c.Key]
		if t == nil || len(t.Open) == 0 || e.open[c.Key] != nil {
			continue // nothing of ours is open there, or what is on its way comes first
		}
		if c.At.IsZero() {
			c.At = now
		}
		next := *t
		switch c.Kind {
		case RemoteAcknowledged:
			if !t.Acked.At.IsZero() {
				continue
			}
			next.Acked = Acked{At: c.At, By: c.By}
		case RemoteUnacknowledged:
			if t.Acked.At.IsZero() {
				continue
			}
			next.Acked = Acked{}
		case RemoteClosed:
			next.Open, next.Sets, next.Acked, next.ClosedThere = nil, ToldSets{}, Acked{}, c.At
			next.ClosedBy = c.By
		case RemoteLeftClosed:
			if !t.ClosedThere.IsZero() {
				continue
			}
			next.Acked, next.ClosedThere, next.ClosedBy = Acked{}, c.At, c.By
		}
		e.setTold(&next)
		e.plan.Events = append(e.plan.Events, Event{Kind: "remote", Name: c.Key.String(), Note: c.note()})
		for _, ch := range e.channels[c.Key] {
			e.touch(now, ch.group)
		}
	}
}

func (c RemoteChange) note() string {
	if c.By == "" {
		return string(c.Kind)
	}
	return fmt.Sprintf("%s by %s", c.Kind, c.By)
}
