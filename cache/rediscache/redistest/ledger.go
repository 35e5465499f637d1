package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Ledger is what the publishers and workers of package rediscache did, in the order in which Redis did it:
// what it shows of MONITOR. It may be read by several goroutines.
type Ledger struct {
	prefix string

	mu        sync.Mutex        // guards what is below
	lease     string            // holder:generation, as it was set last
	until     time.Time         // when it ends, by Redis's clock
	holders   map[string]string // by the generation of the lease
	under     map[string]*Publication
	published []Publication
	odd       []string
}

// A Publication is a version that became the current one.
type Publication struct {
	ID         string
	Generation int64 // of the lease under which it was begun

	// Lease is that of the publisher that held it at this instant, and empty if nobody did.
	Lease string

	tasks, results map[string]bool
}

// Tasks are how many tasks it was made by.
func (p *Publication) Tasks() int { return len(p.tasks) }

// Follow keeps a ledger of what is done to keys with a prefix, until the server or the test ends. What was done
// before is not in it.
func (s *Server) Follow(t testing.TB, prefix string) *Ledger {
	t.Helper()
	l := &Ledger{prefix: prefix, holders: map[string]string{}, under: map[string]*Publication{}}
	conn, err := net.DialTimeout("tcp", s.Addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(conn, "MONITOR\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReaderSize(conn, 1<<20)
	if answer, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(answer, "+OK") {
		t.Fatalf("MONITOR: %q, %v", answer, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			l.take(strings.TrimPrefix(strings.TrimSpace(line), "+"))
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return l
}

// take reads a line such as 1700000000.123456 [0 127.0.0.1:5000] "set" "key" "value".
func (l *Ledger) take(line string) {
	stamp, rest, _ := strings.Cut(line, " ")
	_, rest, _ = strings.Cut(rest, "] ")
	if !strings.Contains(rest[:min(len(rest), 200)], l.prefix) {
		return
	}
	args, err := argsOf(rest, 12)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.odd = append(l.odd, err.Error())
		return
	}
	if len(args) < 2 {
		return
	}
	key, ok := strings.CutPrefix(args[1], l.prefix)
	if !ok {
		return
	}
	switch command := strings.ToLower(args[0]); {
	case key == "publisher":
		l.publisher(command, args, timeOf(stamp))
	case command == "xadd" && key == "tasks" && len(args) >= 7:
		l.version(args[4]).tasks[args[6]] = true
	case command == "hsetnx" && strings.HasPrefix(key, "results/") && len(args) >= 4:
		l.result(strings.TrimPrefix(key, "results/"), args[2])
	case command == "hset" && key == "current" && len(args) >= 4 && args[2] == "id":
		l.publish(args[3], timeOf(stamp))
	}
}

func (l *Ledger) publisher(command string, args []string, at time.Time) {
	switch {
	case command == "set" && len(args) >= 6 && (l.lease == "" || !at.Before(l.until)): // else NX leaves it as it is
		l.lease, l.until = args[2], at.Add(milliseconds(args[5]))
		holder, generation, _ := strings.Cut(l.lease, ":")
		l.holders[generation] = holder
	case command == "pexpire" && len(args) >= 3:
		l.until = at.Add(milliseconds(args[2]))
	case command == "del":
		l.lease = ""
	}
}

func (l *Ledger) version(id string) *Publication {
	p := l.under[id]
	if p == nil {
		p = &Publication{ID: id, tasks: map[string]bool{}, results: map[string]bool{}}
		l.under[id] = p
	}
	return p
}

func (l *Ledger) result(version, task string) {
	p := l.version(version)
	if !p.tasks[task] {
		l.odd = append(l.odd, fmt.Sprintf("version %s has a result of %s, which is no task of it", version, task))
	}
	p.results[task] = true // a second one leaves the first as it is
}

func (l *Ledger) publish(id string, at time.Time) {
	p := *l.version(id)
	delete(l.under, id)
	if parts := strings.Split(id, "-"); len(parts) == 3 {
		p.Generation, _ = strconv.ParseInt(parts[1], 10, 64)
	}
	if at.Before(l.until) {
		p.Lease = l.lease
	}
	l.published = append(l.published, p)
}

// Published returns the versions that were published, in their order.
func (l *Ledger) Published() []Publication {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Publication(nil), l.published...)
}

// Check returns an error unless each version was published once, by the holder of the lease at that instant, under
// a lease that is not older than that of the version before, and with a result of each of its tasks and of no other. A
// publisher that is late may have won the lease again since it began the version.
func (l *Ledger) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []error
	for _, text := range l.odd {
		all = append(all, errors.New(text))
	}
	seen, last := map[string]bool{}, int64(0)
	for i := range l.published {
		p := &l.published[i]
		holder, text, _ := strings.Cut(p.Lease, ":")
		generation, _ := strconv.ParseInt(text, 10, 64)
		switch {
		case seen[p.ID]:
			all = append(all, fmt.Errorf("version %s was published twice", p.ID))
		case holder == "" || holder != l.holders[strconv.FormatInt(p.Generation, 10)]:
			all = append(all, fmt.Errorf("version %s was published while the lease was %q", p.ID, p.Lease))
		case generation < last || generation < p.Generation:
			all = append(all, fmt.Errorf("version %s was published after one of generation %d", p.ID, last))
		case len(p.tasks) != len(p.results):
			all = append(all, fmt.Errorf("version %s was published with %d results of %d tasks", p.ID, len(p.results), len(p.tasks)))
		}
		seen[p.ID], last = true, max(last, generation)
	}
	return errors.Join(all...)
}

func timeOf(stamp string) time.Time {
	seconds, micros, _ := strings.Cut(stamp, ".")
	s, _ := strconv.ParseInt(seconds, 10, 64)
	us, _ := strconv.ParseInt(micros, 10, 64)
	return time.Unix(s, us*1000)
}

func milliseconds(text string) time.Duration {
	n, _ := strconv.ParseInt(text, 10, 64)
	return time.Duration(n) * time.Millisecond
}

// argsOf reads at most so many arguments, each of which is quoted as in C.
func argsOf(rest string, most int) ([]string, error) {
	var args []string
	for len(args) < most && strings.HasPrefix(rest, `"`) {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return nil, fmt.Errorf("MONITOR shows %.100s: %w", rest, err)
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("MONITOR shows %.100s: %w", quoted, err)
		}
		args = append(args, text)
		rest = strings.TrimPrefix(rest[len(quoted):], " ")
	}
	return args, nil
}
