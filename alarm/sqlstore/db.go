package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
)

// A DB keeps the state, the history and the outbox. Make one with a dialect's Open.
type DB struct {
	dialect Dialect
	write   *sql.DB
	read    *sql.DB
	known   int64  // the schema version
	token   []byte // tells this DB from all others, on a server

	bulks          bulks
	generationStmt *sql.Stmt
	lastBlockStmt  *sql.Stmt

	mu    sync.Mutex // held by whoever writes; guards the fields below
	rows  rowIDs
	buf   []byte // what a commit encodes
	held  bool   // the dialect's lock
	lease lease  // on a server
}

var (
	_ alarm.Store     = (*DB)(nil)
	_ alarm.Historian = (*DB)(nil)
)

// bulks are the statements of a commit.
type bulks struct {
	alerts, alertsGone         bulk
	verdicts, verdictsGone     bulk
	silences, silencesGone     bulk
	groups, groupsGone         bulk
	told, toldGone             bulk
	intentions, intentionsGone bulk
	parts, partsGone           bulk
	history, historyGone       bulk
	blocks                     bulk
	removed                    bulk // on a server
}

// New takes over two pools of connections to one database, of which write needs a single
// connection, and brings its tables up to date. It is for dialect packages. New closes the pools if
// it fails.
func New(ctx context.Context, write, read *sql.DB, dialect Dialect) (*DB, error) {
	token := uuid.New()
	d := &DB{dialect: dialect, write: write, read: read, token: token[:]}
	if dialect.Server != nil {
		server := *dialect.Server
		server.setDefaults()
		d.dialect.Server = &server
	}
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(d.trouble(err), d.Close())
	}
	return d, nil
}

func (d *DB) start(ctx context.Context) error {
	if err := d.migrate(ctx); err != nil {
		return err
	}
	switch {
	case d.dialect.ReadOnly:
		return nil
	case d.dialect.Server != nil:
		return d.prepareServer()
	default:
		return d.prepare(ctx)
	}
}

func (d *DB) prepare(ctx context.Context) error {
	var all []*prepared
	keep := func(b *prepared) bulk {
		all = append(all, b)
		return b
	}
	upsert := func(table string, key []string, columns ...string) bulk {
		return keep(newUpsert(&d.dialect, table, key, columns))
	}
	gone := func(table string, key ...string) bulk { return keep(newDelete(&d.dialect, table, key...)) }
	id, fp := []string{"id"}, []string{"fingerprint"}
	told, part := []string{"receiver", "integration", "group_key"}, []string{"part", `"key"`}
	d.bulks = bulks{
		alerts: upsert("alerts", id, "fingerprint", "body"), alertsGone: gone("alerts", id...),
		verdicts: upsert("verdicts", fp, "body"), verdictsGone: gone("verdicts", fp...),
		silences: upsert("silences", id, "body"), silencesGone: gone("silences", id...),
		groups: upsert(`"groups"`, id, "body"), groupsGone: gone(`"groups"`, id...),
		told: upsert("told", told, "body"), toldGone: gone("told", told...),
		intentions: upsert("intentions", id, "body"), intentionsGone: gone("intentions", id...),
		parts: upsert("parts", part, "value"), partsGone: gone("parts", part...),
		history: keep(newInsert(&d.dialect, "history", historyColumns[:])), historyGone: gone("history", id...),
		blocks: upsert("history_blocks", id, "first_id", "next_id", "first_at", "last_at"),
	}
	for _, one := range all {
		if err := one.prepare(ctx, d.write); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	var err error
	if d.generationStmt, err = d.write.PrepareContext(ctx, selectGeneration); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	if d.lastBlockStmt, err = d.write.PrepareContext(ctx, selectLastBlock); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	return nil
}

// queryRow runs a statement that was prepared if the dialect has it so.
func (d *DB) queryRow(ctx context.Context, tx *sql.Tx, stmt *sql.Stmt, query string) *sql.Row {
	if stmt == nil {
		return tx.QueryRowContext(ctx, query)
	}
	return tx.StmtContext(ctx, stmt).QueryRowContext(ctx) //nolint:sqlclosecheck // closed with tx
}

// Close releases the lease and closes the database. No other method may be called afterwards.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leave()
	err := errors.Join(d.read.Close(), d.write.Close())
	return errors.Join(d.trouble(err), d.unlock())
}

// transact runs f in a transaction of its own, which is committed if f returns nil.
func (d *DB) transact(ctx context.Context, f func(*sql.Tx) error) error {
	if err := d.writable(); err != nil {
		return err
	}
	tx, err := d.begin(ctx, d.write, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // err says what is wrong; the connection is given up if this fails too
		return err
	}
	failpoint.Here("transaction-written")
	return tx.Commit()
}

// begin tries once more on a server: a connection of the pool may have died meanwhile.
func (d *DB) begin(ctx context.Context, pool *sql.DB, opts *sql.TxOptions) (*sql.Tx, error) {
	tx, err := pool.BeginTx(ctx, opts)
	if err != nil && d.dialect.Server != nil && ctx.Err() == nil {
		return pool.BeginTx(ctx, opts)
	}
	return tx, err
}

func (d *DB) writable() error {
	if !d.dialect.ReadOnly {
		return nil
	}
	return &Error{Kind: ErrReadOnly, Where: d.dialect.Where, Err: errOpenedReadOnly, Remedy: "open it for writing"}
}

var errOpenedReadOnly = errors.New("opened to be read only")

// rowIDs says in which row of alerts a fingerprint is. The table has no index by fingerprint.
type rowIDs struct {
	generation int64 // during which nobody else writes; 0: nothing is known
	byAlert    map[model.Fingerprint]int64
	next       int64
}

// loadRowIDs reads which alert is in which row, unless that is known.
func (d *DB) loadRowIDs(ctx context.Context, tx *sql.Tx, generation int64) error {
	if d.rows.generation == generation && d.rows.byAlert != nil {
		return nil
	}
	d.rows = rowIDs{generation: generation, byAlert: map[model.Fingerprint]int64{}, next: 1}
	rows, err := tx.QueryContext(ctx, "SELECT id, fingerprint FROM alerts ORDER BY id")
	if err != nil {
		return fmt.Errorf("read rows of alerts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, fp int64
		if err := rows.Scan(&id, &fp); err != nil {
			return d.unlessDone(ctx, "table alerts", err)
		}
		d.rows.byAlert[fingerprint(fp)] = id
		d.rows.next = id + 1
	}
	return rows.Err()
}

// of returns the row of an alert, which is a new one if it has none.
func (r *rowIDs) of(fp model.Fingerprint) int64 {
	id, ok := r.byAlert[fp]
	if !ok {
		id = r.next
		r.next++
		r.byAlert[fp] = id
	}
	return id
}
