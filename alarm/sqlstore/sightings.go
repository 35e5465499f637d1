package sqlstore

import (
	"context"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// Fired calls visit for each record of an alert that began to fire or changed while it fired, from one
// instant to another, the newest first, and stops after limit records. It returns how far back it
// came: from, unless there was more than that.
func (d *DB) Fired(ctx context.Context, from, to time.Time, limit int, visit func(model.Fingerprint, model.LabelSet)) (time.Time, error) {
	records, err := d.records(ctx, limit, selectRecord+`
		FROM history_blocks b CROSS JOIN history h
		WHERE b.last_at >= ? AND b.first_at <= ? AND h.block = b.id AND h.at >= ? AND h.at <= ?
			AND h.fingerprint IS NOT NULL AND h.kind IN ('appeared', 'changed')
		ORDER BY b.id DESC, h.id DESC`, nanos(from), nanos(to), nanos(from), nanos(to))
	if err != nil {
		return time.Time{}, err
	}
	back := from
	if len(records) == limit {
		back = records[limit-1].At
	}
	seen := map[model.Fingerprint]bool{}
	for i := range records {
		if seen[records[i].Fingerprint] {
			continue
		}
		var a alarm.Alert
		if err := decode(&reader{known: map[string]string{}}, records[i].Body, func(r *reader) { r.alert(&a) }); err != nil {
			return time.Time{}, err
		}
		if a.State == alarm.Firing {
			seen[records[i].Fingerprint] = true
			visit(records[i].Fingerprint, a.Labels)
		}
	}
	return back, nil
}
