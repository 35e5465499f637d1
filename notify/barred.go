package notify

import (
	"errors"
	"time"
)

// Who delivers under a lease must not begin after its end: another may deliver the same by then. The
// outbox refuses what is recorded too late, but what was sent is sent.

// barredFor is how long it takes at most to notice that the right to deliver was renewed.
const barredFor = 100 * time.Millisecond

// errBarred is why an attempt did not begin.
var errBarred = errors.New("the right to deliver has ended")

// barred says that nothing may begin now.
func (o *Options) barred(now time.Time) bool {
	until := o.Until()
	return !until.IsZero() && !now.Before(until)
}
