package sqlstoretest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// MariaDB starts a MariaDB server.
func MariaDB(t testing.TB, opts Options) *Server {
	t.Helper()
	mariadbd := find(t, "mariadbd", "mariadb-server-core", "../sbin")
	base := filepath.Dir(filepath.Dir(mariadbd)) // such as /usr: share/mysql is below it
	who := credential(t)
	dir := folder(t, who)
	data := filepath.Join(dir, "data")
	require.NoError(t, os.Mkdir(data, 0o755))
	if who != nil {
		require.NoError(t, os.Chown(data, int(who.Uid), int(who.Gid)))
	}
	common := []string{
		"--no-defaults", "--basedir=" + base, "--datadir=" + data, "--lc-messages-dir=" + filepath.Join(base, "share/mysql"),
		"--innodb-log-file-size=16M", "--innodb-buffer-pool-size=128M",
	}
	if !opts.Durable {
		common = append(common, "--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", "--innodb-doublewrite=0")
	}
	for _, setting := range opts.Settings {
		common = append(common, "--"+setting)
	}
	setup := program(base, dir, who, mariadbd, slices.Concat(common, []string{"--bootstrap"})...)
	setup.Stdin = systemTables(t, filepath.Join(base, "share/mysql"))
	run(t, setup)

	first := filepath.Join(dir, "first.sql")
	require.NoError(t, os.WriteFile(first, []byte( //nolint:gosec // the user that reads it is another
		"CREATE DATABASE IF NOT EXISTS tocsin;\n"+
			"CREATE USER IF NOT EXISTS tocsin@'127.0.0.1' IDENTIFIED BY '"+Password+"';\n"+
			"GRANT ALL ON *.* TO tocsin@'127.0.0.1';\n"), 0o644))
	port := freePort(t)
	s := &Server{
		Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		scheme:  "mysql", database: "tocsin", ready: "ready for connections", stop: syscall.SIGTERM, crash: syscall.SIGKILL,
		command: func() *exec.Cmd {
			return program(base, dir, who, mariadbd, slices.Concat(common, []string{
				"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port), "--socket=" + filepath.Join(dir, "socket"),
				"--init-file=" + first, "--skip-name-resolve",
			})...)
		},
	}
	t.Cleanup(func() { s.Kill(t) })
	s.Start(t)
	return s
}

// systemTables is what mariadb-install-db feeds to a new server.
func systemTables(t testing.TB, share string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("CREATE DATABASE mysql;\nUSE mysql;\n")
	for _, name := range []string{"mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"} {
		text, err := os.ReadFile(filepath.Join(share, name))
		require.NoError(t, err)
		b.Write(text)
		b.WriteByte('\n')
	}
	return &b
}
