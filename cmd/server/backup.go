package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
	"github.com/tocsin/tocsin/cmd/internal/config"
)

// A vault finds the database that a server with the same flags uses.
type vault struct{ configFile, tocsinFile, storagePath string }

// addVaultFlags gives a command the flags of serve that say where the database is.
func addVaultFlags(cmd *kingpin.CmdClause) *vault {
	v := &vault{}
	cmd.Flag("config.file", "The server's configuration file, which may name the database.").Default("alertmanager.yml").StringVar(&v.configFile)
	cmd.Flag("tocsin.config.file", "A file with the section tocsin, if it is not in --config.file.").StringVar(&v.tocsinFile)
	cmd.Flag("storage.path", "The server's base path for data storage.").Default("data/").StringVar(&v.storagePath)
	return v
}

func (v *vault) storage() (config.Storage, error) {
	c, err := config.Load(v.configFile, v.tocsinFile)
	if err != nil {
		return config.Storage{}, err
	}
	return c.Tocsin.Storage, nil
}

// addBackup adds backup: a copy of SQLite's file while servers work on it.
func addBackup(app *kingpin.Application, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := app.Command("backup", "Copies the SQLite database, as of one instant, while the server works on.")
	v := addVaultFlags(cmd)
	to := cmd.Arg("file", "The copy, which must not exist.").Required().String()
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		storage, err := v.storage()
		if err != nil {
			return err
		}
		if kind := storage.Server(); kind != "" {
			return fmt.Errorf("backup: the database is a %s server: use its own means, such as %s", kind, map[string]string{
				"postgres": "pg_dump", "mysql": "mariadb-dump --single-transaction",
			}[kind])
		}
		if err := sqlite.Backup(ctx, sqlitePath(v.storagePath, storage), *to); err != nil {
			return err
		}
		fmt.Fprintln(stdout, *to)
		return nil
	}
}

// addExport adds export: the history as JSON lines.
func addExport(app *kingpin.Application, commands map[string]func(context.Context) error, stdout io.Writer) {
	cmd := app.Command("export", "Prints the history as JSON lines, in the order in which it happened, while the server works on.")
	v := addVaultFlags(cmd)
	from := cmd.Flag("from", "The first instant, in RFC 3339. Defaults to the beginning.").String()
	to := cmd.Flag("to", "The last instant, in RFC 3339. Defaults to now.").String()
	commands[cmd.FullCommand()] = func(ctx context.Context) error {
		since, err := instant("--from", *from, time.Unix(0, 0))
		if err != nil {
			return err
		}
		until, err := instant("--to", *to, time.Now())
		if err != nil {
			return err
		}
		storage, err := v.storage()
		if err != nil {
			return err
		}
		return export(ctx, v, storage, stdout, since, until)
	}
}

// export writes nothing, and does not take the lease.
func export(ctx context.Context, v *vault, storage config.Storage, stdout io.Writer, from, to time.Time) error {
	db, err := openReadOnly(ctx, v.storagePath, "tocsin export", storage)
	if err != nil {
		return err
	}
	_, err = db.Export(ctx, stdout, from, to)
	return errors.Join(err, db.Close())
}

func instant(flag, text string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, &usageError{fmt.Sprintf("%s: %q is no instant such as 2026-11-21T03:00:00Z", flag, text)}
	}
	return t, nil
}
