package opsgenie

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/time/rate"
)

// AskLimits asks Opsgenie for the account's rates, and keeps to nine tenths of them from then on. A key
// that may not ask, or JSM, which cannot be asked, is an error, and the rates stay as they are.
func (c *Client) AskLimits(ctx context.Context) error {
	if c.opts.Backend != Opsgenie {
		return fmt.Errorf("ask for rate limits: %s does not say", c.opts.Backend)
	}
	a, err := c.do(ctx, call{method: http.MethodGet, path: "/v2/request-limits/", domain: domainSearch})
	if err != nil {
		return fmt.Errorf("ask for rate limits: %w", err)
	}
	limits, err := parseLimits(a)
	if err != nil {
		return fmt.Errorf("ask for rate limits: %w", err)
	}
	for _, l := range limits {
		c.opts.Account.set(l.domain, l.limit, l.burst)
	}
	return nil
}

type domainLimit struct {
	domain domain
	limit  rate.Limit
	burst  int
}

// parseLimits reads the rates: the least of the periods' rates counts, and no burst is longer than
// the shortest period allows.
func parseLimits(a answer) ([]domainLimit, error) {
	var body struct {
		Data struct {
			RateLimits []struct {
				Domain string
				Limits []struct {
					PeriodInSeconds int
					Limit           int
				}
			}
		}
	}
	if err := a.decode(&body); err != nil {
		return nil, err
	}
	var all []domainLimit
	for _, r := range body.Data.RateLimits {
		l := domainLimit{domain: domain(r.Domain)}
		for _, p := range r.Limits {
			if p.PeriodInSeconds <= 0 || p.Limit <= 0 {
				continue
			}
			if each := .9 * rate.Limit(p.Limit) / rate.Limit(p.PeriodInSeconds); l.limit == 0 || each < l.limit {
				l.limit = each
			}
			if burst := max(1, p.Limit/10); l.burst == 0 || burst < l.burst {
				l.burst = burst
			}
		}
		if l.limit > 0 {
			all = append(all, l)
		}
	}
	return all, nil
}
