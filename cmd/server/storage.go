package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/notify/amreceiver"
)

// openStore opens the database, takes the lease, and at the first start takes in what Alertmanager
// left in the same folder.
func openStore(ctx context.Context, f *serveFlags, c *config.Config, log *slog.Logger) (*sqlstore.DB, int64, error) {
	path := c.Tocsin.Storage.SQLite
	if path == "" {
		path = filepath.Join(f.storagePath, "tocsin.db")
	}
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return nil, 0, err
	}
	generation, err := db.Acquire(ctx)
	if err == nil {
		err = importAlertmanager(ctx, db, generation, f, log)
	}
	if err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	return db, generation, nil
}

// importKey marks in the database that Alertmanager's files were taken in.
const importKey = "alertmanager_imported"

// importAlertmanager takes in Alertmanager's silences and its notification log, once. What is
// damaged is said and left behind; what can be read of it counts.
func importAlertmanager(ctx context.Context, db *sqlstore.DB, generation int64, f *serveFlags, log *slog.Logger) error {
	done, err := db.Imported(ctx, importKey)
	if err != nil || done {
		return err
	}
	plan := &alarm.Plan{At: time.Now().UTC()}
	if err := readFile(f.storagePath, "silences", log, func(r *os.File) (err error) {
		plan.Silences, err = amreceiver.ImportSilences(r, plan.At)
		return err
	}); err != nil {
		return err
	}
	if err := readFile(f.storagePath, "nflog", log, func(r *os.File) (err error) {
		plan.Told, err = amreceiver.ImportTold(r, plan.At)
		return err
	}); err != nil {
		return err
	}
	if len(plan.Silences)+len(plan.Told) > 0 {
		log.Info("took in Alertmanager's state", "silences", len(plan.Silences), "groups", len(plan.Told))
		plan.Events = []alarm.Event{{Kind: "import", Note: fmt.Sprintf("%d silences and %d notification log entries of Alertmanager", len(plan.Silences), len(plan.Told))}}
	}
	_, err = db.Import(ctx, generation, importKey, plan)
	return err
}

// readFile hands a file of the folder to read, if it is there.
func readFile(folder, name string, log *slog.Logger, read func(*os.File) error) error {
	path := filepath.Join(folder, name)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("import Alertmanager's %s: %w", name, err)
	}
	defer file.Close()
	if err := read(file); err != nil {
		log.Error("a file of Alertmanager's is damaged: what could be read of it was taken in", "path", path, "err", err)
	}
	return nil
}

// pruneEvery and pruneBatch keep the deletion of old history from getting in anybody's way.
const (
	pruneEvery = time.Minute
	pruneBatch = 2000
	pausePrune = 50 * time.Millisecond
)

// prune deletes history that is older than the retention, a little at a time, until ctx ends.
func prune(ctx context.Context, db *sqlstore.DB, retention func() time.Duration, log *slog.Logger) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := pruneAll(ctx, db, now.Add(-retention())); err != nil && ctx.Err() == nil {
				log.Warn("prune history", "err", err)
			}
		}
	}
}

// pruneAll deletes what is older, with pauses in which others can write.
func pruneAll(ctx context.Context, db *sqlstore.DB, before time.Time) error {
	for {
		n, err := db.Prune(ctx, before, pruneBatch)
		if err != nil || n < pruneBatch {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pausePrune):
		}
	}
}
