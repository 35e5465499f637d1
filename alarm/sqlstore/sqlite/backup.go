package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// Backup writes a copy of the database at path, as of one instant, to a new file, while servers go on
// reading and writing. The copy is compact, complete by itself and synced to the disk, or it is not
// there. It holds what the database holds: the instance's ID among others, so that of the copy and
// the original only one may ever lead.
func Backup(ctx context.Context, path, to string) error {
	path = strings.TrimPrefix(path, "sqlite:")
	if err := backup(ctx, path, to); err != nil {
		return fmt.Errorf("back up %s to %s: %w", path, to, trouble(path, err))
	}
	return nil
}

func backup(ctx context.Context, path, to string) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if to, err = filepath.Abs(to); err != nil {
		return err
	}
	partial := to + ".partial"
	for _, file := range []string{to, partial} {
		if _, err := os.Lstat(file); err == nil {
			return &fs.PathError{Op: "create", Path: file, Err: fs.ErrExist}
		}
	}
	if err := copyInto(ctx, path, partial); err != nil {
		return errors.Join(err, removeIfThere(partial))
	}
	if err := syncFile(partial); err != nil {
		return errors.Join(err, removeIfThere(partial))
	}
	if err := os.Rename(partial, to); err != nil {
		return errors.Join(err, removeIfThere(partial))
	}
	return syncFile(filepath.Dir(to))
}

func copyInto(ctx context.Context, path, partial string) error {
	db, err := sql.Open("sqlite", dsn(path, Options{ReadOnly: true, BusyTimeout: busyTimeout}, false))
	if err != nil {
		return err
	}
	defer db.Close()
	var blocks int64
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM history_blocks").Scan(&blocks); err != nil {
		var known *sqlstore.Error
		if err = trouble(path, err); errors.As(err, &known) {
			return err
		}
		return fmt.Errorf("it is no database of tocsin's: %w", err)
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", partial)
	return err
}

func removeIfThere(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncFile brings a file, or the names in a folder, to the disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
