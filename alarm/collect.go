package alarm

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// CollectOptions configures Collect. The zero value works.
type CollectOptions struct {
	// Interval is how often the source is asked. Defaults to 30 s.
	Interval time.Duration

	// Timeout bounds one question. Defaults to Interval.
	Timeout time.Duration

	// Retry is how soon a source that failed is asked again before it is said to have failed: two
	// failures in a row make it stale, one does not. In between nothing is said of it, and what it
	// reported stands as it was. Less than zero says the first failure. Defaults to a sixth of
	// Interval.
	Retry time.Duration

	// Logger is told of the failures that are not said. Nil tells nobody.
	Logger *slog.Logger
}

func (o *CollectOptions) complete() {
	if o.Interval <= 0 {
		o.Interval = 30 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = o.Interval
	}
	if o.Retry == 0 {
		o.Retry = o.Interval / 6
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Collect asks a source again and again and submits what it says, or that it failed, until ctx ends
// or the engine stops. A source that is a [Changer] is also asked when it says so. One slow source
// delays only itself. A failure is never an empty answer: it is submitted as what it is, or, if it is
// the first, not at all.
func Collect(ctx context.Context, submit func(context.Context, Input) error, name string, src Source, opts CollectOptions) error {
	opts.complete()
	var changed <-chan struct{}
	if c, ok := src.(Changer); ok {
		changed = c.Changed()
	}
	tick := time.NewTicker(opts.Interval)
	defer tick.Stop()
	failed := false   // was what was said last
	forgiven := false // the last question failed, and that was not said
	for {
		s := ask(ctx, name, src, opts.Timeout)
		if ctx.Err() != nil {
			return nil
		}
		due := tick.C
		if forgiven = s.Err != nil && !failed && !forgiven && opts.Retry > 0; forgiven {
			opts.Logger.Info("a source failed once: it is asked again before that counts", "source", name, "err", s.Err)
			due = time.After(opts.Retry)
		} else {
			failed = s.Err != nil
			// A snapshot that could not be stored is not lost: the next one says the same, or better.
			if err := submit(ctx, Input{Snapshots: []Snapshot{s}}); errors.Is(err, ErrStopped) {
				return nil
			}
		}
		select {
		case <-due:
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func ask(ctx context.Context, name string, src Source, timeout time.Duration) Snapshot {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s, err := src.Alerts(ctx)
	if err != nil {
		return Snapshot{Source: name, At: time.Now(), Err: err}
	}
	s.Source = name
	if s.At.IsZero() {
		s.At = time.Now()
	}
	return s
}
