package alarm

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// A DeadLetter is something that a level-triggered integration refused for good, or did not accept in
// a day. It is not attempted again until somebody asks for it, the configuration changes, or something
// else is to be said of the alert.
type DeadLetter struct {
	Key      IntentionKey
	Action   Action
	At       time.Time // when it was given up
	Attempts int
	Err      string
	Labels   model.LabelSet // of the alert, if it was known

	// Fallback is the receiver that is told instead, or empty.
	Fallback string

	// Discarded says that nobody wants to see it any more. It still keeps the same from being
	// attempted again.
	Discarded bool
}

// A DeadOrder is what somebody wants to be done with a dead letter.
type DeadOrder struct {
	Key IntentionKey

	// Discard takes it off the list; without it the delivery is attempted again.
	Discard bool
}

// deadPart is the part of the rows that hold dead letters.
const deadPart = "dead"

func deadKey(k IntentionKey) string {
	return fmt.Sprintf("%q %q %q", k.Receiver, k.Integration, k.Group)
}

// DeadLetters lists what was given up, sorted by key, without what was discarded.
func (e *Engine) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	if err := e.settle(ctx); err != nil {
		return nil, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	var all []DeadLetter
	for _, d := range e.dead { // the order does not show: they are sorted below
		if !d.Discarded {
			all = append(all, *d)
		}
	}
	slices.SortFunc(all, func(a, b DeadLetter) int { return compareKeys(a.Key, b.Key) })
	return all, nil
}

// Revive attempts a dead letter again, or takes it off the list. It returns false if there is none.
func (e *Engine) Revive(ctx context.Context, order DeadOrder) (bool, error) {
	e.mu.RLock()
	d := e.dead[order.Key]
	known := d != nil && !d.Discarded
	e.mu.RUnlock()
	if !known {
		return false, nil
	}
	return true, e.Submit(ctx, Input{Dead: []DeadOrder{order}})
}

// loadDead reads the dead letters out of the rows.
func loadDead(rows []Row) map[IntentionKey]*DeadLetter {
	dead := map[IntentionKey]*DeadLetter{}
	for _, r := range rows {
		if r.Part != deadPart {
			continue
		}
		var d DeadLetter
		if err := json.Unmarshal(r.Value, &d); err == nil { // written by us: else it is of no use
			dead[d.Key] = &d
		}
	}
	return dead
}

func (e *Engine) setDead(d *DeadLetter) {
	value, err := json.Marshal(d)
	if err != nil {
		panic("alarm: a dead letter cannot be encoded: " + err.Error())
	}
	e.dead[d.Key] = d
	e.keepRows([]Row{{Part: deadPart, Key: deadKey(d.Key), Value: value}})
}

func (e *Engine) dropDead(key IntentionKey) {
	if e.dead[key] == nil {
		return
	}
	delete(e.dead, key)
	e.keepRows([]Row{{Part: deadPart, Key: deadKey(key)}})
}

// revive drops a dead letter, if it is one: it was accepted, or is attempted again. The fallback is told no more.
func (e *Engine) revive(now time.Time, key IntentionKey) {
	if e.dead[key] == nil {
		return
	}
	e.dropDead(key)
	fp, _ := model.ParseFingerprint(key.Group) // dead letters are of single alerts
	if en := e.alerts[fp]; en != nil {
		e.joinFallback(now, en)
	}
}

// bury makes a dead letter of an intention that was given up, and has the fallback told.
func (e *Engine) bury(now time.Time, c *channel, in *Intention, o Outcome) {
	d := &DeadLetter{Key: c.key, Action: in.Action, At: o.At, Attempts: o.Attempts, Err: o.Err.Error()}
	if rs := e.parts.Receiver(c.key.Receiver); rs != nil {
		d.Fallback = rs.Fallback
	}
	for _, en := range c.group.members {
		d.Labels = en.alert.Labels
	}
	e.setDead(d)
	for _, en := range c.group.members {
		e.joinFallback(now, en)
	}
}

// fallbackSuffix ends the key of a group that is told instead of another, fallbackRoute its route's ID.
const (
	fallbackSuffix = "/fallback"
	fallbackRoute  = "\x00fallback"
)

// refused says that a channel refused what it is to be told now. What was not opened in an earlier
// occurrence of the alert is no reason not to open it in this one.
func (e *Engine) refused(c *channel, action Action) bool {
	d := e.dead[c.key]
	return d != nil && d.Action == action && !d.outlived(c.group.the())
}

// outlived says that the alert has ended since what was not told of it, and fires anew.
func (d *DeadLetter) outlived(en *entry) bool {
	if d.Action != Add || en == nil {
		return false
	}
	since := en.alert.Occurrences().Since
	if since.IsZero() {
		since = en.alert.StartsAt
	}
	return d.At.Before(since)
}

