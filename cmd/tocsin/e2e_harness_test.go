package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds each wait. It is no measure of anything: a wait ends when what is awaited is there.
const patience = 60 * time.Second

// A server is a storage folder, a configuration file, and the process that works on them, if one
// runs.
type server struct {
	t       *testing.T
	program string
	storage string
	config  string // the file's path
	flags   []string
	client  *http.Client
	*process

	environment []string              // beside this process's own
	begin       func(*exec.Cmd) error // nil: (*exec.Cmd).Start
}

// newServer prepares a server; Start runs it.
func newServer(t *testing.T, config string, flags ...string) *server {
	t.Helper()
	dir := t.TempDir()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	s := &server{
		t: t, program: program(t), storage: filepath.Join(dir, "data"), config: filepath.Join(dir, "alertmanager.yml"),
		flags: flags, client: &http.Client{Transport: transport, Timeout: patience},
	}
	s.Configure(config)
	t.Cleanup(transport.CloseIdleConnections)
	return s
}

// startServer is newServer and Start.
func startServer(t *testing.T, config string, flags ...string) *server {
	t.Helper()
	s := newServer(t, config, flags...)
	s.Start()
	return s
}

// Configure replaces the configuration file, at once.
func (s *server) Configure(text string) {
	s.t.Helper()
	require.NoError(s.t, s.configure(text))
}

func (s *server) configure(text string) error {
	fresh := s.config + ".new"
	if err := os.WriteFile(fresh, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, s.config)
}

// arguments are the command line. Without another word in flags, gossip is off.
func (s *server) arguments() []string {
	args := []string{"--config.file=" + s.config, "--storage.path=" + s.storage, "--web.listen-address=127.0.0.1:0"}
	if !slices.ContainsFunc(s.flags, func(f string) bool { return strings.HasPrefix(f, "--cluster.listen-address") }) {
		args = append(args, "--cluster.listen-address=")
	}
	return append(args, s.flags...)
}

// Start runs the server and returns when it is ready.
func (s *server) Start() {
	s.t.Helper()
	cmd := exec.Command(s.program, s.arguments()...)
	cmd.Env = append(os.Environ(), s.environment...)
	begin := s.begin
	if begin == nil {
		begin = (*exec.Cmd).Start
	}
	s.process = watchProcess(s.t, cmd, begin)
	eventually(s.t, s.findAddress)
	eventually(s.t, func() error {
		if s.Exited() {
			return giveUp(errors.Join(errors.New("it ended before it was ready"), s.err))
		}
		code, body, err := s.get("/-/ready")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("not ready: %d %s", code, body)
		}
		return err
	})
}

// Stop ends the server with SIGTERM, which it must obey with a good exit code.
func (s *server) Stop() {
	s.t.Helper()
	s.end(syscall.SIGTERM)
	require.NoError(s.t, s.err, "exit after SIGTERM")
}

// Kill ends the server with SIGKILL.
func (s *server) Kill() {
	s.t.Helper()
	s.end(syscall.SIGKILL)
}

func (s *server) end(sig os.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(sig))
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatalf("still there %s after %s", patience, sig)
	}
	s.client.CloseIdleConnections()
}

// Signal sends a signal that does not end the server.
func (s *server) Signal(sig os.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(sig))
}

// A process is a running program and what it wrote.
type process struct {
	cmd     *exec.Cmd
	stdout  output
	stderr  output
	address string        // where it listens, once found
	ended   chan struct{} // closed when it is gone
	err     error         // how it ended; read it after ended
}

// startProcess starts a program. At the end of the test it is ended if need be, what it logged is
// shown if the test failed, and a panic or a data race fails the test.
func startProcess(t *testing.T, program string, args ...string) *process {
	t.Helper()
	return startProcessWith(t, nil, program, args...)
}

// startProcessWith adds to the environment.
func startProcessWith(t *testing.T, environment []string, program string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), environment...)
	return watchProcess(t, cmd, (*exec.Cmd).Start)
}

// watchProcess begins a program in a way of the caller's.
func watchProcess(t *testing.T, cmd *exec.Cmd, begin func(*exec.Cmd) error) *process {
	t.Helper()
	p := &process{cmd: cmd, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	require.NoError(t, begin(p.cmd))
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		log := p.stderr.String()
		for _, bad := range []string{"DATA RACE", "panic: ", "fatal error: "} {
			if strings.Contains(log, bad) {
				t.Errorf("%s: %s", filepath.Base(cmd.Path), bad)
			}
		}
		if t.Failed() {
			const most = 32 << 10
			t.Logf("%s, process %d, wrote on standard error:\n%s", filepath.Base(cmd.Path), p.cmd.Process.Pid, log[max(0, len(log)-most):])
		}
	})
	return p
}

// Exited says whether the process is gone.
func (p *process) Exited() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

var listening = regexp.MustCompile(`Listening on.*address="?([0-9.]+:[0-9]+)`)

// findAddress looks for the line that Alertmanager's own acceptance tests look for.
func (p *process) findAddress() error {
	if m := listening.FindStringSubmatch(p.stderr.String()); m != nil {
		p.address = m[1]
		return nil
	}
	if p.Exited() {
		return giveUp(errors.Join(errors.New("it ended before it listened"), p.err))
	}
	return errors.New("no line with `Listening on` and `address=` on standard error")
}

// A result is what a command came to.
type result struct {
	Code   int
	Stdout string
	Stderr string
}

// run runs a command to its end.
func run(t *testing.T, program string, args ...string) result {
	t.Helper()
	return runCommand(t, exec.Command(program, args...))
}

func runCommand(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, cmd.Start())
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	require.NoError(t, ctx.Err(), "%s did not end\n%s%s", cmd, &stdout, &stderr)
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		require.NoError(t, err)
	}
	return result{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}

// output collects what a process writes while others read it.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

// Write keeps b.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

// String returns all that was written.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// eventually asks until check has nothing to complain of, and fails the test with its last complaint
// when patience is at an end, or at once if it gives up.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	eventuallyWithin(t, patience, check)
}

// eventuallyWithin is eventually with another patience.
func eventuallyWithin(t *testing.T, patience time.Duration, check func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		var final *finalError
		if errors.As(err, &final) {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still so after %s: %v", patience, err)
		}
	}
}

// A finalError says that waiting any longer is of no use.
type finalError struct{ error }

func giveUp(err error) error { return &finalError{err} }
