package sqlstore

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// exportPage is how many records Export reads at once.
const exportPage = 1000

// Export writes the history from one instant to another, both included, as JSON lines in the order
// of the commits, and says how many. Each line is an [alarm.Record] whose body is JSON, not base64.
// It holds no transaction open, so that a slow w keeps nobody from writing; what Prune deletes
// meanwhile may be missing.
func (d *DB) Export(ctx context.Context, w io.Writer, from, to time.Time) (lines int, err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	after, err := d.beforeFirst(ctx, from)
	if err != nil {
		return 0, fmt.Errorf("export history: %w", d.trouble(err))
	}
	for {
		page, err := d.Records(ctx, after, exportPage)
		if err != nil {
			return lines, fmt.Errorf("export history: %w", err)
		}
		for i := range page {
			r := &page[i]
			if r.At.Before(from) || r.At.After(to) {
				continue
			}
			if err := enc.Encode(lineOf(r)); err != nil {
				return lines, fmt.Errorf("export history: %w", err)
			}
			lines++
		}
		if len(page) < exportPage {
			return lines, out.Flush()
		}
		after = page[len(page)-1].ID
	}
}

// A line is a record as people and programs read it.
type line struct {
	alarm.Record
	Fingerprint string          `json:"fingerprint,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`
}

func lineOf(r *alarm.Record) line {
	l := line{Record: *r, Body: r.Body}
	if r.Fingerprint != 0 {
		l.Fingerprint = r.Fingerprint.String()
	}
	return l
}

// beforeFirst is an ID before which nothing happened from then on.
func (d *DB) beforeFirst(ctx context.Context, from time.Time) (after int64, err error) {
	query := d.dialect.bind("SELECT COALESCE(min(first_id), 1) FROM history_blocks WHERE last_at >= ?")
	err = d.read.QueryRowContext(ctx, query, nanos(from)).Scan(&after)
	return after - 1, err
}