// joinFallback puts an alert that a receiver was not told of into the groups of its fallback, and takes it
// out of those where it is told by now, unless they are just being told. What such a group told, it closes.
func (e *Engine) joinFallback(now time.Time, en *entry) {
	if en.alert.State != Firing {
		return
	}
	wanted := map[*group]bool{}
	for _, spec := range e.parts.Router.Route(en.alert.Labels) {
		for e.failsAt(spec.Receiver, en.fingerprint) {
			rs := e.parts.Receiver(spec.Receiver)
			if rs == nil || rs.Fallback == "" || e.parts.Receiver(rs.Fallback) == nil {
				break
			}
			next := *spec
			next.RouteID, next.Key, next.Receiver = spec.RouteID+fallbackRoute, spec.Key+fallbackSuffix, rs.Fallback
			spec = &next
			for _, g := range []*group{e.groupFor(now, en, spec), e.levelGroupFor(now, en, spec)} {
				if g != nil {
					wanted[g] = true
					e.enter(now, en, g)
				}
			}
		}
	}
	for _, g := range slices.Clone(en.groups) {
		if g.falls() && !wanted[g] && g.members[en.fingerprint] != nil && !e.isTelling(g) {
			delete(g.members, en.fingerprint)
			g.order.drop()
			e.stray(now, en, g)
		}
	}
}

// falls says that a group is told instead of another.
func (g *group) falls() bool { return strings.HasSuffix(g.RouteID, fallbackRoute) }

// isTelling says whether something is on its way to a channel of the group.
func (e *Engine) isTelling(g *group) bool {
	return slices.ContainsFunc(g.channels, func(c *channel) bool { return e.open[c.key] != nil })
}

// failsAt says whether something about the alert was given up at a receiver.
func (e *Engine) failsAt(receiver string, fp model.Fingerprint) bool {
	rs := e.parts.Receiver(receiver)
	return rs != nil && slices.ContainsFunc(rs.Integrations, func(is IntegrationSpec) bool {
		d := e.dead[IntentionKey{Receiver: receiver, Integration: is.Name, Group: fp.String()}]
		return is.Level && d != nil && !d.outlived(e.alerts[fp])
	})
}

// mayHaveFallen says whether an intention for a fallback may have named an alert that fires: something of it
// is a dead letter where it belongs, or was one, and is attempted again or was accepted since.
func (e *Engine) mayHaveFallen(en *entry, in *Intention) bool {
	group := in.Key.Group
	for strings.HasSuffix(group, fallbackSuffix) {
		group = strings.TrimSuffix(group, fallbackSuffix)
	}
	return slices.ContainsFunc(e.parts.Router.Route(en.alert.Labels), func(spec *Group) bool {
		rs := e.parts.Receiver(spec.Receiver)
		return spec.Key == group && rs != nil && slices.ContainsFunc(rs.Integrations, func(is IntegrationSpec) bool {
			key := IntentionKey{Receiver: spec.Receiver, Integration: is.Name, Group: en.fingerprint.String()}
			t := e.told[key]
			return is.Level && (e.dead[key] != nil || e.open[key] != nil || t != nil && !t.At.Before(in.At))
		})
	})
}

// obey carries out what somebody wants to be done with dead letters.
func (e *Engine) obey(now time.Time, orders []DeadOrder) {
	for _, o := range orders {
		d := e.dead[o.Key]
		if d == nil {
			continue
		}
		verb := "retried"
		if o.Discard {
			verb = "discarded"
			next := *d
			next.Discarded = true
			e.setDead(&next)
		} else {
			e.revive(now, o.Key)
			for _, c := range e.channels[o.Key] {
				e.touch(now, c.group)
			}
		}
		e.plan.Events = append(e.plan.Events, Event{Kind: "dead letter", Name: o.Key.String(), Note: verb})
	}
}

// reviveAll has everything attempted again that was given up, for the configuration is another.
func (e *Engine) reviveAll() {
	var keys []IntentionKey
	for key := range e.dead {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compareKeys)
	for _, key := range keys {
		e.dropDead(key)
	}
}

// sweepDead forgets the letters of alerts that are long gone.
func (e *Engine) sweepDead(now time.Time) {
	var gone []IntentionKey
	for key, d := range e.dead {
		if len(e.channels[key]) == 0 && (d.Discarded || now.Sub(d.At) > e.opts.Retention) {
			gone = append(gone, key)
		}
	}
	slices.SortFunc(gone, compareKeys)
	for _, key := range gone {
		e.dropDead(key)
	}
}
