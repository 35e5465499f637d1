package notify

import (
	"context"
	"log/slog"

	"github.com/tocsin/tocsin/alarm"
)

// Log is a Receiver that writes each delivery as one log record.
type Log struct {
	logger *slog.Logger
	level  slog.Level
}

var _ Receiver = (*Log)(nil)

// NewLog returns a Receiver that writes to a logger, at a level.
func NewLog(logger *slog.Logger, level slog.Level) *Log { return &Log{logger: logger, level: level} }

// Deliver writes one record. Its keys are always the same.
func (l *Log) Deliver(ctx context.Context, d *alarm.Delivery) error {
	firing, resolved := []string{}, []string{}
	for i := range d.Alerts {
		if a := &d.Alerts[i]; a.ResolvedAt(d.Now) {
			resolved = append(resolved, a.String())
		} else {
			firing = append(firing, a.String())
		}
	}
	l.logger.Log(ctx, l.level, "delivery",
		"receiver", d.Key.Receiver,
		"integration", d.Key.Integration,
		"group", d.Key.Group,
		"action", d.Action.String(),
		"reason", string(d.Reason),
		"firing", firing,
		"resolved", resolved,
	)
	return nil
}
