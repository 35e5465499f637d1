// Package redistest runs a real Redis for a test: a private process on a free loopback port that keeps
// nothing on disk.
//
// It is redis-server from PATH, or the one that make test takes out of Debian's packages into bin/debian.
// Where there is none the test is skipped, and fails if TOCSIN_REQUIRE=1. A Server is used by one
// goroutine; it ends with its test. [Server.Follow] shows who published what.
package redistest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Server is one redis-server.
type Server struct {
	Addr string // host:port

	t    testing.TB
	path string
	cmd  *exec.Cmd
}

// Start starts a server and returns when it answers.
func Start(t testing.TB) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), t: t, path: find(t)}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// find returns the path of redis-server, or skips the test.
func find(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("redis-server"); err == nil {
		return path
	}
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		path := filepath.Join(dir, "bin", "debian", "usr", "bin", "redis-server")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		dir = filepath.Dir(dir)
	}
	const missing = "there is no redis-server: install Debian's redis-server; make test fetches it"
	if os.Getenv("TOCSIN_REQUIRE") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// Restart starts the server that was killed, at the same address and empty.
func (s *Server) Restart() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.Addr)
	s.cmd = exec.Command(s.path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.t.TempDir())
	real, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	libraries, _ := filepath.Glob(filepath.Join(filepath.Dir(real), "..", "lib", "*-linux-gnu*"))
	s.cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for err = s.ping(); err != nil; err = s.ping() {
		if time.Now().After(deadline) {
			s.t.Fatalf("redis-server does not answer at %s: %v", s.Addr, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (s *Server) ping() error {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(answer, "+PONG") {
		err = fmt.Errorf("it answers %q", answer)
	}
	return err
}

// Kill ends the server at once. All that it has is lost.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Pause stops the server where it is: connections stay, and nothing answers.
func (s *Server) Pause() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a server go on that was paused.
func (s *Server) Continue() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }
