package notify

import (
	"cmp"
	"slices"
	"time"
)

// LastAttempts says how the last attempts at one integration ended, since the start.
type LastAttempts struct {
	Receiver, Integration string

	Accepted time.Time // the last that was accepted; zero if none was
	Failed   time.Time // the last that failed; zero if none did
	Err      string    // why it failed
}

// Attempts returns how the last attempts ended at each integration at which there was one, sorted by
// receiver and integration.
func (d *Deliverer) Attempts() []LastAttempts {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]LastAttempts, 0, len(d.last))
	for _, l := range d.last { // the order does not show: they are sorted below
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b LastAttempts) int {
		return cmp.Or(cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Integration, b.Integration))
	})
	return all
}

// attempted takes note of how an attempt ended.
func (d *Deliverer) attempted(e endpoint, at time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.last[e]
	l.Receiver, l.Integration = e.receiver, e.integration
	if err == nil {
		l.Accepted = at
	} else {
		l.Failed, l.Err = at, err.Error()
	}
	d.last[e] = l
}
