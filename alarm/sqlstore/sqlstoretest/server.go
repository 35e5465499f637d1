package sqlstoretest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Password is that of the user tocsin. No message may hold it.
const Password = "correct-horse-battery"

// Options configures a server. The zero value works.
type Options struct {
	// Durable keeps the settings that a server has by default: each commit is synced to the disk.
	Durable bool

	// Settings are more of the server's own settings, such as "shared_preload_libraries=pg_stat_statements".
	Settings []string
}

// A Server is a database server of its own.
type Server struct {
	Address string // host and port

	scheme, database string
	command          func() *exec.Cmd
	ready            string         // the server says so when it takes connections
	stop, crash      syscall.Signal // orderly, and without a chance to tidy up
	running          *process
}

// URL names a database of the server: "" is one that is there from the start.
func (s *Server) URL(database string) string {
	return s.URLAt(s.Address, database)
}

// URLAt is URL by way of another address, such as a Proxy's.
func (s *Server) URLAt(address, database string) string {
	if database == "" {
		database = s.database
	}
	return s.scheme + "://tocsin:" + Password + "@" + address + "/" + database
}

// PID is the process ID of the server while it runs.
func (s *Server) PID() int { return s.running.cmd.Process.Pid }

// startTimeout is how long a server may take to start, on a busy machine.
const startTimeout = time.Minute

// Start starts the server again after Stop or Kill, and returns when it takes connections.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	require.Nil(t, s.running, "the server runs")
	p, err := startProcess(s.command())
	require.NoError(t, err)
	s.running = p
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(p.output(), s.ready) {
		select {
		case <-p.ended:
			s.running = nil
			require.Fail(t, "the server ended", p.output())
		case <-deadline.C:
			require.Fail(t, "the server does not start", p.output())
		case <-tick.C:
		}
	}
}

// Stop ends the server in order, and breaks the connections to it.
func (s *Server) Stop(t testing.TB) { s.end(t, s.stop) }

// Kill ends the server as a crash would.
func (s *Server) Kill(t testing.TB) { s.end(t, s.crash) }

func (s *Server) end(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if s.running == nil {
		return
	}
	p := s.running
	s.running = nil
	require.NoError(t, p.cmd.Process.Signal(signal))
	select {
	case <-p.ended:
	case <-time.After(startTimeout):
		_ = p.cmd.Process.Kill()
		require.Fail(t, "the server does not end", p.output())
	}
}

// Log is what the server has said since its last start.
func (s *Server) Log() string {
	if s.running == nil {
		return ""
	}
	return s.running.output()
}

// A process is a running program whose output is kept.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu  sync.Mutex // guards out
	out bytes.Buffer
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // whoever ends it knows
	}()
	return p, nil
}

// Write implements io.Writer for the program's output.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// folder makes one that belongs to the servers' user, and goes with the test.
func folder(t testing.TB, who *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tocsin-db") //nolint:usetesting // others may not enter the test's folder
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if who != nil {
		require.NoError(t, os.Chown(dir, int(who.Uid), int(who.Gid)))
	}
	return dir
}

// freePort is one that was free a moment ago.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// find returns the path of a program, or skips the test. It also looks into the folders that beside
// names, from each folder in PATH.
func find(t testing.TB, program, debian string, beside ...string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return path
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		for _, pattern := range beside {
			found, _ := filepath.Glob(filepath.Join(dir, pattern, program))
			if len(found) == 0 {
				continue
			}
			if path, err := filepath.EvalSymlinks(found[len(found)-1]); err == nil {
				return path
			}
		}
	}
	missing := fmt.Sprintf("%s is not in PATH: install Debian's %s", program, debian)
	if os.Getenv("TOCSIN_REQUIRE") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// program makes a command of a package that may only have been unpacked, below base: then what it is
// linked with is there too.
func program(base, dir string, who *syscall.Credential, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.SysProcAttr = dir, attributes(who)
	if base != "/usr" {
		libraries, _ := filepath.Glob(filepath.Join(base, "lib/*-linux-gnu*"))
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(append(libraries, os.Getenv("LD_LIBRARY_PATH")), ":"))
	}
	return cmd
}

// run runs a program to its end.
func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		require.Fail(t, cmd.Path+" failed", string(out))
	}
	require.NoError(t, err)
}
