package alarm

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pulse runs a cycle that writes to the store, and returns an error unless that worked: whoever wants
// to say that the engine lives asks it first.
func (e *Engine) Pulse(ctx context.Context) error {
	if err := e.Trouble(); err != nil {
		return err
	}
	if err := e.Submit(ctx, Input{Pulse: true}); err != nil {
		return fmt.Errorf("the engine does not answer: %w", err)
	}
	return e.anyFresh()
}

// errAllStale means that no source is fresh.
var errAllStale = errors.New("every source is stale")

// anyFresh returns an error if there are sources and none is fresh.
func (e *Engine) anyFresh() error {
	sources := e.Sources()
	for _, s := range sources {
		if !s.Stale {
			return nil
		}
	}
	if len(sources) == 0 {
		return nil
	}
	return errAllStale
}

// beat writes that the engine lives.
func (e *Engine) beat(now time.Time) {
	e.keepRows([]Row{{Part: "engine", Key: "pulse", Value: []byte(now.UTC().Format(time.RFC3339))}})
}
