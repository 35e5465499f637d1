package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
)

// Load reads the whole state, as of one instant. Alerts and verdicts are sorted by fingerprint,
// silences and groups by ID, intentions by ID, what was told by receiver, integration and group,
// rows by part and key.
func (d *DB) Load(ctx context.Context) (*alarm.Stored, error) {
	ctx, cancel := d.boundLoad(ctx)
	defer cancel()
	if err := d.settleFirst(ctx); err != nil {
		return nil, fmt.Errorf("load: %w", d.trouble(err))
	}
	tx, err := d.begin(ctx, d.read, d.snapshot())
	if err != nil {
		return nil, fmt.Errorf("load: %w", d.trouble(err))
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	failpoint.Here("load-begin")
	s, err := d.load(ctx, tx, 0)
	failpoint.Here("load-read")
	if err != nil {
		return nil, fmt.Errorf("load: %w", d.trouble(err))
	}
	return s, nil
}

// settleFirst keeps Load from reading the state while a commit of unknown outcome may still come
// into it.
func (d *DB) settleFirst(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settle(ctx)
}

// snapshot is how to read several tables as of one instant.
func (d *DB) snapshot() *sql.TxOptions {
	if d.dialect.Server == nil {
		return &sql.TxOptions{ReadOnly: true} // as always in SQLite
	}
	return &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
}

// load reads what was written after the version since.
func (d *DB) load(ctx context.Context, tx *sql.Tx, since int64) (*alarm.Stored, error) {
	s := &alarm.Stored{}
	l := &loader{d: d, tx: tx, since: since, reader: reader{known: map[string]string{}}}
	for _, load := range []func(context.Context, *alarm.Stored) error{
		l.alerts, l.verdicts, l.silences, l.groups, l.told, l.intentions, l.parts,
	} {
		if err := load(ctx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// A loader reads the tables one after the other. But for alerts they share what strings they have in
// common.
type loader struct {
	d      *DB
	tx     *sql.Tx
	since  int64 // version; 0: everything
	reader reader
}

// each calls row for each row of a query. dest are where row finds the columns, valid until it
// returns; body, if not nil, is the last column.
func (l *loader) each(ctx context.Context, table, columns string, row func(body []byte) error, dest ...any) error {
	query, args := "SELECT "+columns+" FROM "+table, []any(nil)
	if l.since > 0 {
		query, args = query+" WHERE version > ?", append(args, l.since)
	}
	rows, err := l.tx.QueryContext(ctx, l.d.dialect.bind(query), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	defer rows.Close()
	var body sql.RawBytes
	dest = append(dest, &body)
	for n := 1; rows.Next(); n++ {
		err := rows.Scan(dest...)
		if err == nil {
			err = row(body)
		}
		if err != nil {
			return l.d.unlessDone(ctx, fmt.Sprintf("table %s, row %d", table, n), err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	return nil
}

func (l *loader) verdicts(ctx context.Context, s *alarm.Stored) error {
	var fp int64
	err := l.each(ctx, "verdicts", "fingerprint, body", func(body []byte) error {
		v := alarm.Verdict{Fingerprint: fingerprint(fp)}
		err := decode(&l.reader, body, func(r *reader) { r.verdict(&v) })
		s.Verdicts = append(s.Verdicts, v)
		return err
	}, &fp)
	slices.SortFunc(s.Verdicts, func(a, b alarm.Verdict) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
	return err
}

func (l *loader) silences(ctx context.Context, s *alarm.Stored) error {
	err := l.each(ctx, "silences", "body", func(body []byte) error {
		sil := &alarm.Silence{}
		err := decode(&l.reader, body, func(r *reader) { r.silence(sil) })
		s.Silences = append(s.Silences, sil)
		return err
	})
	slices.SortFunc(s.Silences, func(a, b *alarm.Silence) int { return cmp.Compare(a.ID, b.ID) })
	return err
}

func (l *loader) groups(ctx context.Context, s *alarm.Stored) error {
	err := l.each(ctx, `"groups"`, "body", func(body []byte) error {
		var g alarm.GroupState
		err := decode(&l.reader, body, func(r *reader) { r.groupState(&g) })
		s.Groups = append(s.Groups, g)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(s.Groups, func(a, b alarm.GroupState) int { return cmp.Compare(a.Group.ID(), b.Group.ID()) })
	return nil
}

func (l *loader) told(ctx context.Context, s *alarm.Stored) error {
	var key alarm.IntentionKey
	err := l.each(ctx, "told", "receiver, integration, group_key, body", func(body []byte) error {
		t := alarm.Told{Key: key}
		err := decode(&l.reader, body, func(r *reader) { r.told(&t) })
		s.Told = append(s.Told, t)
		return err
	}, &key.Receiver, &key.Integration, &key.Group)
	slices.SortFunc(s.Told, compareTold)
	return err
}

func compareTold(a, b alarm.Told) int {
	return cmp.Or(cmp.Compare(a.Key.Receiver, b.Key.Receiver),
		cmp.Compare(a.Key.Integration, b.Key.Integration), cmp.Compare(a.Key.Group, b.Key.Group))
}

func (l *loader) intentions(ctx context.Context, s *alarm.Stored) error {
	err := l.each(ctx, "intentions", "body", func(body []byte) error {
		var in alarm.Intention
		err := decode(&l.reader, body, func(r *reader) { r.intention(&in) })
		s.Intentions = append(s.Intentions, in)
		return err
	})
	slices.SortFunc(s.Intentions, func(a, b alarm.Intention) int { return cmp.Compare(a.ID, b.ID) })
	return err
}

func (l *loader) parts(ctx context.Context, s *alarm.Stored) error {
	var row alarm.Row
	err := l.each(ctx, "parts", `part, "key", value`, func(value []byte) error {
		row.Value = append([]byte{}, value...)
		s.Rows = append(s.Rows, row)
		return nil
	}, &row.Part, &row.Key)
	slices.SortFunc(s.Rows, compareRows)
	return err
}

func compareRows(a, b alarm.Row) int {
	return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Key, b.Key))
}
