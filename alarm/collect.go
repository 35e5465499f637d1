package alarm

import (
	"context"
	"errors"
	"time"
)

// CollectOptions configures Collect. The zero value works.
type CollectOptions struct {
	// Interval is how often the source is asked. Defaults to 30 s.
	Interval time.Duration

	// Timeout bounds one question. Defaults to Interval.
	Timeout time.Duration
}

// Collect asks a source again and again and submits what it says, or that it failed, until ctx ends
// or the engine stops. A source that is a [Changer] is also asked when it says so. One slow source
// delays only itself.
func Collect(ctx context.Context, submit func(context.Context, Input) error, name string, src Source, opts CollectOptions) error {
	if opts.Interval <= 0 {
		opts.Interval = 30 * time.Second
	}
	if opts.Timeout <= 0 {
		opts.Timeout = opts.Interval
	}
	var changed <-chan struct{}
	if c, ok := src.(Changer); ok {
		changed = c.Changed()
	}
	tick := time.NewTicker(opts.Interval)
	defer tick.Stop()
	for {
		s := ask(ctx, name, src, opts.Timeout)
		if ctx.Err() != nil {
			return nil
		}
		// A snapshot that could not be stored is not lost: the next one says the same, or better.
		if err := submit(ctx, Input{Snapshots: []Snapshot{s}}); errors.Is(err, ErrStopped) {
			return nil
		}
		select {
		case <-tick.C:
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
