package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
)

// historyColumns are written in this order, and read so but for the block.
var historyColumns = [...]string{"id", "block", "at", "kind", "fingerprint", "source", "receiver", "integration", "group_key", "body"}

// A fact is a record before it has a number.
type fact struct {
	kind        string
	fingerprint any // nil or the column's value
	source      any // nil or a string, as are the following
	receiver    any
	integration any
	group       any
	body        []byte
}

// A block is a run of history.
type block struct {
	id, firstID, nextID int64
	firstAt, lastAt     int64
}

// blockSize is how many records a block has at least before the next one begins.
const blockSize = 4096

func emptyBlock(id, nextID int64) block {
	return block{id: id, firstID: nextID, nextID: nextID, firstAt: math.MaxInt64, lastAt: math.MinInt64}
}

// applyHistory appends everything that the plan says to history, first inputs, then outputs.
func (d *DB) applyHistory(ctx context.Context, tx *sql.Tx, p *alarm.Plan, bodies [][]byte) error {
	facts := d.facts(p, bodies)
	if len(facts) == 0 {
		return nil
	}
	at := nanos(p.At)
	b, err := d.lastBlock(ctx, tx)
	if err != nil {
		return err
	}
	if b.nextID-b.firstID >= blockSize {
		b = emptyBlock(b.id+1, b.nextID)
	}
	first := b.nextID
	err = d.bulks.history.exec(ctx, tx, len(facts), func(args []any, i int) []any {
		f := &facts[i]
		return append(args, first+int64(i), b.id, at, f.kind, f.fingerprint, f.source, f.receiver, f.integration, f.group, f.body)
	})
	if err != nil {
		return err
	}
	failpoint.Here("history-appended")
	b.nextID += int64(len(facts))
	b.firstAt, b.lastAt = min(b.firstAt, at), max(b.lastAt, at)
	return d.setBlock(ctx, tx, b)
}

const selectLastBlock = "SELECT id, first_id, next_id, first_at, last_at FROM history_blocks ORDER BY id DESC LIMIT 1"

// lastBlock is the one that history is appended to.
func (d *DB) lastBlock(ctx context.Context, tx *sql.Tx) (block, error) {
	b := emptyBlock(1, 1)
	row := d.queryRow(ctx, tx, d.lastBlockStmt, selectLastBlock)
	err := row.Scan(&b.id, &b.firstID, &b.nextID, &b.firstAt, &b.lastAt)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return block{}, fmt.Errorf("read the last block: %w", err)
	}
	return b, nil
}

func (d *DB) setBlock(ctx context.Context, tx *sql.Tx, b block) error {
	return d.bulks.blocks.exec(ctx, tx, 1, func(args []any, _ int) []any {
		return append(args, b.id, b.firstID, b.nextID, b.firstAt, b.lastAt)
	})
}

// facts lists what the plan says, in the order in which it is recorded.
func (d *DB) facts(p *alarm.Plan, bodies [][]byte) []fact {
	facts := make([]fact, 0, len(p.Inputs)+len(p.Exclude)+len(p.Add)+len(p.Update)+len(p.Close)+len(p.Outcomes)+
		len(p.Silences)+len(p.RemovedSilences)+len(p.Tellings)+len(p.Events))
	for i := range p.Events {
		body := d.encode(func(b []byte) []byte { return appendEvent(b, &p.Events[i]) })
		facts = append(facts, fact{kind: p.Events[i].Kind, body: body})
	}
	for i := range p.Silences {
		body := d.encode(func(b []byte) []byte { return appendSilence(b, p.Silences[i]) })
		facts = append(facts, fact{kind: "silence", body: body})
	}
	for _, id := range p.RemovedSilences {
		body := d.encode(func(b []byte) []byte { return append(appendText(append(b, '{'), "id", id), '}') })
		facts = append(facts, fact{kind: "silence-removed", body: body})
	}
	for i := range p.Inputs {
		c := &p.Inputs[i]
		f := fact{kind: c.Kind.String(), fingerprint: column(c.Alert.Fingerprint()), body: bodies[i]}
		if c.Source != "" {
			f.source = c.Source
		}
		facts = append(facts, f)
	}
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		body := d.encode(func(b []byte) []byte { return appendOutcome(b, o) })
		facts = append(facts, factOf(outcomeKind(o), o.Key, body))
	}
	for i := range p.Tellings {
		t := &p.Tellings[i]
		f := factOf(tellingKind(t), t.Key, d.encode(func(b []byte) []byte { return appendTelling(b, t) }))
		f.fingerprint = column(t.Fingerprint)
		facts = append(facts, f)
	}
	for i := range p.Exclude {
		body := d.encode(func(b []byte) []byte { return appendVerdict(b, &p.Exclude[i]) })
		facts = append(facts, fact{kind: "verdict", fingerprint: column(p.Exclude[i].Fingerprint), body: body})
	}
	for _, list := range [][]alarm.Intention{p.Add, p.Update, p.Close} {
		for i := range list {
			body := d.encode(func(b []byte) []byte { return appendIntention(b, &list[i]) })
			facts = append(facts, factOf(list[i].Action.String(), list[i].Key, body))
		}
	}
	return facts
}

