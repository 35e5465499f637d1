package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
)

// maxKept is how large a buffer a DB keeps for its next commit.
const maxKept = 8 << 20

// Commit makes the plan durable in one transaction, or changes nothing and returns an error:
// [alarm.ErrLeaseLost] if generation is no longer the lease's.
func (d *DB) Commit(ctx context.Context, generation int64, p *alarm.Plan) error {
	return d.commit(ctx, generation, p, func(context.Context, *sql.Tx) error { return nil })
}

// Import commits a plan that was made out of something else's files, once: if what was imported
// before, it returns false and changes nothing.
func (d *DB) Import(ctx context.Context, generation int64, what string, p *alarm.Plan) (imported bool, err error) {
	err = d.commit(ctx, generation, p, func(ctx context.Context, tx *sql.Tx) error {
		_, before, err := d.meta(ctx, tx, metaImported+what)
		if err != nil {
			return err
		}
		if before {
			return errImportedBefore
		}
		failpoint.Here("import-mark")
		return d.setMeta(ctx, tx, metaImported+what, p.At.UTC().Format("2006-01-02T15:04:05Z"))
	})
	failpoint.Here("import-done")
	if errors.Is(err, errImportedBefore) {
		return false, nil
	}
	return err == nil, err
}

var errImportedBefore = errors.New("imported before")

func (d *DB) commit(ctx context.Context, generation int64, p *alarm.Plan, first func(context.Context, *sql.Tx) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.writable(); err != nil {
		return err
	}
	if !d.leads() {
		return alarm.ErrLeaseLost
	}
	d.buf = d.buf[:0]
	err := d.settle(ctx)
	if err != nil {
		return d.trouble(err)
	}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	failpoint.Here("commit-begin")
	err = d.transact(ctx, func(tx *sql.Tx) error {
		if err := d.fence(ctx, tx, generation); err != nil {
			return err
		}
		failpoint.Here("commit-fenced")
		if err := first(ctx, tx); err != nil {
			return err
		}
		return d.apply(ctx, tx, generation, p)
	})
	failpoint.Here("commit-durable")
	if cap(d.buf) > maxKept {
		d.buf = nil
	}
	if err != nil {
		d.rows = rowIDs{} // it holds rows that never came to be
		d.doubt(err)
		return d.trouble(err)
	}
	d.lease.version++
	for _, a := range p.Forgotten {
		delete(d.rows.byAlert, a.Fingerprint())
	}
	return nil
}

// apply writes state and history. Within each table, what is set comes before what is removed.
func (d *DB) apply(ctx context.Context, tx *sql.Tx, generation int64, p *alarm.Plan) error {
	bodies := make([][]byte, len(p.Inputs))
	for i := range p.Inputs {
		bodies[i] = d.encode(func(b []byte) []byte { return appendAlert(b, p.Inputs[i].Alert) })
	}
	if err := d.applyAlerts(ctx, tx, generation, p, bodies); err != nil {
		return fmt.Errorf("write alerts: %w", err)
	}
	failpoint.Here("commit-alerts")
	if err := d.applyVerdicts(ctx, tx, p); err != nil {
		return fmt.Errorf("write verdicts: %w", err)
	}
	failpoint.Here("commit-verdicts")
	if err := d.applySilences(ctx, tx, p); err != nil {
		return fmt.Errorf("write silences: %w", err)
	}
	failpoint.Here("commit-silences")
	if err := d.applyGroups(ctx, tx, p); err != nil {
		return fmt.Errorf("write groups: %w", err)
	}
	failpoint.Here("commit-groups")
	if err := d.applyTold(ctx, tx, p); err != nil {
		return fmt.Errorf("write told: %w", err)
	}
	failpoint.Here("commit-told")
	if err := d.applyIntentions(ctx, tx, p); err != nil {
		return fmt.Errorf("write intentions: %w", err)
	}
	failpoint.Here("commit-intentions")
	if err := d.applyParts(ctx, tx, p); err != nil {
		return fmt.Errorf("write parts: %w", err)
	}
	failpoint.Here("commit-parts")
	if err := d.applyHistory(ctx, tx, p, bodies); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	failpoint.Here("commit-history")
	if err := d.applyRemoved(ctx, tx, p); err != nil {
		return fmt.Errorf("write what was removed: %w", err)
	}
	failpoint.Here("commit-removed")
	return nil
}

// encode returns what appendNoun appends. It is valid until the next commit.
func (d *DB) encode(appendNoun func([]byte) []byte) []byte {
	start := len(d.buf)
	d.buf = appendNoun(d.buf)
	return d.buf[start:len(d.buf):len(d.buf)]
}

func (d *DB) applyAlerts(ctx context.Context, tx *sql.Tx, generation int64, p *alarm.Plan, bodies [][]byte) error {
	if len(p.Inputs) == 0 && len(p.Forgotten) == 0 {
		return nil
	}
	if err := d.loadRowIDs(ctx, tx, generation); err != nil {
		return err
	}
	err := d.bulks.alerts.exec(ctx, tx, len(p.Inputs), func(args []any, i int) []any {
		fp := p.Inputs[i].Alert.Fingerprint()
		return append(args, d.rows.of(fp), column(fp), bodies[i])
	})
	if err != nil {
		return err
	}
	return d.bulks.alertsGone.exec(ctx, tx, len(p.Forgotten), func(args []any, i int) []any {
		return append(args, d.rows.of(p.Forgotten[i].Fingerprint()))
	})
}

