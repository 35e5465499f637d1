package alarm

import (
	"fmt"
	"slices"
	"time"
)

// A commitment is what was decided last, on its way into the store.
type commitment struct {
	done chan struct{} // closed when it is known what became of it
	err  error         // not before
}

func (c *commitment) end(err error) {
	if c != nil {
		c.err = err
		close(c.done)
	}
}

// Render says what an intention is to say at now. No Delivery and no error means that there is nothing left
// to say: then the intention ends unsent. What would be said is said only once it is stored: Render waits
// while it is being committed. An error that wraps ErrNotStored means that it may never have been: ask again
// when the store can be written. ErrStopped means that nobody will write it.
func (e *Engine) Render(now time.Time, in Intention) (*Delivery, error) {
	e.mu.RLock()
	d, under := e.render(now, in), e.under
	e.mu.RUnlock()
	if under == nil {
		return d, nil
	}
	<-under.done
	if under.err != nil {
		select {
		case <-e.stopped:
			return nil, ErrStopped
		default:
		}
		return nil, fmt.Errorf("%w: %w", ErrNotStored, under.err)
	}
	return d, nil
}

// render is Render as far as is known now.
func (e *Engine) render(now time.Time, in Intention) *Delivery {
	g := e.groups[in.GroupID]
	if g == nil && len(e.channels[in.Key]) > 0 {
		g = e.channels[in.Key][0].group // a reload made it anew
	}
	open := e.open[in.Key]
	if g == nil || open == nil || open.ID != in.ID {
		return nil
	}
	n := slices.IndexFunc(g.channels, func(c *channel) bool { return c.key == in.Key })
	if n < 0 {
		return nil
	}
	c, told := g.channels[n], e.told[in.Key]
	sets := g.sets(c, told)
	reason := g.why(c, told, sets, now, c.doubt || open.Uncertain || in.Uncertain)
	if reason == NotifyNone || (len(sets.Firing) == 0 && !c.spec.SendResolved) {
		return nil
	}
	d := &Delivery{
		Intention: in, Now: now, GroupKey: g.Key, GroupLabels: g.Labels, RouteID: g.RouteID, Team: g.Team,
		RouteLabels: g.RouteLabels, Repeat: g.Repeat, Told: sets,
		Alerts: g.message(now, sets, c.spec.SendResolved), Oldest: g.oldestUntold(sets, told),
	}
	e.annotate(d.Alerts)
	d.Action, d.Reason, d.Notes = actionFor(told, sets), reason, g.notes(told, sets)
	if told != nil && reason != NotifyFirst {
		d.Data = slices.Clone(told.Data)
	}
	return d
}

// message lists the alerts that a notification shows, in the order of Alertmanager's messages.
func (g *group) message(now time.Time, sets ToldSets, sendResolved bool) []Alert {
	alerts := make([]Alert, 0, len(sets.Firing)+len(sets.Resolved))
	add := func(en *entry) {
		if _, ok := slices.BinarySearch(sets.Firing, en.hash); ok {
			a := *en.alert
			a.EndsAt = time.Time{} // it must not resolve as time moves on
			alerts = append(alerts, a)
		} else if _, ok := slices.BinarySearch(sets.Resolved, en.hash); ok && sendResolved {
			a := *en.alert
			switch {
			case a.State != Resolved:
				a.EndsAt = now // it fires, and is closed there all the same
			case a.EndsAt.IsZero():
				a.EndsAt = en.ended
			}
			a.State = Resolved
			alerts = append(alerts, a)
		}
	}
	for _, en := range g.members {
		add(en)
	}
	for _, en := range g.strays {
		add(en)
	}
	slices.SortFunc(alerts, func(a, b Alert) int { return CompareForMessage(&a, &b) })
	return alerts
}

// oldestUntold returns the StartsAt of the oldest alert in sets that told does not hold.
func (g *group) oldestUntold(sets ToldSets, told *Told) time.Time {
	var oldest time.Time
	for _, en := range g.members {
		if _, fires := slices.BinarySearch(sets.Firing, en.hash); !fires || told.holds(en.hash) {
			continue
		}
		if oldest.IsZero() || en.alert.StartsAt.Before(oldest) {
			oldest = en.alert.StartsAt
		}
	}
	return oldest
}