func factOf(kind string, k alarm.IntentionKey, body []byte) fact {
	return fact{kind: kind, receiver: k.Receiver, integration: k.Integration, group: k.Group, body: body}
}

func outcomeKind(o *alarm.Outcome) string {
	switch {
	case o.Unsent:
		return "unsent"
	case o.Err != nil:
		return "failed"
	default:
		return "delivered"
	}
}

func tellingKind(t *alarm.Telling) string {
	if t.Resolved {
		return "told-resolved"
	}
	return "told"
}

const selectRecord = `SELECT h.id, h.at, h.kind, COALESCE(h.fingerprint, 0), COALESCE(h.source, ''),
	COALESCE(h.receiver, ''), COALESCE(h.integration, ''), COALESCE(h.group_key, ''), h.body `

// History returns the records of an alert from one instant to another, both included, in the order
// of the commits: the newest limit of them, or all if limit is 0.
func (d *DB) History(ctx context.Context, fp model.Fingerprint, from, to time.Time, limit int) ([]alarm.Record, error) {
	records, err := d.records(ctx, limit, selectRecord+`
		FROM history_blocks b CROSS JOIN history h
		WHERE b.last_at >= ? AND b.first_at <= ? AND h.block = b.id AND h.fingerprint = ? AND h.at >= ? AND h.at <= ?
		ORDER BY b.id DESC, h.id DESC`, nanos(from), nanos(to), column(fp), nanos(from), nanos(to))
	slices.Reverse(records)
	return records, err
}

// Records returns everything that was recorded after the record with this ID (0: from the
// beginning), in the order of the commits: the first limit records, or all if limit is 0.
func (d *DB) Records(ctx context.Context, after int64, limit int) ([]alarm.Record, error) {
	return d.records(ctx, limit, selectRecord+"FROM history h WHERE h.id > ? ORDER BY h.id", after)
}

func (d *DB) records(ctx context.Context, limit int, query string, args ...any) (records []alarm.Record, err error) {
	if limit > 0 {
		query += " LIMIT ?"
		args = append(args, limit)
	}
	rows, err := d.read.QueryContext(ctx, d.dialect.bind(query), args...)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", d.trouble(err))
	}
	defer rows.Close()
	for rows.Next() {
		var r alarm.Record
		var at, fp int64
		err := rows.Scan(&r.ID, &at, &r.Kind, &fp, &r.Source, &r.Receiver, &r.Integration, &r.Group, &r.Body)
		if err != nil {
			return nil, fmt.Errorf("read history: %w", d.unlessDone(ctx, "table history", err))
		}
		r.At, r.Fingerprint = time.Unix(0, at).UTC(), fingerprint(fp)
		records = append(records, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read history: %w", d.trouble(err))
	}
	return records, nil
}

// nanos cuts t to what the column at can hold: the years 1678 to 2261.
func nanos(t time.Time) int64 {
	switch y := t.Year(); {
	case y < 1678:
		return math.MinInt64
	case y > 2261:
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}
