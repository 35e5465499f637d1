package sqlstoretest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Postgres starts a PostgreSQL server.
func Postgres(t testing.TB, opts Options) *Server {
	t.Helper()
	const beside = "../lib/postgresql/*/bin"
	initdb := find(t, "initdb", "postgresql", beside)
	bin := filepath.Dir(initdb)
	base := filepath.Join(bin, "../../../..") // such as /usr, of /usr/lib/postgresql/15/bin
	who := credential(t)
	dir := folder(t, who)
	data := filepath.Join(dir, "data")

	secret := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(secret, []byte(Password+"\n"), 0o644)) //nolint:gosec // the user that reads it is another
	setup := program(base, dir, who, initdb, "--pgdata", data, "--username", "tocsin", "--pwfile", secret, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	run(t, setup)

	port := freePort(t)
	args := []string{
		"-D", data, "-c", "listen_addresses=127.0.0.1", "-c", "port=" + strconv.Itoa(port), "-c", "unix_socket_directories=" + dir,
	}
	if !opts.Durable {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	for _, setting := range opts.Settings {
		args = append(args, "-c", setting)
	}
	s := &Server{
		Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		scheme:  "postgres", database: "postgres", ready: "database system is ready to accept connections",
		stop: syscall.SIGINT, crash: syscall.SIGQUIT,
		command: func() *exec.Cmd { return program(base, dir, who, filepath.Join(bin, "postgres"), args...) },
	}
	t.Cleanup(func() { s.Kill(t) })
	s.Start(t)
	return s
}
