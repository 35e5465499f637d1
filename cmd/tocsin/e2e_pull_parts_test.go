package main_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// debianPart finds a program of a Debian package. Not to have it is a failure where everything that is
// needed should be there, as in make test; else the test is skipped.
func debianPart(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	text := fmt.Sprintf("%v: take it out of its package with `apt-get download %s && dpkg-deb -x %[2]s_*.deb bin/debian`, and put bin/debian/usr/bin in PATH", err, debianPackage)
	if os.Getenv("TOCSIN_REQUIRE") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

// loopback returns an address that is free, and stays so while nobody listens there: connections go
// out from 127.0.0.1, so that none of them can have its port.
func loopback(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)))
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// A part is a program that listens, and that can be ended and started again at the same address.
type part struct {
	t       *testing.T
	program string
	args    []string
	address string
	health  string // a path that answers 200 when it is ready
	*process
}

// URL is where it listens.
func (p *part) URL() string { return "http://" + p.address }

// Start runs the part and returns when it is ready.
func (p *part) Start() {
	p.t.Helper()
	p.process = startProcess(p.t, p.program, p.args...)
	eventually(p.t, func() error {
		if p.Exited() {
			return giveUp(fmt.Errorf("%s ended before it was ready: %w\n%s", filepath.Base(p.program), p.err, p.stderr.String()))
		}
		_, err := fetch(p.URL() + p.health)
		return err
	})
}

// Kill ends the part with SIGKILL.
func (p *part) Kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	<-p.ended
}

// fetch gets a page, by a connection of its own: the next one may be to another process.
func fetch(url string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s %s", url, resp.Status, text)
	}
	return string(text), err
}

// An exporter shows how deep each queue is.
type exporter struct {
	URL string

	mu     sync.Mutex // guards depths
	depths map[string]int
}

func newExporter(t *testing.T) *exporter {
	t.Helper()
	e := &exporter{depths: map[string]int{}}
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	e.URL = srv.URL
	return e
}

// Set says how deep a queue is from now on.
func (e *exporter) Set(queue string, depth int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.depths[queue] = depth
}

// ServeHTTP prints the metrics.
func (e *exporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, queue := range slices.Sorted(maps.Keys(e.depths)) {
		fmt.Fprintf(w, "depth{queue=%q} %d\n", queue, e.depths[queue])
	}
}

// scrape is a configuration that scrapes the exporter each second.
func (e *exporter) scrape() string {
	return fmt.Sprintf(`
scrape_configs:
- {job_name: lab, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{targets: [%q], labels: {instance: lab}}]}
`, strings.TrimPrefix(e.URL, "http://"))
}

// The rules of a lab. A queue is too deep at once; that it stays so is told by a rule that waits.
const (
	deepRule = `
  - {alert: Deep, expr: 'depth > 10', labels: {severity: warning}, annotations: {summary: '{{ $labels.queue }} holds {{ $value }}'}}`
	deepForRule = `
  - {alert: DeepFor, expr: 'depth > 10', for: 2s, labels: {severity: critical}}`
)

// A lab is a monitoring system of real parts: an exporter, whose values the test sets, a
// victoria-metrics that scrapes it, and rules for what evaluates them.
type lab struct {
	*exporter
	t     *testing.T
	dir   string
	rules string // the file's path
	vm    *part
	vmalert
}

// newLab starts the parts that all have in common, with both rules.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, exporter: newExporter(t), dir: t.TempDir()}
	l.Rules(deepRule, deepForRule)
	address := loopback(t)
	l.vm = &part{
		t: t, program: debianPart(t, "victoria-metrics", "victoria-metrics"), address: address, health: "/health",
		args: []string{
			"-httpListenAddr=" + address, "-storageDataPath=" + filepath.Join(l.dir, "vm"), "-search.latencyOffset=0s",
			"-promscrape.config=" + l.write("scrape.yml", l.scrape()), "-memory.allowedBytes=256MiB",
			"-promscrape.noStaleMarkers", // a scrape that a busy machine was too slow for ends nothing
		},
	}
	l.vm.Start()
	return l
}

func (l *lab) write(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	require.NoError(l.t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// Rules replaces the rules on disk.
func (l *lab) Rules(rules ...string) {
	l.t.Helper()
	l.rules = l.write("rules.yml", "groups:\n- name: lab\n  interval: 1s\n  rules:"+strings.Join(rules, "")+"\n")
}

// VMAlert starts a vmalert that evaluates the rules each second and pushes to these addresses. A
// sample counts for five minutes, as it does by default where rules are evaluated each minute.
func (l *lab) VMAlert(push ...string) *part {
	l.t.Helper()
	address := loopback(l.t)
	args := []string{"-httpListenAddr=" + address, "-rule=" + l.rules, "-datasource.url=" + l.vm.URL(), "-datasource.queryStep=5m"}
	if len(push) == 0 {
		push = []string{loopback(l.t)} // it insists on one, and nobody listens there
	}
	for _, to := range push {
		args = append(args, "-notifier.url=http://"+to)
	}
	va := &part{t: l.t, program: l.program, address: address, health: "/api/v1/rules", args: append(args, l.flags...)}
	va.Start()
	return va
}

// lists is a check for eventually: so many alerts fire at a vmalert or a Prometheus.
func (p *part) lists(firing int) func() error {
	return func() error {
		text, err := fetch(p.URL() + "/api/v1/alerts")
		if n := strings.Count(text, `"state":"firing"`); err == nil && n != firing {
			err = fmt.Errorf("%d alerts fire there, and should be %d", n, firing)
		}
		return err
	}
}

// pulling is quickConfig with sources.
func pulling(sink *sink, sources ...string) string {
	return quickConfig(sink.URL) + "tocsin:\n  sources:\n  - " + strings.Join(sources, "\n  - ") + "\n"
}

// asking is a source named lab that is asked each second, at these URLs.
func asking(kind string, urls ...string) string {
	return fmt.Sprintf("{name: lab, type: %s, interval: 1s, urls: [%s]}", kind, strings.Join(urls, ", "))
}

// asked returns how many questions to the servers of a source had this outcome, ok or error.
func (s *server) asked(source, outcome string) float64 {
	s.t.Helper()
	n, err := s.Labelled("tocsin_source_requests_total", map[string]string{"source": source, "outcome": outcome})
	require.NoError(s.t, err)
	return n
}

// asks waits until so many more questions had this outcome.
func (s *server) asks(source, outcome string, more float64) {
	s.t.Helper()
	enough := s.asked(source, outcome) + more
	eventually(s.t, func() error {
		if n := s.asked(source, outcome); n < enough {
			return fmt.Errorf("%g questions were answered with %s, and should be %g", n, outcome, enough)
		}
		return nil
	})
}

// of is a check for eventually: a metric of a source has this value.
func (s *server) of(source, metric string, want float64) func() error {
	return func() error {
		got, err := s.Labelled(metric, map[string]string{"source": source})
		if err == nil && got != want {
			err = fmt.Errorf("%s of %s is %g, and should be %g", metric, source, got, want)
		}
		return err
	}
}

// lastSaid is a check for eventually: this is what the receiver was told last. A source may be down
// for a moment more than once on a busy machine.
func (s *sink) lastSaid(alertname, want string) func() error {
	return func() error {
		said := s.About(alertname)
		if len(said) == 0 {
			return errors.New("the receiver was told nothing of " + alertname)
		}
		if last := said[len(said)-1]; last != want {
			return fmt.Errorf("of %s the receiver was told %q last, and should be %q", alertname, last, want)
		}
		return nil
	}
}
