package opsgenie

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// A step is one write of a delivery.
type step struct {
	kind stepKind
	call call
}

type stepKind string

const (
	stepCreate stepKind = "create"
	stepClose  stepKind = "close"
	stepNote   stepKind = "note"
	stepUpdate stepKind = "update"
)

// progress is how far a step came in an attempt that failed as a whole. It keeps a note from being
// written twice, and a request from being sent again while the service still works on it. It is lost
// with the process: then creating, closing and updating again are harmless, and a note comes twice.
type progress struct {
	requestID string // accepted, outcome not known
	lost      int    // how often it was accepted and left no trace
	done      bool
	result    outcome
	at        time.Time
}

const (
	maxProgress  = 10000
	keepProgress = time.Hour

	// maxLost is how often an update is sent again of which there is no trace. If the service never
	// tells, that has to do.
	maxLost = 3

	// sendAgain is after how long an accepted request that left no trace is sent again.
	sendAgain = 30 * time.Second
)

// perform does a step and returns its outcome. A step that an earlier attempt did is not done again.
func (c *Client) perform(ctx context.Context, key string, s step, r ref) (outcome, error) {
	p := c.recall(key)
	if p.done {
		return p.result, nil
	}
	if p.requestID == "" {
		a, err := c.do(ctx, s.call)
		switch {
		case status(err) == http.StatusNotFound && s.kind != stepCreate:
			return c.finish(key, outcome{Status: "does not exist"})
		case err != nil:
			return outcome{}, err
		}
		id, err := parseRequestID(a.body)
		if err != nil {
			return outcome{}, err
		}
		if id == "" {
			return c.finish(key, outcome{Success: true, Status: "done", AlertID: r.id})
		}
		p.requestID = id
		c.remember(key, p)
	}

	o, err := c.follow(ctx, p.requestID, s.call.ops)
	switch {
	case err == nil && (o.Success || o.notOpen()):
		return c.finish(key, o)
	case err == nil:
		c.forget(key) // it is over: another attempt needs another request
		return o, fmt.Errorf("%s was accepted and then failed: %s", s.kind, cut(o.Status, 300))
	case errors.Is(err, errUnknownOutcome) && s.kind == stepUpdate && p.lost < maxLost && !errors.Is(err, errMayNotAsk):
		c.remember(key, progress{lost: p.lost + 1}) // sending it again changes nothing if it was done
		return outcome{}, fmt.Errorf("%s was accepted and left no trace: %w", s.kind, err)
	case errors.Is(err, errUnknownOutcome):
		return c.verify(ctx, key, s, r, err)
	}
	return outcome{}, err
}

// verify looks at the incident itself when the outcome of a request cannot be known. Where it cannot
// be read either, acceptance has to do: the reconciler finds what was lost.
func (c *Client) verify(ctx context.Context, key string, s step, r ref, cause error) (outcome, error) {
	if s.kind != stepCreate && s.kind != stepClose {
		return c.finish(key, outcome{Success: true, AlertID: r.id})
	}
	in, err := c.open(ctx, r)
	switch {
	case errors.Is(err, ErrNoOperations), errors.Is(err, notify.ErrRejected) && !errors.Is(err, ErrNotOpen):
		c.opts.Logger.Warn("outcome of a request cannot be known", "alias", r.alias, "step", string(s.kind), "err", cause)
		return c.finish(key, outcome{Success: true})
	case err != nil && !errors.Is(err, ErrNotOpen):
		return outcome{}, err
	case (err == nil) == (s.kind == stepCreate):
		return c.finish(key, outcome{Success: true, AlertID: in.ID, Alias: in.Alias})
	}
	if p := c.recall(key); time.Since(p.at) > sendAgain {
		c.forget(key)
	}
	return outcome{}, fmt.Errorf("%s was accepted and is not done: %w", s.kind, cause)
}

func (c *Client) finish(key string, o outcome) (outcome, error) {
	c.remember(key, progress{done: true, result: o})
	return o, nil
}

// stepKey tells the steps of all deliveries apart. Two attempts at one delivery have the same keys.
func stepKey(d *alarm.Delivery, alias string, n int, s step) string {
	body, err := json.Marshal(s.call.body)
	if err != nil {
		panic(err) // strings
	}
	return alias + " " + strconv.FormatInt(d.ID, 10) + " " + strconv.Itoa(n) + " " + s.call.path + " " + s.call.query.Encode() + " " + hash(string(body))
}

func (c *Client) recall(key string) progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.progress[key]
}

func (c *Client) remember(key string, p progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.at = time.Now()
	if _, known := c.progress[key]; !known && len(c.progress) >= maxProgress {
		for k, old := range c.progress {
			if p.at.Sub(old.at) > keepProgress {
				delete(c.progress, k)
			}
		}
		if len(c.progress) >= maxProgress {
			return
		}
	}
	c.progress[key] = p
}

func (c *Client) forget(keys ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		delete(c.progress, key)
	}
}
