package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Sender pings once. A nil error means that the ping was taken.
type Sender interface {
	Send(ctx context.Context) error
}

// Options configures a Loop. The zero value works.
type Options struct {
	// Name is the heartbeat's word in metrics and logs. Defaults to tocsin.
	Name string

	// Interval is the time between pings. What waits for them should wait two to three times as long.
	// Defaults to 1 min.
	Interval time.Duration

	// Timeout bounds one ping. Defaults to 10 s, or the interval if that is shorter.
	Timeout time.Duration

	// Logger defaults to discarding.
	Logger *slog.Logger

	// Registerer collects the metrics. Nil registers none.
	Registerer prometheus.Registerer
}

// A Loop pings while all is well.
type Loop struct {
	sender  Sender
	good    func() error
	opts    Options
	log     *slog.Logger
	metrics *metrics
}

// New returns a loop that pings by sender while good returns nil. Good is called at each tick, must not
// block, and says what is wrong. New starts nothing.
func New(sender Sender, good func() error, opts Options) (*Loop, error) {
	if opts.Interval < 0 || opts.Timeout < 0 {
		return nil, errors.New("heartbeat: interval and timeout must not be negative")
	}
	if opts.Name == "" {
		opts.Name = "tocsin"
	}
	if opts.Interval == 0 {
		opts.Interval = time.Minute
	}
	if opts.Timeout == 0 {
		opts.Timeout = min(10*time.Second, opts.Interval)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(opts)
	if err != nil {
		return nil, fmt.Errorf("heartbeat: metrics: %w", err)
	}
	return &Loop{sender: sender, good: good, opts: opts, log: opts.Logger.With("heartbeat", opts.Name), metrics: m}, nil
}

// A Beat is what a loop remembers between ticks.
type Beat struct {
	Sent  time.Time // the last ping that was taken
	Tried time.Time // the last ping, taken or not
}

// A Decision says what to do at a tick.
type Decision struct {
	Send bool
	Next time.Time // when to decide again
}

// Decide says whether to ping now, given what is wrong with the last cycle: nothing, if bad is nil. A
// ping that is due goes out at once when all is well again; one that failed goes out again after a
// quarter of the interval.
func Decide(now time.Time, b Beat, interval time.Duration, bad error) Decision {
	soon := max(interval/4, time.Millisecond)
	due := b.Sent.Add(interval)
	if b.Tried.After(b.Sent) {
		due = b.Tried.Add(soon)
	}
	switch {
	case bad != nil:
		return Decision{Next: now.Add(soon)}
	case now.Before(due) && due.Sub(now) <= interval: // a clock that was set back does not silence it
		return Decision{Next: due}
	}
	return Decision{Send: true, Next: now.Add(interval)}
}

// Run pings until ctx ends, the first time at once, and returns nil.
func (l *Loop) Run(ctx context.Context) error {
	var beat Beat
	wrong := ""
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		bad := l.good()
		wrong = l.changed(wrong, bad)
		now := time.Now()
		d := Decide(now, beat, l.opts.Interval, bad)
		if d.Send {
			beat.Tried = now
			if l.send(ctx) {
				beat.Sent = now
			}
			d = Decide(time.Now(), beat, l.opts.Interval, nil)
			if d.Send {
				d.Next = time.Now() // the ping took longer than the interval
			}
		} else if bad != nil {
			l.metrics.withheld()
		}
		timer.Reset(time.Until(d.Next))
	}
}

// changed logs when the heartbeat stops and when it goes on, and returns what is wrong now.
func (l *Loop) changed(wrong string, bad error) string {
	now := ""
	if bad != nil {
		now = bad.Error()
	}
	switch {
	case wrong == "" && now != "":
		l.log.Error("heartbeat stopped", "err", bad)
	case wrong != "" && now == "":
		l.log.Info("heartbeat goes on")
	}
	return now
}

func (l *Loop) send(ctx context.Context) bool {
	bounded, cancel := context.WithTimeout(ctx, l.opts.Timeout)
	defer cancel()
	err := l.sender.Send(bounded)
	if ctx.Err() != nil && err != nil {
		return false
	}
	l.metrics.sent(time.Now(), err)
	if err != nil {
		l.log.Warn("heartbeat not sent, will be retried", "err", err)
	}
	return err == nil
}
