package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/mysql"
	"github.com/tocsin/tocsin/alarm/sqlstore/postgres"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/notify/amreceiver"
)

// openDatabase opens what tocsin.storage names.
func openDatabase(ctx context.Context, storagePath, name string, storage config.Storage) (*sqlstore.DB, error) {
	switch storage.Server() {
	case "postgres":
		return postgres.Open(ctx, storage.DSN.Reveal(), postgres.Options{Name: name})
	case "mysql":
		return mysql.Open(ctx, storage.DSN.Reveal(), mysql.Options{Name: name})
	}
	return sqlite.Open(sqlitePath(storagePath, storage), sqlite.Options{})
}

// openReadOnly opens it beside servers that work on it: nothing is migrated, and nothing can be written.
func openReadOnly(ctx context.Context, storagePath, name string, storage config.Storage) (*sqlstore.DB, error) {
	switch storage.Server() {
	case "postgres":
		return postgres.Open(ctx, storage.DSN.Reveal(), postgres.Options{Name: name, ReadOnly: true})
	case "mysql":
		return mysql.Open(ctx, storage.DSN.Reveal(), mysql.Options{Name: name, ReadOnly: true})
	}
	return sqlite.Open(sqlitePath(storagePath, storage), sqlite.Options{ReadOnly: true})
}

func sqlitePath(storagePath string, storage config.Storage) string {
	if storage.SQLite != "" {
		return storage.SQLite
	}
	return filepath.Join(storagePath, "tocsin.db")
}

// ownName is what the lease says of this server to the others: where they reach it.
func ownName(f *serveFlags, listeners []net.Listener) string {
	if f.advertiseURL != "" {
		return strings.TrimRight(f.advertiseURL, "/")
	}
	host, port, err := net.SplitHostPort(listeners[0].Addr().String())
	if err != nil {
		return listeners[0].Addr().String() // a Unix socket, which nobody else reaches
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	path := f.routePrefix
	if u, err := url.Parse(f.externalURL); path == "" && err == nil {
		path = u.Path
	}
	return "http://" + net.JoinHostPort(host, port) + prefix(path)
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
