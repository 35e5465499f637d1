package opsgenie

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tocsin/tocsin/notify"
)

// A domain is what the service counts requests by.
type domain string

const (
	domainAlert     domain = "alert"
	domainSearch    domain = "search"
	domainHeartbeat domain = "heartbeat"
)

// AccountOptions are the rates that an account allows, in requests per second. The service's own
// depend on plan and users: [Client.AskLimits] asks for them.
type AccountOptions struct {
	// Alert is for everything about single alerts. Defaults to 10, with a burst of 20.
	Alert      rate.Limit
	AlertBurst int

	// Search is for lists. Defaults to 2, with a burst of 5.
	Search      rate.Limit
	SearchBurst int

	// Heartbeat is for heartbeats. Defaults to 2, with a burst of 5.
	Heartbeat      rate.Limit
	HeartbeatBurst int
}

// An Account is a set of token buckets, one for each domain of requests. Clients with the same
// account share it. Its methods may be called concurrently.
type Account struct {
	mu    sync.Mutex // guards what follows
	rates map[domain]*rate.Limiter
	until map[domain]time.Time // the service wants to be left alone until then
}

// NewAccount returns an account with full buckets.
func NewAccount(o AccountOptions) *Account {
	a := &Account{rates: map[domain]*rate.Limiter{}, until: map[domain]time.Time{}}
	for _, d := range []struct {
		domain       domain
		limit, usual rate.Limit
		burst, most  int
	}{
		{domainAlert, o.Alert, 10, o.AlertBurst, 20},
		{domainSearch, o.Search, 2, o.SearchBurst, 5},
		{domainHeartbeat, o.Heartbeat, 2, o.HeartbeatBurst, 5},
	} {
		if d.limit <= 0 {
			d.limit = d.usual
		}
		if d.burst <= 0 {
			d.burst = d.most
		}
		a.rates[d.domain] = rate.NewLimiter(d.limit, d.burst)
	}
	return a
}

// wait returns when a request of the domain may be sent. It returns a [notify.ThrottledError] at
// once if that would be after the context's deadline, or while the service refuses.
func (a *Account) wait(ctx context.Context, d domain) error {
	now := time.Now()
	a.mu.Lock()
	limiter, pause := a.rates[d], a.until[d].Sub(now)
	a.mu.Unlock()
	if pause > 0 {
		return &notify.ThrottledError{After: pause, Err: fmt.Errorf("requests about %s are refused for now", d)}
	}
	reserved := limiter.ReserveN(now, 1)
	delay := reserved.DelayFrom(now)
	if delay == 0 {
		return ctx.Err()
	}
	if end, ok := ctx.Deadline(); ok && now.Add(delay).After(end) {
		reserved.CancelAt(now)
		return &notify.ThrottledError{After: delay, Err: fmt.Errorf("our own rate limit for requests about %s is reached", d)}
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		reserved.Cancel()
		return ctx.Err()
	}
}

// pause lets no request of the domain through for some time.
func (a *Account) pause(d domain, after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if until := time.Now().Add(after); until.After(a.until[d]) {
		a.until[d] = until
	}
}

// set changes the rate of a domain. A rate that nobody could work with is ignored.
func (a *Account) set(d domain, limit rate.Limit, burst int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l, ok := a.rates[d]; ok && limit > 0 && burst > 0 {
		l.SetLimit(limit)
		l.SetBurst(burst)
	}
}
