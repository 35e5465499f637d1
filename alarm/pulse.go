package alarm

import (
	"context"
	"fmt"
	"time"
)

// Pulse runs a cycle that writes to the store, and returns an error unless that worked: whoever wants
// to say that the engine lives asks it first. After a failure of the store it is what finds out that it
// works again, if nothing else is to be written.
func (e *Engine) Pulse(ctx context.Context) error {
	select {
	case <-e.ready:
	default:
		return errNotLoaded
	}
	if err := e.Submit(ctx, Input{Pulse: true}); err != nil {
		return fmt.Errorf("the engine does not answer: %w", err)
	}
	return nil
}

// beat writes that the engine lives.
func (e *Engine) beat(now time.Time) {
	e.keepRows([]Row{{Part: "engine", Key: "pulse", Value: []byte(now.UTC().Format(time.RFC3339))}})
}
