package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/tocsin/tocsin/alarm"
)

// A Receiver hands one delivery to a remote system.
type Receiver interface {
	// Deliver must be idempotent per key and content: after a failure, or a kill, the same is
	// delivered again. Where nothing else tells the remote, [alarm.Delivery.IdempotencyKey] does. A
	// nil error means accepted; an error that wraps ErrRejected means never retry; a *ThrottledError
	// names its own delay; any other error is retried. Deliver returns when ctx ends, may be called
	// concurrently, may replace d.Data, and must not modify anything else that d points to.
	Deliver(ctx context.Context, d *alarm.Delivery) error
}

// ErrRejected means that the remote understood the delivery and refused it. Retrying cannot help.
// Receivers return it.
var ErrRejected = errors.New("rejected by receiver")

// ErrNoReceiver means that the configuration has no such receiver or integration. It is in the
// outcome of an intention that was planned before it went.
var ErrNoReceiver = errors.New("no such receiver")

// A ThrottledError means that the remote asked to be left alone for some time.
type ThrottledError struct {
	After time.Duration // the least delay
	Err   error
}

// Error returns what the remote said, and the delay.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("throttled for %s: %v", e.After, e.Err)
}

// Unwrap returns what the remote said.
func (e *ThrottledError) Unwrap() error { return e.Err }

// A ReasonError adds to an error the word that failures are counted by. It may wrap ErrRejected.
type ReasonError struct {
	Reason FailureReason
	Err    error
}

// Error returns the error without the reason.
func (e *ReasonError) Error() string { return e.Err.Error() }

// Unwrap returns the error without the reason.
func (e *ReasonError) Unwrap() error { return e.Err }

// UntilDeadline as a timeout bounds an attempt by the intention's deadline alone.
const UntilDeadline time.Duration = math.MaxInt64

// An Integration is one way of telling a receiver.
type Integration struct {
	Name     string   // its kind and position, such as webhook[0]: alarm.IntegrationSpec.Name
	Receiver Receiver // who does it

	// Timeout bounds one attempt, as does the intention's deadline, whichever is earlier. Zero means
	// Options.Timeout; UntilDeadline means the deadline alone.
	Timeout time.Duration

	// Limit bounds the attempts per second over all keys, Burst how many may come at once (at least
	// 1). Zero means no limit.
	Limit rate.Limit
	Burst int
}

// Receivers are the integrations of each receiver, by the receiver's name.
type Receivers map[string][]Integration

// find returns an integration of a receiver, or an error that says what is missing.
func (r Receivers) find(e endpoint) (Integration, error) {
	integrations, ok := r[e.receiver]
	if !ok {
		return Integration{}, fmt.Errorf("%w: the configuration has no receiver %q", ErrNoReceiver, e.receiver)
	}
	for _, in := range integrations {
		if in.Name == e.integration {
			return in, nil
		}
	}
	return Integration{}, fmt.Errorf("%w: receiver %q has no integration %q", ErrNoReceiver, e.receiver, e.integration)
}

// names returns the receivers' names, sorted.
func (r Receivers) names() []string { return slices.Sorted(maps.Keys(r)) }

// validate returns all that makes the receivers unusable.
func (r Receivers) validate() error {
	var all []error
	for _, name := range r.names() {
		seen := map[string]bool{}
		for i, in := range r[name] {
			switch {
			case in.Name == "":
				all = append(all, fmt.Errorf("receiver %q: integration %d has no name", name, i))
			case seen[in.Name]:
				all = append(all, fmt.Errorf("receiver %q: integration %q occurs twice", name, in.Name))
			case in.Receiver == nil:
				all = append(all, fmt.Errorf("receiver %q: integration %q has no Receiver", name, in.Name))
			case in.Timeout < 0 || in.Limit < 0 || in.Burst < 0:
				all = append(all, fmt.Errorf("receiver %q: integration %q has a negative bound", name, in.Name))
			}
			seen[in.Name] = true
		}
	}
	return errors.Join(all...)
}
