package alarmtest

import (
	"context"
	"errors"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// deliver is a remote that accepts at once whatever it is told, refuses it, or lets its answer be lost.
func (st *stage) deliver(ctx context.Context, e *alarm.Engine, offers <-chan []alarm.Intention) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case ins := <-offers:
			for _, in := range ins {
				st.deliverOne(ctx, e, in)
			}
		}
	}
}

func (st *stage) deliverOne(ctx context.Context, e *alarm.Engine, in alarm.Intention) {
	now := time.Now()
	d, err := e.Render(now, in)
	for ; err != nil; d, err = e.Render(now, in) {
		time.Sleep(time.Second)
		if ctx.Err() != nil {
			return
		}
		now = time.Now()
	}
	o := alarm.Outcome{ID: in.ID, Key: in.Key, At: now, Attempts: 1}
	switch {
	case d == nil:
		o.Unsent = true
		st.say("unsent   %s", in.Key.Integration)
	case st.refuses():
		o.Err = errors.New("503")
		st.say("refused  %-6s %s -> %s", d.Action, names(d), in.Key.Receiver)
	default:
		st.say("%-8s %s -> %s (%s)", d.Action, names(d), in.Key.Receiver, d.Reason)
		lost, late := st.answers()
		time.Sleep(lost + late)
		o.At = time.Now()
		if lost > 0 {
			o.Err, o.Uncertain = errors.New("no answer"), true
			st.say("lost     the answer of %s", in.Key.Receiver)
		} else {
			o.Told = d.Told
		}
	}
	for e.Done(ctx, o) != nil && ctx.Err() == nil {
		time.Sleep(time.Second)
	}
}

// refuses says whether the remote refuses this delivery.
func (st *stage) refuses() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.refuse == 0 {
		return false
	}
	st.refuse--
	return true
}

// answers says after what time the answer to this delivery counts as lost, or how late it comes; zero: neither.
func (st *stage) answers() (lost, late time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	lost, late = st.lose, st.late
	st.lose, st.late = 0, 0
	return lost, late
}
