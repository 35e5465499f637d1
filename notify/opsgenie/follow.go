package opsgenie

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tocsin/tocsin/notify"
)

// errNotProcessed means that a request was accepted and is still in the service's queue.
var errNotProcessed = errors.New("not processed yet")

// errUnknownOutcome means that nobody could say what became of an accepted request.
var errUnknownOutcome = errors.New("accepted, but its outcome is not known")

// errMayNotAsk means that the key has no right to ask for it.
var errMayNotAsk = fmt.Errorf("%w: the key may not ask for it", errUnknownOutcome)

// An outcome is what became of an accepted request.
type outcome struct {
	Success bool   `json:"isSuccess"`
	Status  string `json:"status"`
	AlertID string `json:"alertId"`
	Alias   string `json:"alias"`
}

// parseOutcome reads both services' form: with an envelope or without.
func parseOutcome(body []byte) (outcome, error) {
	var enveloped struct {
		Data *outcome `json:"data"`
	}
	if err := json.Unmarshal(body, &enveloped); err != nil {
		return outcome{}, fmt.Errorf("status of the request: %w", err)
	}
	if enveloped.Data != nil {
		return *enveloped.Data, nil
	}
	var plain outcome
	if err := json.Unmarshal(body, &plain); err != nil {
		return outcome{}, fmt.Errorf("status of the request: %w", err)
	}
	if !plain.Success && plain.Status == "" {
		return outcome{}, errors.New("status of the request: neither success nor status in the answer")
	}
	return plain, nil
}

// notOpen says that it failed because the incident is not open any more. The text is all that the
// service says.
func (o *outcome) notOpen() bool {
	text := strings.ToLower(o.Status)
	return !o.Success && (strings.Contains(text, "not exist") || strings.Contains(text, "already closed") || strings.Contains(text, "not found"))
}

// parseRequestID reads the answer to a write. The operations API answers 200 and may have done it.
func parseRequestID(body []byte) (string, error) {
	var accepted struct {
		RequestID string `json:"requestId"`
	}
	if err := json.Unmarshal(body, &accepted); err != nil {
		return "", fmt.Errorf("acceptance: %w", err)
	}
	return accepted.RequestID, nil
}

// follow asks what became of an accepted request until it is known. It returns errNotProcessed if the
// service still works on it when the time is up, and errUnknownOutcome if nobody can say.
func (c *Client) follow(ctx context.Context, id string, ops bool) (outcome, error) {
	wait, until := c.opts.Follow.First, time.Now().Add(c.opts.Follow.For)
	for {
		if err := sleep(ctx, wait); err != nil {
			return outcome{}, fmt.Errorf("request %s: %w: %w", id, errNotProcessed, err)
		}
		a, err := c.do(ctx, c.dialect.outcome(id, ops))
		if err == nil {
			var o outcome
			if o, err = parseOutcome(a.body); err == nil {
				return o, nil
			}
		}
		wait = min(2*wait, c.opts.Follow.Max)
		late := time.Now().Add(wait).After(until)
		var slow *notify.ThrottledError
		switch {
		case errors.As(err, &slow):
			wait = max(wait, slow.After)
			late = time.Now().Add(wait).After(until)
		case status(err) == http.StatusNotFound && c.opts.Backend == JiraServiceManagement && !late: // it may be queued
		case errors.Is(err, notify.ErrRejected) && status(err) != http.StatusNotFound:
			return outcome{}, fmt.Errorf("request %s: %w (%v)", id, errMayNotAsk, err) //nolint:errorlint // the request itself was not refused
		case errors.Is(err, notify.ErrRejected):
			return outcome{}, fmt.Errorf("request %s: %w (%v)", id, errUnknownOutcome, err) //nolint:errorlint // as above
		}
		if late {
			return outcome{}, fmt.Errorf("request %s: %w (%v)", id, errNotProcessed, err) //nolint:errorlint // as above
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
