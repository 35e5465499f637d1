package heartbeat

import (
	"errors"
	"fmt"
	"time"
)

// Vitals are the signs of a working server. Their zero value is one that did nothing yet.
type Vitals struct {
	// Cycle is when the last cycle ended whose changes were committed.
	Cycle time.Time

	// Sources is how many sources are configured, Fresh how many of them are not stale.
	Sources, Fresh int

	// Stored is the error of the last write to the store, or nil.
	Stored error

	// Waiting is when the delivery was planned that waits longest, or zero if none waits. Delivered
	// is when the last one ended, whatever became of it.
	Waiting, Delivered time.Time
}

// Limits say how old the signs may be. The zero value works.
type Limits struct {
	// Cycle is how old the last cycle may be. Defaults to 3 min.
	Cycle time.Duration

	// Outbox is how long deliveries may wait while none ends. One receiver that is down does not
	// count as long as another's deliveries end. Defaults to 10 min.
	Outbox time.Duration
}

// Judge returns everything that is wrong, or nil if the last cycle was good.
func (v Vitals) Judge(now time.Time, l Limits) error {
	if l.Cycle == 0 {
		l.Cycle = 3 * time.Minute
	}
	if l.Outbox == 0 {
		l.Outbox = 10 * time.Minute
	}
	var all []error
	switch age := now.Sub(v.Cycle); {
	case v.Cycle.IsZero():
		all = append(all, errors.New("no cycle was completed yet"))
	case age > l.Cycle:
		all = append(all, fmt.Errorf("the last cycle ended %s ago", age.Truncate(time.Second)))
	}
	if v.Sources > 0 && v.Fresh == 0 {
		all = append(all, fmt.Errorf("none of %d sources is fresh", v.Sources))
	}
	if v.Stored != nil {
		all = append(all, fmt.Errorf("the store cannot be written: %w", v.Stored))
	}
	if still := now.Sub(later(v.Waiting, v.Delivered)); !v.Waiting.IsZero() && still > l.Outbox {
		all = append(all, fmt.Errorf("the outbox stands still for %s", still.Truncate(time.Second)))
	}
	return errors.Join(all...)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