func (d *DB) applyVerdicts(ctx context.Context, tx *sql.Tx, p *alarm.Plan) error {
	var withheld []*alarm.Verdict
	var over []int64
	for i := range p.Exclude {
		if v := &p.Exclude[i]; v.Withheld() {
			withheld = append(withheld, v)
		} else {
			over = append(over, column(v.Fingerprint))
		}
	}
	for _, a := range p.Forgotten {
		over = append(over, column(a.Fingerprint()))
	}
	err := d.bulks.verdicts.exec(ctx, tx, len(withheld), func(args []any, i int) []any {
		body := d.encode(func(b []byte) []byte { return appendVerdict(b, withheld[i]) })
		return append(args, column(withheld[i].Fingerprint), body)
	})
	if err != nil {
		return err
	}
	return d.bulks.verdictsGone.exec(ctx, tx, len(over), func(args []any, i int) []any {
		return append(args, over[i])
	})
}

func (d *DB) applySilences(ctx context.Context, tx *sql.Tx, p *alarm.Plan) error {
	err := d.bulks.silences.exec(ctx, tx, len(p.Silences), func(args []any, i int) []any {
		body := d.encode(func(b []byte) []byte { return appendSilence(b, p.Silences[i]) })
		return append(d.keyArgs(args, p.Silences[i].ID), body)
	})
	if err != nil {
		return err
	}
	return d.bulks.silencesGone.exec(ctx, tx, len(p.RemovedSilences), func(args []any, i int) []any {
		return d.keyArgs(args, p.RemovedSilences[i])
	})
}

func (d *DB) applyGroups(ctx context.Context, tx *sql.Tx, p *alarm.Plan) error {
	err := d.bulks.groups.exec(ctx, tx, len(p.Groups), func(args []any, i int) []any {
		body := d.encode(func(b []byte) []byte { return appendGroupState(b, &p.Groups[i]) })
		return append(d.keyArgs(args, p.Groups[i].Group.ID()), body)
	})
	if err != nil {
		return err
	}
	return d.bulks.groupsGone.exec(ctx, tx, len(p.EndedGroups), func(args []any, i int) []any {
		return d.keyArgs(args, p.EndedGroups[i])
	})
}

func (d *DB) applyTold(ctx context.Context, tx *sql.Tx, p *alarm.Plan) error {
	err := d.bulks.told.exec(ctx, tx, len(p.Told), func(args []any, i int) []any {
		body := d.encode(func(b []byte) []byte { return appendTold(b, &p.Told[i]) })
		return append(d.textArgs(args, keyTexts(p.Told[i].Key)...), body)
	})
	if err != nil {
		return err
	}
	return d.bulks.toldGone.exec(ctx, tx, len(p.DroppedTold), func(args []any, i int) []any {
		return d.keyArgs(args, keyTexts(p.DroppedTold[i])...)
	})
}

func keyTexts(k alarm.IntentionKey) []string { return []string{k.Receiver, k.Integration, k.Group} }

func (d *DB) applyIntentions(ctx context.Context, tx *sql.Tx, p *alarm.Plan) error {
	for _, list := range [][]alarm.Intention{p.Add, p.Update, p.Close} {
		err := d.bulks.intentions.exec(ctx, tx, len(list), func(args []any, i int) []any {
			body := d.encode(func(b []byte) []byte { return appendIntention(b, &list[i]) })
			return append(args, list[i].ID, body)
		})
		if err != nil {
			return err
		}
	}
	return d.bulks.intentionsGone.exec(ctx, tx, len(p.Outcomes), func(args []any, i int) []any {
		return append(args, p.Outcomes[i].ID)
	})
}

// applyParts writes of several rows with the same key the last one. However they are mixed, it takes two
// statements, or two bulks of them.
func (d *DB) applyParts(ctx context.Context, tx *sql.Tx, p *alarm.Plan) error {
	set, gone := lastRows(p.Rows)
	err := d.bulks.parts.exec(ctx, tx, len(set), func(args []any, i int) []any {
		return append(d.textArgs(args, set[i].Part, set[i].Key), set[i].Value)
	})
	if err != nil {
		return err
	}
	return d.bulks.partsGone.exec(ctx, tx, len(gone), func(args []any, i int) []any {
		return d.keyArgs(args, gone[i].Part, gone[i].Key)
	})
}

// lastRows tells the rows that have a value from those that have none, without those that a later one
// replaces.
func lastRows(rows []alarm.Row) (set, gone []alarm.Row) {
	type rowKey struct{ part, key string }
	last := make(map[rowKey]int, len(rows))
	for i, r := range rows {
		last[rowKey{r.Part, r.Key}] = i
	}
	for i, r := range rows {
		switch {
		case last[rowKey{r.Part, r.Key}] != i:
		case r.Value == nil:
			gone = append(gone, r)
		default:
			set = append(set, r)
		}
	}
	return set, gone
}
