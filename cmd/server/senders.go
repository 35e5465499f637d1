package server

import (
	"context"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

// senders tells those who push apart, by the labels of their alerts, so that one that falls silent
// is missed. What matches none is of the source push.
type senders struct {
	engine interface {
		Submit(context.Context, alarm.Input) error
	}
	sources func() []config.Source // those of type push
}

// Submit hands the input on, with each alert under the name of its sender.
func (s senders) Submit(ctx context.Context, in alarm.Input) error {
	sources := s.sources()
	if len(sources) == 0 {
		return s.engine.Submit(ctx, in)
	}
	var split []alarm.Snapshot
	for _, snapshot := range in.Snapshots {
		split = append(split, bySender(snapshot, sources)...)
	}
	in.Snapshots = split
	return s.engine.Submit(ctx, in)
}

// bySender splits a snapshot into one for each sender, in the order of the configuration, the rest
// being the last.
func bySender(s alarm.Snapshot, sources []config.Source) []alarm.Snapshot {
	parts := make([]alarm.Snapshot, len(sources)+1)
	for i := range parts {
		parts[i] = s
		parts[i].Alerts = nil
		if i < len(sources) {
			parts[i].Source = sources[i].Name
		}
	}
	for i := range s.Alerts {
		n := senderOf(&s.Alerts[i], sources)
		parts[n].Alerts = append(parts[n].Alerts, s.Alerts[i])
	}
	full := parts[:0]
	for _, part := range parts {
		if len(part.Alerts) > 0 {
			full = append(full, part)
		}
	}
	return full
}

func senderOf(a *alarm.Alert, sources []config.Source) int {
	for i := range sources {
		for _, ms := range sources[i].Match {
			if ms.Matches(a.Labels) {
				return i
			}
		}
	}
	return len(sources)
}
