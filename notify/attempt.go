package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
)

// errShutdown is why an attempt was cancelled at the end of the grace period.
var errShutdown = errors.New("shut down")

// errNotKnown is why an attempt did not begin: the outbox cannot say now what is to be told. It is asked
// again after notKnownFor.
var errNotKnown = errors.New("what is to be told is not known")

const notKnownFor = time.Second

// A result is what came of a job that was in hand.
type result struct {
	job   *job
	again time.Time // when to attempt it again; zero: it has ended
	pause time.Time // nothing of its endpoint is to start before, unless zero
	fatal error     // the outbox has ended

	tried bool  // an attempt was made, and is to be made again if err is not nil
	err   error // how that ended
}

// work makes one attempt at j and, if that ends it, records the outcome. Waiting for the rate limit
// ends with run, attempting and recording with ctx, which outlives run by the grace period.
func (d *Deliverer) work(run, ctx context.Context, j *job) result {
	o := alarm.Outcome{ID: j.ID, Key: j.Key}
	in, limit, err := d.lookup(j)
	if err != nil {
		o.Err = err
		return d.conclude(ctx, j, o, time.Time{})
	}
	if limit != nil {
		if err := limit.Wait(run); err != nil {
			<-run.Done() // Wait gives up early if run has a deadline
			return result{job: j, again: time.Now()}
		}
	}

	failpoint.Here("attempt-begin")
	start := time.Now()
	delivery, err := d.attempt(ctx, start, j, in)
	failpoint.Here("attempt-end")
	now := time.Now()
	switch {
	case errors.Is(err, errBarred):
		return result{job: j, again: now.Add(barredFor)}
	case errors.Is(err, errNotKnown) && errors.Is(err, alarm.ErrStopped):
		return result{job: j, fatal: err}
	case errors.Is(err, errNotKnown):
		return result{job: j, again: now.Add(notKnownFor)}
	}
	if delivery == nil && err == nil {
		o.Unsent, o.Uncertain = true, j.Uncertain
		return d.conclude(ctx, j, o, time.Time{})
	}
	d.metrics.attempted(j, now.Sub(start), err)
	d.attempted(endpointOf(j.Key), now, err)
	j.attempts++
	if err == nil {
		o.Told, o.Data, o.Oldest = delivery.Told, delivery.Data, delivery.Oldest
		o.Uncertain = j.Uncertain // an attempt before this one may have told of what is over by now
		r := d.conclude(ctx, j, o, time.Time{})
		r.tried = true
		return r
	}
	if ctx.Err() != nil {
		j.Uncertain = true
		return result{job: j, again: now} // shut down: what became of it is unknown
	}

	j.Uncertain = j.Uncertain || uncertain(err)
	again, pause, ok := judge(start, now, err, j)
	if !ok {
		o.Err, o.Uncertain = err, j.Uncertain
		return d.conclude(ctx, j, o, pause)
	}
	if j.err == nil || j.err.Error() != err.Error() {
		d.logger(j).Warn("delivery attempt failed, will be retried", "attempt", j.attempts, "err", err)
	}
	j.err = err
	return result{job: j, again: again, pause: pause, tried: true, err: err}
}

// judge says when to attempt j again after err, or false: not at all. As in Alertmanager, the backoff
// counts from the start of the attempt. The pause is what the whole endpoint has to keep, or zero.
func judge(start, now time.Time, err error, j *job) (again, pause time.Time, ok bool) {
	var slow *ThrottledError
	if errors.As(err, &slow) {
		pause = now.Add(slow.After)
	}
	if errors.Is(err, ErrRejected) {
		return time.Time{}, pause, false
	}
	if j.backoff == nil {
		j.backoff = backoff.NewExponentialBackOff()
	}
	again = start.Add(j.backoff.NextBackOff())
	if again.Before(now) {
		again = now
	}
	if again.Before(pause) {
		again = pause
	}
	return again, pause, again.Before(j.Deadline)
}

// uncertain says that an attempt that failed may have reached the remote all the same: it broke off
// after the connection was made.
func uncertain(err error) bool {
	if errors.Is(err, ErrRejected) {
		return false
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	var timeout interface{ Timeout() bool }
	return errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout())
}

// attempt renders j and hands it to the receiver. No delivery and no error: nothing is left to say.
func (d *Deliverer) attempt(ctx context.Context, now time.Time, j *job, in Integration) (delivery *alarm.Delivery, err error) {
	defer func() {
		if r := recover(); r != nil {
			d.logger(j).Error("receiver panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: panic: %v", ErrRejected, r)
		}
	}()
	delivery, err = d.out.Render(now, j.Intention)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotKnown, err)
	}
	if delivery == nil {
		return nil, nil
	}
	timeout := in.Timeout
	if timeout == 0 {
		timeout = d.opts.Timeout
	}
	timeout = min(timeout, max(j.Deadline.Sub(now), d.opts.MinTimeout))
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	failpoint.Here("attempt-rendered")
	if d.opts.barred(time.Now()) {
		return nil, errBarred
	}
	return delivery, in.Receiver.Deliver(ctx, delivery)
}

// conclude records the outcome that ends j. While the store is away it keeps the outcome and asks again,
// for the remote has been told.
func (d *Deliverer) conclude(ctx context.Context, j *job, o alarm.Outcome, pause time.Time) result {
	o.At, o.Attempts = time.Now(), j.attempts
	d.report(j, o)
	var wait *backoff.ExponentialBackOff
	for {
		failpoint.Here("outcome-known")
		err := d.out.Done(ctx, o)
		failpoint.Here("outcome-answered")
		if err == nil {
			d.closed(j.ID)
			failpoint.Here("outcome-recorded")
			return result{job: j, pause: pause}
		}
		if errors.Is(err, alarm.ErrStopped) || errors.Is(err, alarm.ErrLeaseLost) {
			return result{job: j, fatal: fmt.Errorf("record outcome: %w", err)}
		}
		if ctx.Err() != nil {
			d.logger(j).Error("outcome not recorded, the delivery will be repeated", "err", err)
			return result{job: j}
		}
		if wait == nil {
			wait = backoff.NewExponentialBackOff()
			d.logger(j).Error("outcome not recorded, will be retried", "err", err)
		}
		select {
		case <-time.After(wait.NextBackOff()):
		case <-ctx.Done():
		}
	}
}

// report logs and counts an outcome.
func (d *Deliverer) report(j *job, o alarm.Outcome) {
	d.metrics.ended(j, o)
	log := d.logger(j).With("attempt", o.Attempts)
	switch {
	case o.Err != nil:
		log.Error("delivery given up", "err", o.Err)
	case o.Attempts > 1:
		log.Info("delivery accepted after retries")
	default:
		log.Debug("delivery done", "unsent", o.Unsent)
	}
}

func (d *Deliverer) logger(j *job) *slog.Logger {
	return d.log.With("receiver", j.Key.Receiver, "integration", j.Key.Integration, "group", j.Key.Group)
}

// A limit is the token bucket of one endpoint.
type limit struct {
	*rate.Limiter
	limit rate.Limit
	burst int
}

func newLimit(in Integration) *limit {
	return &limit{rate.NewLimiter(in.Limit, max(in.Burst, 1)), in.Limit, in.Burst}
}

// fits says whether the bucket is still what the configuration asks for.
func (l *limit) fits(in Integration) bool { return l.limit == in.Limit && l.burst == in.Burst }
