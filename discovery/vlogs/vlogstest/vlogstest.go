// Package vlogstest runs a real VictoriaLogs for a test: a private process on a free loopback port, with
// its data in a temporary folder.
//
// It is victoria-logs from PATH, or the one that make test builds into bin/victoria/current. Where there is
// none the test is skipped, and fails if TOCSIN_REQUIRE=1. A Server is used by one goroutine; it ends with
// its test.
package vlogstest

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A Server is one VictoriaLogs.
type Server struct {
	URL string

	t    testing.TB
	path string
	addr string
	data string
	cmd  *exec.Cmd
}

// Start starts a server and returns when it answers.
func Start(t testing.TB) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "http://" + addr, t: t, path: find(t), addr: addr, data: t.TempDir()}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// find returns the path of victoria-logs, or skips the test.
func find(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("victoria-logs"); err == nil {
		return path
	}
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		path := filepath.Join(dir, "bin", "victoria", "current", "victoria-logs")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		dir = filepath.Dir(dir)
	}
	const missing = "there is no victoria-logs; make test builds it (.ci/victoria)"
	if os.Getenv("TOCSIN_REQUIRE") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// Restart starts the server that was killed, at the same address and with its data.
func (s *Server) Restart() {
	s.t.Helper()
	s.cmd = exec.Command(s.path, "-httpListenAddr="+s.addr, "-storageDataPath="+s.data, "-loggerLevel=ERROR", "-memory.allowedBytes=256MB")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for err := s.get("/health"); err != nil; err = s.get("/health") {
		if time.Now().After(deadline) {
			s.t.Fatalf("victoria-logs does not answer at %s: %v", s.addr, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// Flush makes all rows visible that were answered with 200.
func (s *Server) Flush() {
	s.t.Helper()
	if err := s.get("/internal/force_flush"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) get(path string) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// Kill ends the server at once.
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
