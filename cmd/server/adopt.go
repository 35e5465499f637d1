package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

// adopted is the name under which the database remembers that a receiver took over.
const adopted = "adopt:"

// adopt closes, once, the incidents that Alertmanager's own integration left open: at once, or when
// ours are open in their place.
func (k *keepers) adopt(ctx context.Context, a *assembly) {
	for i := range a.remotes {
		r := &a.remotes[i]
		if r.config.Adopt == "" {
			continue
		}
		if done, err := k.server.db.Imported(ctx, adopted+r.receiver); err != nil || done {
			continue
		}
		said := ""
		for ctx.Err() == nil {
			err := k.adoptOne(ctx, a, r)
			if err == nil {
				break
			}
			if err.Error() != said {
				said = err.Error()
				k.log.Warn("incidents of Alertmanager are not taken over yet", "receiver", r.receiver, "err", err)
			}
			select {
			case <-time.After(min(time.Minute, r.config.ReconcileInterval)):
			case <-ctx.Done():
			}
		}
	}
}

// oursAreOpen says what keeps Alertmanager's incidents from being closed: as long as a source was not read,
// and as long as senders may not have spoken yet, nobody knows which of ours are to be open.
func (k *keepers) oursAreOpen(ctx context.Context, a *assembly, r *remote) error {
	if err := k.heard(a); err != nil {
		return err
	}
	standings, err := k.server.engine.Standings(ctx, r.receiver, incidents)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(standings, func(s alarm.Standing) bool { return s.Wanted && !s.Open && !s.Dead }) {
		return errors.New("ours are not open in their place yet")
	}
	return nil
}

func (k *keepers) adoptOne(ctx context.Context, a *assembly, r *remote) error {
	if r.config.Adopt == config.AdoptTake {
		if err := k.oursAreOpen(ctx, a, r); err != nil {
			return err
		}
	}
	theirs, err := r.client.ListAlertmanager(ctx)
	if err != nil {
		return err
	}
	for _, in := range theirs {
		const note = "Closed by tocsin, which took over from Alertmanager: what still fires has an incident of its own."
		if err := k.server.engine.Submit(ctx, alarm.Input{Events: []alarm.Event{{Kind: "adopted", Name: in.Alias, Note: note}}}); err != nil {
			return fmt.Errorf("record: %w", err)
		}
		if err := r.client.Close(ctx, in, note); err != nil {
			return err
		}
	}
	k.log.Info("took over from Alertmanager", "receiver", r.receiver, "incidents", len(theirs))
	_, err = k.server.db.Import(ctx, k.server.generation, adopted+r.receiver, &alarm.Plan{At: time.Now()})
	return err
}
