package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// On a server the lease is a row with an end, which the server's own clock judges. Every commit
// begins with an update of that row, and so holds it locked until its outcome is known: nobody takes
// over in the middle of a commit, a late leader finds another generation there, and whoever wants to
// know what became of a commit whose answer was lost waits for the lock.

// lease is what this process knows of the row.
type lease struct {
	generation int64 // that was acquired; 0: none
	version    int64 // of the last commit
	writing    int64 // the version that the commit under way writes
	unsettled  bool  // the outcome of the last commit is unknown
}

// A Leadership says who leads, by the database and its clock.
type Leadership struct {
	Generation int64
	Version    int64     // how many commits the state has seen: it moves if and only if the state may have changed
	Name       string    // what the leader calls itself; empty if nobody leads
	Since      time.Time // when it took over; zero if nobody leads
	Until      time.Time // when the lease ends unless it is renewed; zero if nobody leads
	Ours       bool      // it was this DB that took over; others may do so after Until
}

// errMoved means that the state in the database is not the one that the commit was planned for.
var errMoved = errors.New("the state has moved since it was loaded, as after a fail-over of the database: load it again")

// acquireRow is Acquire on a server. A lease whose end is farther away than a lease can be was made
// before the server's clock was set back, and does not count.
func (d *DB) acquireRow(ctx context.Context) (int64, error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	if err := d.checkSchema(ctx); err != nil { // a newer version may have led since Open
		return 0, fmt.Errorf("acquire the lease: %w", d.trouble(err))
	}
	server := d.dialect.Server
	now, ttl := server.Now, server.TTL.Nanoseconds()
	var taken lease
	err := d.transact(ctx, func(tx *sql.Tx) error {
		won, err := d.touch(ctx, tx, "UPDATE lease SET generation = generation + 1, holder = ?, name = ?, "+
			"acquired_at = "+now+", expires_at = "+now+" + ? WHERE id = 1 AND (holder = ? OR expires_at <= "+now+" OR expires_at > "+now+" + ?)",
			d.token, []byte(server.Name), ttl, d.token, 2*ttl)
		if err != nil {
			return err
		}
		if !won {
			return d.heldBy(ctx, tx)
		}
		return tx.QueryRowContext(ctx, "SELECT generation, version FROM lease WHERE id = 1").Scan(&taken.generation, &taken.version)
	})
	if err != nil {
		return 0, fmt.Errorf("acquire the lease: %w", d.trouble(err))
	}
	d.lease, d.rows = taken, rowIDs{}
	return taken.generation, nil
}

func (d *DB) heldBy(ctx context.Context, tx *sql.Tx) error {
	l, err := d.leadership(ctx, tx)
	if err != nil {
		return err
	}
	return &HeldError{Where: d.dialect.Where, By: l.Name, Until: l.Until}
}

