package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A server is one process under load.
type server struct {
	program
	cmd    *exec.Cmd
	stderr output
	ended  chan struct{} // closed when it is gone
	url    string
	client *http.Client
}

// patience bounds the wait for a process to start, or to end.
const patience = 60 * time.Second

// start runs a program in a folder of its own and returns when it is ready.
func start(ctx context.Context, p program, dir, config string) (*server, error) {
	dir, err := os.MkdirTemp(dir, p.name+"-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, err
	}
	s := &server{program: p, ended: make(chan struct{}), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	s.cmd = exec.Command(p.path, append([]string{
		"--config.file=" + file, "--storage.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--cluster.listen-address=",
	}, p.flags...)...)
	s.cmd.Stderr = &s.stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is in its log
		close(s.ended)
	}()
	if err := s.await(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("start: %w\n%s", err, s.stderr.String())
	}
	return s, nil
}

// await returns when the server says that it is ready.
func (s *server) await(ctx context.Context) error {
	listening := regexp.MustCompile(`Listening on.*address="?([0-9.]+:[0-9]+)`)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		if m := listening.FindStringSubmatch(s.stderr.String()); m != nil {
			s.url = "http://" + m[1]
			if err := s.get(ctx, "/-/ready", io.Discard); err == nil {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("not ready after %s", patience)
		}
	}
}

// stop ends the process, by force if it takes its time, and returns when it is gone.
func (s *server) stop() {
	s.client.CloseIdleConnections()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(patience / 4):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// cpu is the time that the process has computed, user and system.
func (s *server) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, system, tick = 11, 12, 10 * time.Millisecond // Linux shows hundredths of a second
	var sum time.Duration
	for _, i := range [...]int{user, system} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// rss is the resident memory of the process in bytes.
func (s *server) rss() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0, errors.New("no VmRSS")
	}
	n, err := strconv.ParseFloat(fields[0], 64)
	return n * 1024, err
}

// collected is rss after the garbage was collected, and the system had time to take pages back.
func (s *server) collected(ctx context.Context) (float64, error) {
	for range 2 {
		if err := s.get(ctx, "/debug/pprof/heap?gc=1", io.Discard); err != nil {
			return 0, err
		}
		if err := sleep(ctx, 2*time.Second); err != nil {
			return 0, err
		}
	}
	return s.rss()
}

// profile keeps a profile, if they are wanted.
func (s *server) profile(ctx context.Context, path, name string) error {
	if s.profiles == "" {
		return nil
	}
	f, err := os.Create(filepath.Join(s.profiles, name+".pprof"))
	if err != nil {
		return err
	}
	return errors.Join(s.get(ctx, path, f), f.Close())
}

// get reads an answer to its end.
func (s *server) get(ctx context.Context, path string, to io.Writer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	return s.do(r, to)
}

func (s *server) post(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	return s.do(r, io.Discard)
}

func (s *server) do(r *http.Request, to io.Writer) error {
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(to, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", r.Method, r.URL.Path, resp.Status)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
