package opsgenie

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// Deliver opens, updates or closes the incident of a delivery, and returns when the service has done
// it. An Add of what is open there already changes nothing there. An Update of what was never told
// opens it; of what a person closed it is accepted unsent, for whether to open it again is the
// reconciler's business. A Close of what is not open is accepted. Data becomes what was told.
func (c *Client) Deliver(ctx context.Context, d *alarm.Delivery) error {
	before, err := decodeTold(d.Data)
	if err != nil {
		c.opts.Logger.Warn("what was told before is not readable, told anew", "receiver", d.Key.Receiver, "group", d.Key.Group, "err", err)
	}
	in, err := c.render(d)
	if err != nil && d.Action != alarm.Close {
		c.opts.Logger.Warn("template not rendered, its default is used", "receiver", d.Key.Receiver, "group", d.Key.Group, "err", err)
	}
	steps, after := c.plan(d, &in, &before)
	r := ref{alias: after.Alias, id: after.ID}
	var keys []string
	for n, s := range steps {
		key := stepKey(d, after.Alias, n, s)
		keys = append(keys, key)
		o, err := c.perform(ctx, key, s, r)
		if err != nil {
			if errors.Is(err, notify.ErrRejected) {
				c.forget(keys...)
			}
			return fmt.Errorf("%s %s: %w", d.Action, after.Alias, err)
		}
		if s.kind == stepCreate {
			after.ID = o.AlertID
			if o.Alias != "" {
				after.Alias = o.Alias
			}
		}
		if o.notOpen() {
			break // closed by a hand
		}
	}
	c.forget(keys...)
	d.Data = nil
	if d.Action != alarm.Close {
		d.Data = after.encode()
	}
	return nil
}

// plan says what is to be written for a delivery, and what the service knows afterwards. It depends
// on its arguments and the client's options only.
func (c *Client) plan(d *alarm.Delivery, in *incident, before *told) ([]step, told) {
	after := newTold(in, d.Now)
	if after.At.IsZero() {
		after.At = time.Now()
	}
	notes := c.notes(d)
	reminder := ""
	if age := oldest(d); reminds(d.Reason) && age*2 >= before.Noted*3 {
		reminder = stillFiring(d, age)
		after.Noted = age
	}
	r := ref{alias: in.Alias}
	if before.known() {
		r = ref{alias: before.Alias, id: before.ID}
	}
	switch {
	case d.Action == alarm.Close:
		note := string(d.Reason)
		if len(notes) > 0 {
			note = strings.Join(append(notes, note), "\n")
		}
		after.Alias, after.ID = r.alias, r.id
		return []step{{stepClose, c.dialect.close(r, c.opts.User, note)}}, after
	case d.Action == alarm.Add || !before.known():
		in.Note = cut(strings.Join(notes, "\n"), limitNote)
		return []step{{stepCreate, c.dialect.create(in)}}, after
	}
	after.Alias, after.ID = r.alias, r.id
	change := changed(before, &after, c.opts.Settle)
	if after.Noted = max(after.Noted, before.Noted); !change.any() {
		kept := after.Noted
		after = *before
		after.Noted = kept
	}
	if reminder != "" {
		notes = append(notes, reminder)
	}
	steps, rest := c.updates(r, in, before, change)
	if len(rest) > 0 {
		notes = append(notes, "Now: "+strings.Join(rest, "; "))
	}
	for _, note := range notes {
		steps = append(steps, step{stepNote, c.dialect.note(r, c.opts.User, note)})
	}
	return steps, after
}

// updates returns the writes that change an incident in place, and in words what cannot be changed.
func (c *Client) updates(r ref, in *incident, before *told, change change) (steps []step, rest []string) {
	add := func(k call, ok bool, words string) {
		if ok {
			steps = append(steps, step{stepUpdate, k})
		} else if words != "" {
			rest = append(rest, words)
		}
	}
	if change.priority {
		k, ok := c.dialect.set(r, "priority", in.Priority)
		add(k, ok, "priority "+in.Priority)
	}
	if change.message {
		k, ok := c.dialect.set(r, "message", in.Message)
		add(k, ok, in.Message)
	}
	if change.description && in.Description != "" {
		k, ok := c.dialect.set(r, "description", in.Description)
		add(k, ok, in.Description)
	}
	if fresh := without(in.Tags, before.Tags); change.tags && len(fresh) > 0 {
		k, ok := c.dialect.addTags(r, fresh)
		add(k, ok, "tags "+strings.Join(in.Tags, ", "))
	}
	if gone := without(before.Tags, in.Tags); change.tags && len(gone) > 0 {
		k, ok := c.dialect.removeTags(r, gone)
		add(k, ok, "")
	}
	if change.details && len(in.Details) > 0 {
		k, ok := c.dialect.setDetails(r, in.Details)
		add(k, ok, "")
	}
	keys := make([]string, 0, len(in.Details))
	for k := range in.Details {
		keys = append(keys, k)
	}
	if gone := without(before.DetailKeys, keys); change.details && len(gone) > 0 {
		k, ok := c.dialect.removeDetails(r, gone)
		add(k, ok, "")
	}
	return steps, rest
}

// notes returns what a delivery says to people beside its content.
func (c *Client) notes(d *alarm.Delivery) []string {
	var notes []string
	for _, note := range d.Notes {
		notes = append(notes, cut(note, limitNote))
	}
	return notes
}

// reminds says whether a delivery says no more than that something goes on. A note follows only if the
// incident is half as old again as at the last one.
func reminds(r alarm.NotifyReason) bool { return r == notify.StillFiring || r == alarm.NotifyRepeat }

// oldest returns for how long the oldest alert fires.
func oldest(d *alarm.Delivery) time.Duration {
	var age time.Duration
	for i := range d.Alerts {
		if a := &d.Alerts[i]; !a.ResolvedAt(d.Now) && !a.StartsAt.IsZero() {
			age = max(age, d.Now.Sub(a.StartsAt))
		}
	}
	return age
}

// stillFiring says for how long an incident goes on, and how often its alerts fired.
func stillFiring(d *alarm.Delivery, age time.Duration) string {
	firing, fired := 0, 0
	for i := range d.Alerts {
		if a := &d.Alerts[i]; !a.ResolvedAt(d.Now) {
			firing++
			fired += max(a.Fired, 1)
		}
	}
	note := "Still firing"
	if age = age.Truncate(time.Minute); age > 0 {
		note += " after " + strings.TrimSuffix(age.String(), "0s")
	}
	if firing > 1 {
		note += fmt.Sprintf(": %d alerts", firing)
	}
	if fired > firing {
		note += fmt.Sprintf(", which began %d times", fired)
	}
	return note + "."
}

func without(items, others []string) []string {
	return slices.DeleteFunc(slices.Clone(items), func(item string) bool { return slices.Contains(others, item) })
}