// touch updates the row of the lease, and says whether the condition held.
func (d *DB) touch(ctx context.Context, tx *sql.Tx, query string, args ...any) (bool, error) {
	result, err := tx.ExecContext(ctx, d.dialect.bind(query), args...)
	if err != nil {
		return false, fmt.Errorf("update the lease: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// renewRow is Renew on a server. The time is taken before the question, and a part of the lease is
// left out, for the clocks need not run equally fast.
func (d *DB) renewRow(ctx context.Context, generation int64) (until time.Time, err error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	server := d.dialect.Server
	began := time.Now()
	err = d.transact(ctx, func(tx *sql.Tx) error {
		ours, err := d.touch(ctx, tx, "UPDATE lease SET expires_at = "+server.Now+" + ? WHERE id = 1 AND generation = ? AND holder = ?",
			server.TTL.Nanoseconds(), generation, d.token)
		if err == nil && !ours {
			err = alarm.ErrLeaseLost
		}
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("renew the lease: %w", d.trouble(err))
	}
	return began.Add(server.TTL - server.TTL/8), nil
}

func (d *DB) releaseRow(ctx context.Context, generation int64) error {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	err := d.transact(ctx, func(tx *sql.Tx) error {
		ours, err := d.touch(ctx, tx, "UPDATE lease SET holder = ?, name = ?, expires_at = 0 WHERE id = 1 AND generation = ? AND holder = ?",
			[]byte{}, []byte{}, generation, d.token)
		if err == nil && !ours {
			err = alarm.ErrLeaseLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("release the lease: %w", d.trouble(err))
	}
	d.lease.generation = 0
	return nil
}

// leaveTimeout is how long Close tries to give the lease back. Others wait for its end otherwise.
const leaveTimeout = 2 * time.Second

// leave gives the lease back, if it is held and the server can be reached.
func (d *DB) leave() {
	if d.dialect.Server == nil || d.lease.generation == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	_ = d.releaseRow(ctx, d.lease.generation) // it ends by itself
}

// fence begins a commit: it refuses a late leader, numbers the commit, and extends the lease.
func (d *DB) fence(ctx context.Context, tx *sql.Tx, generation int64) error {
	server := d.dialect.Server
	if server == nil {
		return d.checkGeneration(ctx, tx, generation)
	}
	d.lease.writing = d.lease.version + 1
	ours, err := d.touch(ctx, tx, "UPDATE lease SET version = ?, expires_at = "+server.Now+" + ? "+
		"WHERE id = 1 AND generation = ? AND holder = ? AND version = ?",
		d.lease.writing, server.TTL.Nanoseconds(), generation, d.token, d.lease.version)
	if err != nil || ours {
		return err
	}
	l, err := d.leadership(ctx, tx)
	if err != nil {
		return err
	}
	if l.Generation != generation || !l.Ours {
		return alarm.ErrLeaseLost
	}
	return errMoved
}

// takeTurn keeps the transactions of other servers out until this one ends.
func (d *DB) takeTurn(ctx context.Context, tx *sql.Tx) error {
	if d.dialect.Server == nil {
		return nil
	}
	var id int64
	return tx.QueryRowContext(ctx, "SELECT id FROM lease WHERE id = 1 FOR UPDATE").Scan(&id)
}

// doubt notes that a commit failed in a way that does not say what became of it.
func (d *DB) doubt(err error) {
	if d.dialect.Server != nil && !errors.Is(err, alarm.ErrLeaseLost) && !errors.Is(err, errImportedBefore) {
		d.lease.unsettled = true
	}
}

// settle waits until a commit of unknown outcome has ended one way or the other, and reads which
// version there is. One that is older than ours means that the server lost commits: the number leaps,
// so that those who follow load everything.
func (d *DB) settle(ctx context.Context) error {
	if !d.lease.unsettled {
		return nil
	}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	var version int64
	err := d.transact(ctx, func(tx *sql.Tx) error {
		if err := d.takeTurn(ctx, tx); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, "SELECT version FROM lease WHERE id = 1").Scan(&version); err != nil {
			return err
		}
		if version >= d.lease.version {
			return nil
		}
		version = d.lease.version + keptVersions + 1
		_, err := d.touch(ctx, tx, "UPDATE lease SET version = ? WHERE id = 1 AND generation = ? AND holder = ?",
			version, d.lease.generation, d.token)
		return err
	})
	if err != nil {
		return fmt.Errorf("settle the last commit: %w", err)
	}
	d.lease.version, d.lease.unsettled = version, false
	return nil
}

// Leadership says who leads. On a server that is one row, cheap enough to ask each second; the
// database of a single process knows only whether that is this DB.
func (d *DB) Leadership(ctx context.Context) (Leadership, error) {
	if d.dialect.Server == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		return Leadership{Ours: d.held, Version: d.lease.version}, nil
	}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	l, err := d.leadership(ctx, d.read)
	if err != nil {
		return Leadership{}, fmt.Errorf("read the lease: %w", d.trouble(err))
	}
	return l, nil
}

func (d *DB) leadership(ctx context.Context, q querier) (l Leadership, err error) {
	var name []byte
	var held bool
	var since, until int64
	row := q.QueryRowContext(ctx, d.dialect.bind("SELECT generation, version, name, acquired_at, expires_at, expires_at > "+
		d.dialect.Server.Now+", holder = ? FROM lease WHERE id = 1"), d.token)
	if err := row.Scan(&l.Generation, &l.Version, &name, &since, &until, &held, &l.Ours); err != nil {
		return Leadership{}, err
	}
	if held {
		l.Name, l.Since, l.Until = string(name), time.Unix(0, since).UTC(), time.Unix(0, until).UTC()
	}
	return l, nil
}
