package alarm

import "time"

// storeRetry is how long a store that failed is left alone at first, and at last: reading the whole
// state again for each request that is refused would keep everybody from reading.
const (
	storeRetry     = time.Second
	storeRetryMost = 10 * time.Second
)

// An outage is a time in which the store could not be written. It is not over while to is zero.
type outage struct{ from, to time.Time }

// breakOff notes that what is in memory is not what is stored.
func (e *Engine) breakOff(now time.Time, err error) {
	e.broken = err
	e.trouble.Store(&err)
	if last := e.outage.Load(); last == nil || !last.to.IsZero() {
		e.outage.Store(&outage{from: now})
	}
	e.brokenUntil = now.Add(min(storeRetry<<min(e.brokenTimes, 4), storeRetryMost))
	e.brokenTimes++
	e.due.Store(e.brokenUntil.UnixNano())
}

// recovered notes that a commit succeeded.
func (e *Engine) recovered(now time.Time) {
	e.trouble.Store(nil)
	e.brokenTimes = 0
	if last := e.outage.Load(); last != nil && last.to.IsZero() {
		e.outage.Store(&outage{from: last.from, to: now})
	}
}

// Outage returns from when to when the store could last not be written: zero if it always could since
// the start, and without an end if it still cannot.
func (e *Engine) Outage() (from, to time.Time) {
	if last := e.outage.Load(); last != nil {
		return last.from, last.to
	}
	return time.Time{}, time.Time{}
}
