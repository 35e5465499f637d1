package main_test

import (
	"bytes"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // to make a database that is newer, or locked
)

// serveFails runs a server that is not to come up: it must say why, in words that hold all of these,
// and leave with exit code 1.
func serveFails(t *testing.T, cmd *exec.Cmd, says ...string) {
	t.Helper()
	began := time.Now()
	r := runCommand(t, cmd)
	assert.Equal(t, 1, r.Code)
	assert.Empty(t, r.Stdout)
	lines := strings.Split(strings.TrimSpace(r.Stderr), "\n")
	last := lines[len(lines)-1]
	t.Logf("after %s: %s", time.Since(began).Round(time.Millisecond), last)
	for _, text := range says {
		assert.Contains(t, last, text)
	}
	for _, text := range []string{"panic", "goroutine ", "DATA RACE"} {
		assert.NotContains(t, r.Stderr, text)
	}
}

// used is a server that has stored an alert and was stopped, and the path of its database.
func used(t *testing.T) (*server, string) {
	t.Helper()
	s := startServer(t, amtoolConfig)
	s.Push(firing(named("Stored")))
	s.Stop()
	path := filepath.Join(s.storage, "tocsin.db")
	require.FileExists(t, path)
	return s, path
}

func (s *server) command() *exec.Cmd { return exec.Command(s.program, s.arguments()...) }

func TestStorageInUse(t *testing.T) {
	t.Parallel()
	s := startServer(t, amtoolConfig)
	s.Push(firing(named("Stored")))
	serveFails(t, s.command(), filepath.Join(s.storage, "tocsin.db.lock"), "another server", "stop it first")
	assert.Len(t, s.Alerts(), 1, "the first one works on")
	s.Push(firing(named("Other")))
	assert.Len(t, s.Alerts(), 2)
}

func TestStorageThatIsNoDatabase(t *testing.T) {
	t.Parallel()
	s, path := used(t)
	text := bytes.Repeat([]byte("this is no database\n"), 1000)
	require.NoError(t, os.WriteFile(path, text, 0o644))
	serveFails(t, s.command(), path, "corrupt", "restore it from a backup")
	left, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, text, left, "what is there is left alone")
}

func TestStorageWithDamagedPages(t *testing.T) {
	t.Parallel()
	s, path := used(t)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	const page = 4096
	require.Greater(t, len(file), 2*page)
	for i := page; i < len(file); i++ {
		file[i] = 0xa5
	}
	require.NoError(t, os.WriteFile(path, file, 0o644))
	serveFails(t, s.command(), path, "corrupt", "restore it from a backup")
}

func TestStorageOfNewerVersion(t *testing.T) {
	t.Parallel()
	s, path := used(t)
	execSQL(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, 1)")
	serveFails(t, s.command(), path, "999999", "run the newer version again")
	execSQL(t, path, "DELETE FROM goose_db_version WHERE version_id = 999999")
	s.Start()
	assert.Len(t, s.Alerts(), 1, "nothing was lost by the attempt")
}

func TestStorageLockedBySomebodyElse(t *testing.T) {
	t.Parallel()
	s, path := used(t)
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
	require.NoError(t, err)
	serveFails(t, s.command(), path, "locked", "end the other program")
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	s.Start()
	assert.Len(t, s.Alerts(), 1)
}

func execSQL(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

func TestStorageReadOnly(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*testing.T) *server{
		"empty": func(t *testing.T) *server {
			s := newServer(t, amtoolConfig)
			require.NoError(t, os.Mkdir(s.storage, 0o755))
			return s
		},
		"used": func(t *testing.T) *server {
			s, path := used(t)
			for _, file := range []string{path, path + ".lock"} {
				require.NoError(t, os.Chmod(file, 0o444))
			}
			return s
		},
		"not there": func(t *testing.T) *server {
			s := newServer(t, amtoolConfig)
			s.storage = filepath.Join(filepath.Dir(s.storage), "deep", "data")
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := prepare(t)
			folder := s.storage
			if name == "not there" {
				folder = filepath.Dir(filepath.Dir(s.storage))
			}
			require.NoError(t, os.Chmod(folder, 0o555))
			t.Cleanup(func() { assert.NoError(t, os.Chmod(folder, 0o755)) })
			serveFails(t, asNobody(t, s.command(), filepath.Dir(s.storage)), folder, "writ")
		})
	}
}

// asNobody has cmd run by a user to whom permissions apply: by another one if this is root, to whom
// they do not.
func asNobody(t *testing.T, cmd *exec.Cmd, dir string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		return cmd
	}
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Dir = "/"
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		require.NoError(t, os.Chmod(dir, info.Mode().Perm()|0o055))
	}
	return cmd
}
