package server

import (
	"context"
	"fmt"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

var (
	_ notify.Desk   = (*desk)(nil)
	_ notify.Remote = (*recorded)(nil)
)

// A desk is the engine's side of the reconciliation of one account.
type desk struct {
	engine     *alarm.Engine
	remotes    []remote // of all accounts
	account    string
	severities alarm.Severities
	fresh      func() bool // every source was read since the start, and is not stale
}

// Beliefs returns how every alias stands, at whatever account, and whether all sources are fresh.
func (d *desk) Beliefs(ctx context.Context) (believed []notify.Belief, fresh bool, err error) {
	for i := range d.remotes {
		r := &d.remotes[i]
		standings, err := d.engine.Standings(ctx, r.receiver, incidents)
		if err != nil {
			return nil, false, fmt.Errorf("how receiver %s stands: %w", r.receiver, err)
		}
		for _, s := range standings {
			believed = append(believed, notify.Belief{
				Key: s.Key, Alias: r.client.Alias(s.Key), Open: s.Open, Busy: s.Busy, Elsewhere: r.account != d.account,
				ClosedByHand: s.Closed, Priority: r.priority(d.severities, s.Alert), ToldAt: s.Told,
				Acknowledged: !s.Acked.At.IsZero(), AcknowledgedBy: s.Acked.By, Data: s.Data,
			})
		}
	}
	return believed, d.fresh(), nil
}

// Apply hands the engine's steps to it.
func (d *desk) Apply(ctx context.Context, steps []notify.Step) error {
	var in alarm.Input
	for _, s := range steps {
		c := alarm.RemoteChange{Key: s.Belief.Key, At: s.Incident.ClosedAt, By: s.Incident.ClosedBy}
		switch s.Action {
		case notify.StepReopen:
			c.Kind = alarm.RemoteClosed
		case notify.StepClosedByHand:
			c.Kind = alarm.RemoteLeftClosed
		case notify.StepAcknowledge:
			c.Kind, c.At, c.By = alarm.RemoteUnacknowledged, s.Incident.UpdatedAt, s.Incident.AcknowledgedBy
			if s.Incident.Acknowledged {
				c.Kind = alarm.RemoteAcknowledged
			}
		default:
			continue
		}
		in.Remotes = append(in.Remotes, c)
	}
	if len(in.Remotes) == 0 {
		return nil
	}
	return d.engine.Submit(ctx, in)
}

// recorded writes into history what is closed there without an intention of ours, before it is. Once the
// lease may have ended it asks and closes nothing: another server does by then.
type recorded struct {
	notify.Remote
	submit func(context.Context, alarm.Input) error
	barred func() error
}

// List lists what is open.
func (r *recorded) List(ctx context.Context) ([]notify.Incident, error) {
	if err := r.barred(); err != nil {
		return nil, err
	}
	return r.Remote.List(ctx)
}

// Close records the orphan, and closes it.
func (r *recorded) Close(ctx context.Context, in notify.Incident, note string) error {
	if err := r.barred(); err != nil {
		return err
	}
	event := alarm.Event{Kind: "orphan", Name: in.Alias, Note: note}
	if err := r.submit(ctx, alarm.Input{Events: []alarm.Event{event}}); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := r.barred(); err != nil {
		return err
	}
	return r.Remote.Close(ctx, in, note)
}
