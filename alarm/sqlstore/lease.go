package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
)

// Acquire takes the lease and returns its generation, which is higher than any before. What others
// commit under an older one is refused from then on. If another server holds the lease, Acquire
// returns a *HeldError at once.
func (d *DB) Acquire(ctx context.Context) (generation int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.writable(); err != nil {
		return 0, err
	}
	if d.dialect.Server != nil {
		return d.acquireRow(ctx)
	}
	heldBefore := d.held
	if err := d.lock(); err != nil {
		return 0, fmt.Errorf("acquire the lease: %w", err)
	}
	failpoint.Here("lease-locked")
	generation, err = d.raiseGeneration(ctx)
	failpoint.Here("lease-raised")
	if err != nil && !heldBefore {
		err = errors.Join(err, d.unlock())
	}
	if err != nil {
		return 0, fmt.Errorf("acquire the lease: %w", d.trouble(err))
	}
	return generation, nil
}

func (d *DB) raiseGeneration(ctx context.Context) (generation int64, err error) {
	if err := d.checkSchema(ctx); err != nil { // a newer version may have led since Open
		return 0, err
	}
	err = d.transact(ctx, func(tx *sql.Tx) error {
		last, err := d.generation(ctx, tx)
		if err != nil {
			return err
		}
		generation = last + 1
		return d.setMeta(ctx, tx, metaGeneration, strconv.FormatInt(generation, 10))
	})
	return generation, err
}

// Renew extends the lease and says until when it is surely held, by this machine's monotonic clock:
// the zero time means for as long as this process lives. It returns [alarm.ErrLeaseLost] if it is not held any more.
func (d *DB) Renew(ctx context.Context, generation int64) (until time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dialect.Server != nil {
		return d.renewRow(ctx, generation)
	}
	if !d.leads() {
		return time.Time{}, fmt.Errorf("renew the lease: %w", alarm.ErrLeaseLost)
	}
	err = d.transact(ctx, func(tx *sql.Tx) error { return d.checkGeneration(ctx, tx, generation) })
	if err != nil {
		return time.Time{}, fmt.Errorf("renew the lease: %w", d.trouble(err))
	}
	return time.Time{}, nil
}

// Release gives the lease back, so that another server need not wait for it. Close does so too.
func (d *DB) Release(ctx context.Context, generation int64) error {
	if d.dialect.Server != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.releaseRow(ctx, generation)
	}
	if _, err := d.Renew(ctx, generation); err != nil {
		return err // it is somebody else's
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.unlock()
}

func (d *DB) checkGeneration(ctx context.Context, tx *sql.Tx, generation int64) error {
	current, err := d.generation(ctx, tx)
	if err != nil {
		return err
	}
	if current != generation {
		return alarm.ErrLeaseLost
	}
	return nil
}

// leads says whether this process may write at all.
func (d *DB) leads() bool { return d.dialect.Lock == nil || d.held }

const selectGeneration = "SELECT value FROM meta WHERE name = '" + metaGeneration + "'"

// generation is 0 if nobody ever held the lease.
func (d *DB) generation(ctx context.Context, tx *sql.Tx) (generation int64, err error) {
	var value string
	err = d.queryRow(ctx, tx, d.generationStmt, selectGeneration).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the generation: %w", err)
	}
	if generation, err = strconv.ParseInt(value, 10, 64); err != nil {
		return 0, d.corrupt("meta: generation", err)
	}
	return generation, nil
}

func (d *DB) lock() error {
	if d.dialect.Lock == nil || d.held {
		return nil
	}
	if err := d.dialect.Lock.Take(); err != nil {
		return err
	}
	d.held = true
	return nil
}

func (d *DB) unlock() error {
	if !d.held {
		return nil
	}
	d.held = false
	return d.dialect.Lock.Release()
}
