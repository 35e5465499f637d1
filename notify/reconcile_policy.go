package notify

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// A Policy says how a reconciliation decides. The zero value works.
type Policy struct {
	// Interval is the time between two reconciliations, and how long an orphan must have been seen.
	// Defaults to 5 min.
	Interval time.Duration

	// Reopen says, by priority such as P1, what to do about an incident that was closed by a hand
	// while its alert fires; ReopenDefault is for all others. The zero Reopen opens it again at once.
	Reopen        map[string]Reopen
	ReopenDefault Reopen

	// GuardShare is the share of our open incidents that one reconciliation may close, GuardFloor
	// how many it may close in any case. Default to 0.5 and 10; a negative floor means 0.
	GuardShare float64
	GuardFloor int

	// Settle is how long a list may lag behind a write. Defaults to 1 min.
	Settle time.Duration

	// Remind is the age at which an open incident is noted to go on; the next notes follow at twice
	// the age each. Zero means never: alarm.Engine reminds by itself (alarm.IntegrationSpec.Remind).
	Remind time.Duration
}

// A Reopen says what to do about an incident that was closed while its alert fires.
type Reopen struct {
	// Never leaves it closed until the alert ended and fires anew.
	Never bool

	// After is how long it stays closed before it is opened again.
	After time.Duration
}

func (p Policy) validate() error {
	var all []error
	if p.Interval < 0 || p.Settle < 0 {
		all = append(all, errors.New("interval and settle must not be negative"))
	}
	if p.GuardShare < 0 || p.GuardShare > 1 || math.IsNaN(p.GuardShare) {
		all = append(all, fmt.Errorf("guard share %v is not between 0 and 1", p.GuardShare))
	}
	for _, priority := range slices.Sorted(maps.Keys(p.Reopen)) {
		if p.Reopen[priority].After < 0 {
			all = append(all, fmt.Errorf("reopen %s after %s: must not be negative", priority, p.Reopen[priority].After))
		}
	}
	if p.ReopenDefault.After < 0 {
		all = append(all, fmt.Errorf("reopen after %s: must not be negative", p.ReopenDefault.After))
	}
	return errors.Join(all...)
}

func (p Policy) withDefaults() Policy {
	if p.Interval == 0 {
		p.Interval = 5 * time.Minute
	}
	if p.GuardShare == 0 {
		p.GuardShare = .5
	}
	if p.GuardFloor == 0 {
		p.GuardFloor = 10
	}
	if p.Settle == 0 {
		p.Settle = time.Minute
	}
	return p
}

func (p Policy) reopen(priority string) Reopen {
	if rule, ok := p.Reopen[priority]; ok {
		return rule
	}
	return p.ReopenDefault
}

// rung says how many reminders an incident of that age is due: at Remind, 2 x Remind, 4 x Remind.
func (p Policy) rung(age time.Duration) int {
	n := 0
	for at := p.Remind; at > 0 && at <= age; at *= 2 {
		n++
	}
	return n
}
