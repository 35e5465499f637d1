package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// realmRemotes are all remotes of a realm. What they do depends on the instant and on who asks, so that the
// same acts always have the same consequences.
type realmRemotes struct {
	seed uint64
	calm bool // they answer at once, and refuse nothing

	mu     sync.Mutex // guards the fields below
	refuse float64    // the share of deliveries that fail
	open   map[alarm.IntentionKey]map[model.Fingerprint]bool
	log    []string
}

func (r *realmRemotes) dice(key alarm.IntentionKey) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, key, time.Now().UnixNano())
	return rand.New(rand.NewPCG(r.seed, h.Sum64()))
}

// pause returns false if the server was killed meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// deliver does what package notify does: it tries until the remote accepts, the intention is too old, or
// the remote refuses for good, and then until the engine has taken in what became of it.
func (r *realmRemotes) deliver(ctx context.Context, e *alarm.Engine, in alarm.Intention) {
	o := alarm.Outcome{ID: in.ID, Key: in.Key}
	for {
		dice := r.dice(in.Key)
		d, err := e.Render(time.Now(), in)
		if err != nil {
			if !pause(ctx, time.Second) {
				return
			}
			continue
		}
		if d == nil {
			o.Unsent, o.Uncertain = true, in.Uncertain
			break
		}
		var took time.Duration
		if !r.calm { // no two end in the same instant
			took = time.Duration(dice.IntN(3))*time.Second + time.Duration(dice.IntN(1_000_000))*time.Microsecond
		}
		if !pause(ctx, took) {
			if dice.IntN(2) == 0 {
				r.accept(d, "and its sender is dead")
			}
			return
		}
		o.Attempts++
		final := false
		if o.Err, final = r.attempt(d, dice); o.Err == nil {
			o.Told, o.Uncertain = d.Told, in.Uncertain
			break
		}
		in.Uncertain = in.Uncertain || errors.Is(o.Err, errAnswerLost)
		if final || !time.Now().Add(20*time.Second).Before(in.Deadline) {
			o.Uncertain = in.Uncertain
			break
		}
		o.Err = nil
		if !pause(ctx, 20*time.Second) {
			return
		}
	}
	o.At = time.Now()
	for e.Done(ctx, o) != nil && pause(ctx, time.Second) {
		continue
	}
}

var errAnswerLost = errors.New("the answer got lost")

func (r *realmRemotes) attempt(d *alarm.Delivery, dice *rand.Rand) (err error, final bool) {
	r.mu.Lock()
	bad := !r.calm && dice.Float64() < r.refuse
	r.mu.Unlock()
	switch kind := dice.IntN(4); {
	case !bad:
		r.accept(d, "")
		return nil, true
	case kind == 0:
		r.accept(d, errAnswerLost.Error())
		return errAnswerLost, false
	default:
		r.note("%s refused, for good: %t", d.Key, kind == 1)
		return errors.New("503"), kind == 1
	}
}

// anyOpen says whether anything is open at a key.
func (r *realmRemotes) anyOpen(key alarm.IntentionKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open[key]) > 0
}

// accept takes in what a remote is told.
func (r *realmRemotes) accept(d *alarm.Delivery, note string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	open := r.open[d.Key]
	if open == nil {
		open = map[model.Fingerprint]bool{}
		r.open[d.Key] = open
	}
	var said []string
	for i := range d.Alerts {
		a := &d.Alerts[i]
		if a.EndsAt.IsZero() {
			open[a.Fingerprint()] = true
			said = append(said, fmt.Sprintf("+%s%s", a.Fingerprint(), a.Labels))
		} else {
			delete(open, a.Fingerprint())
			said = append(said, fmt.Sprintf("-%s%s", a.Fingerprint(), a.Labels))
		}
	}
	r.log = append(r.log, fmt.Sprintf("%s      %s %s (%s) %s %s", clock(), d.Key, d.Action, d.Reason, strings.Join(said, " "), note))
}

func (r *realmRemotes) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, clock()+" "+fmt.Sprintf(format, args...))
}

// isOpen says whether the alert is open at an integration: of a level-triggered one under its own key,
// else in any group.
func (r *realmRemotes) isOpen(receiver string, is alarm.IntegrationSpec, fp model.Fingerprint) bool {
	if is.Level {
		return r.open[alarm.IntentionKey{Receiver: receiver, Integration: is.Name, Group: fp.String()}][fp]
	}
	for key, open := range r.open {
		if key.Receiver == receiver && key.Integration == is.Name && open[fp] {
			return true
		}
	}
	return false
}

// anywhere says whether any remote has the alert open.
func (r *realmRemotes) anywhere(fp model.Fingerprint) bool {
	for _, open := range r.open {
		if open[fp] {
			return true
		}
	}
	return false
}

func clock() string { return time.Now().Format("15:04:05.000") }
