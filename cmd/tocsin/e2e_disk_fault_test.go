package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A diskFault is what strace does to the system calls by which a server writes its database.
type diskFault struct {
	calls  string // that it does it to
	effect string // such as error=ENOSPC
}

// writing are the calls by which SQLite writes. It maps its index of the log, and nothing else, into memory.
const writing = "pwrite64,ftruncate"

// An injury is a fault that lasts.
type injury struct {
	t       *testing.T
	process *process
}

// Injure has the disk fail for the server's database from now on. Its other files, and its sockets, are
// as before.
func (s *server) Injure(f diskFault) *injury {
	s.t.Helper()
	strace := debianPart(s.t, "strace", "strace")
	database := filepath.Join(s.storage, "tocsin.db")
	libraries, err := filepath.Glob(filepath.Join(filepath.Dir(strace), "../lib/*-linux-gnu*")) // of its package, if that was only unpacked
	require.NoError(s.t, err)
	environment := []string{"LD_LIBRARY_PATH=" + strings.Join(append(libraries, os.Getenv("LD_LIBRARY_PATH")), ":")}
	p := startProcessWith(s.t, environment, strace, "-f", "-s", "0", "-e", "signal=none", "-p", fmt.Sprint(s.cmd.Process.Pid), "-P", database, "-P", database+"-wal",
		"-e", "trace="+f.calls, "-e", "inject="+f.calls+":"+f.effect)
	eventually(s.t, func() error {
		switch log := p.stderr.String(); {
		case strings.Contains(log, "Operation not permitted"):
			return giveUp(errors.New("strace may not attach to a process, so that no disk fault can be tested here: allow ptrace: " + log))
		case p.Exited():
			return giveUp(errors.New("strace ended: " + log))
		case !strings.Contains(log, " attached"):
			return errors.New("strace is not attached yet")
		default:
			return nil
		}
	})
	return &injury{t: s.t, process: p}
}

// Heal ends the fault.
func (i *injury) Heal() {
	i.t.Helper()
	if err := i.process.cmd.Process.Signal(syscall.SIGINT); !errors.Is(err, os.ErrProcessDone) { // as it is with its server
		require.NoError(i.t, err)
	}
	<-i.process.ended
}

// Abandon ends the fault without waiting for calls that it holds up.
func (i *injury) Abandon() {
	_ = i.process.cmd.Process.Kill()
	<-i.process.ended
}

// Hit is a check for eventually: the fault has met a call of this name.
func (i *injury) Hit(call string) error {
	if strings.Contains(i.process.stderr.String(), call+"(") {
		return nil
	}
	return fmt.Errorf("nobody has called %s yet", call)
}
