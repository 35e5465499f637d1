package server

import (
	"context"
	"log/slog"
	"sync"

	"github.com/tocsin/tocsin/alarm"
)

// pullers ask sources, each in a goroutine of its own, and follow the configuration.
type pullers struct {
	submit  func(context.Context, alarm.Input) error
	log     *slog.Logger
	changed chan []namedSource // the sources that are wanted from now on
}

func newPullers(submit func(context.Context, alarm.Input) error, log *slog.Logger) *pullers {
	return &pullers{submit: submit, log: log, changed: make(chan []namedSource, 1)}
}

// want replaces the sources. It does not block: only the latest wish counts.
func (c *pullers) want(sources []namedSource) {
	for {
		select {
		case c.changed <- sources:
			return
		default:
		}
		select {
		case <-c.changed:
		default:
		}
	}
}

// Run asks the sources until ctx ends. A change asks all of them anew, which is at most one question
// too many for each.
func (c *pullers) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case sources := <-c.changed:
			c.collect(ctx, sources)
		}
	}
}

// collect asks the sources until ctx ends or others are wanted.
func (c *pullers) collect(ctx context.Context, sources []namedSource) {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, s := range sources {
		wg.Go(func() { _ = alarm.Collect(ctx, c.logged(s.name), s.name, s.source, s.collect) }) // it never fails
	}
	select {
	case <-ctx.Done():
	case next := <-c.changed:
		c.want(next)
	}
	stop()
	wg.Wait()
}

// logged hands on what a source says, and tells the log when it begins to fail and when that is over.
// What is returned is for one goroutine.
func (c *pullers) logged(name string) func(context.Context, alarm.Input) error {
	failing := false
	return func(ctx context.Context, in alarm.Input) error {
		for i := range in.Snapshots {
			err := in.Snapshots[i].Err
			switch {
			case err != nil && !failing:
				c.log.Warn("a source does not answer well: its alerts are held", "source", name, "err", err)
			case err == nil && failing:
				c.log.Info("a source answers well again", "source", name)
			}
			failing = err != nil
		}
		return c.submit(ctx, in)
	}
}
