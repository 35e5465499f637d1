package server

import (
	"context"
	"log/slog"
	"sync"

	"github.com/tocsin/tocsin/alarm"
)

// pullers ask sources, each in a goroutine of its own, and follow the configuration.
type pullers struct {
	latest[[]namedSource]
	submit func(context.Context, alarm.Input) error
	log    *slog.Logger
}

func newPullers(submit func(context.Context, alarm.Input) error, log *slog.Logger) *pullers {
	return &pullers{latest: newLatest[[]namedSource](), submit: submit, log: log}
}

// Run asks the sources until ctx ends. A change asks all of them anew, which is at most one question
// too many for each.
func (c *pullers) Run(ctx context.Context) error {
	c.follow(ctx, c.collect)
	return nil
}

// collect asks the sources until ctx ends.
func (c *pullers) collect(ctx context.Context, sources []namedSource) {
	var wg sync.WaitGroup
	for _, s := range sources {
		if s.collect.Logger == nil {
			s.collect.Logger = c.log
		}
		wg.Go(func() { _ = alarm.Collect(ctx, c.logged(s.name), s.name, s.source, s.collect) }) // it never fails
	}
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
