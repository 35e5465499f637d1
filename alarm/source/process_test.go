package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/source"
	"github.com/tocsin/tocsin/dedupe"
)

// The sources against the real programs: what they say, and what Presence makes of it.

// patience bounds each wait. It is no measure of anything.
const patience = time.Minute

// program finds a program of a Debian package, installed or unpacked below bin.
func program(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return fetched(t, name, "debian", "usr", "bin", name)
}

// built finds a program that .ci/victoria builds.
func built(t *testing.T, name string) string {
	t.Helper()
	return fetched(t, name, "victoria", "current", name)
}

// fetched finds a file below bin that make test puts there.
func fetched(t *testing.T, name string, below ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", "..", "bin"}, below...)...))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("TOCSIN_REQUIRE") == "" {
			t.Skipf("there is no %s; make test fetches it", name)
		}
		t.Fatalf("there is no %s", name)
	}
	return path
}

// A process is a program, and where it listens.
type process struct {
	t       *testing.T
	path    string
	address string
	ready   string // the path that answers 200 when it is
	cmd     *exec.Cmd
	log     string
}

func newProcess(t *testing.T, name, ready string) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return &process{
		t: t, path: program(t, name), address: l.Addr().String(), ready: ready,
		log: filepath.Join(t.TempDir(), name+".log"),
	}
}

func (p *process) url() string { return "http://" + p.address }

// start runs it and returns when it is ready.
func (p *process) start(args ...string) {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(p.t, err)
	defer log.Close()
	cmd := exec.Command(p.path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(p.t, cmd.Start())
	p.cmd = cmd
	p.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
		if p.t.Failed() {
			text, _ := os.ReadFile(p.log)
			p.t.Logf("%s:\n%s", p.log, text[max(0, len(text)-4000):])
		}
	})
	eventually(p.t, func() error {
		_, err := get(p.url() + p.ready)
		return err
	})
}

// stop ends it and waits until it is gone.
func (p *process) stop(signal syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(signal))
	p.cmd.Wait()
}

func get(url string) (string, error) { return do(http.MethodGet, url, "") }

func do(method, url, body string) (string, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %d %s", method, url, res.StatusCode, answer)
	}
	return string(answer), err
}

// eventually tries until there is no error.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	over := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(over) {
			require.NoError(t, err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// A witness asks a source and hands what it says to a Presence.
type witness struct {
	t        *testing.T
	source   alarm.Source
	presence *dedupe.Presence
	fires    map[string]time.Time // since when, by labels
	ended    []string
	again    []string // appeared though they fired before
	last     alarm.Snapshot
	err      error
}

func newWitness(t *testing.T, s alarm.Source) *witness {
	t.Helper()
	p, err := dedupe.NewPresence(time.Now(), nil, dedupe.Options{})
	require.NoError(t, err)
	return &witness{t: t, source: s, presence: p, fires: map[string]time.Time{}}
}

func (w *witness) look() {
	w.last, w.err = w.source.Alerts(context.Background())
	w.last.Source = "pull"
	if w.err != nil {
		w.last = alarm.Snapshot{Source: "pull", Err: w.err}
	}
	changes, _, _ := w.presence.Observe(time.Now(), []alarm.Snapshot{w.last})
	for _, c := range changes {
		labels := c.Alert.Labels.String()
		_, fired := w.fires[labels]
		switch {
		case c.Kind == alarm.Ended:
			w.ended = append(w.ended, labels)
			delete(w.fires, labels)
		case c.Alert.State == alarm.Firing:
			if fired && c.Kind == alarm.Appeared {
				w.again = append(w.again, labels)
			}
			w.fires[labels] = c.Alert.StartsAt
		}
	}
}

// until looks again and again until what is true.
func (w *witness) until(what string, true func() bool) {
	w.t.Helper()
	eventually(w.t, func() error {
		if w.look(); !true() {
			return fmt.Errorf("%s: not yet: fires %v, ended %v, unknown %v, err %w", what, w.fires, w.ended, w.last.Unknowns, w.err)
		}
		return nil
	})
}

func (w *witness) names() []string {
	var names []string
	for labels := range w.fires {
		names = append(names, labels)
	}
	slices.Sort(names)
	return names
}

// newInbox returns an Alertmanager's receiving end, and a function that returns the newest that was
// pushed of each alert.
func newInbox(t *testing.T) (string, func() map[string]alarm.Alert) {
	t.Helper()
	engine := &inbox{alerts: map[string]alarm.Alert{}}
	push, err := source.NewPush("push", engine, source.PushOptions{})
	require.NoError(t, err)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = push.Receive(r.Context(), time.Now(), body)
		}
		assert.NoError(t, err)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() map[string]alarm.Alert {
		engine.mu.Lock()
		defer engine.mu.Unlock()
		alerts := map[string]alarm.Alert{}
		for labels, a := range engine.alerts {
			alerts[labels] = a
		}
		return alerts
	}
}

type inbox struct {
	mu     sync.Mutex
	alerts map[string]alarm.Alert
}

func (b *inbox) Submit(_ context.Context, in alarm.Input) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range in.Snapshots {
		for _, a := range s.Alerts {
			b.alerts[a.Labels.String()] = a
		}
	}
	return nil
}

func client(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func vmalertRules(interval, more string) string {
	return `
groups:
- name: queues
  interval: ` + interval + `
  rules:
  - alert: High
    expr: queue_depth > 10
    labels: {severity: warning, team: "{{ $labels.queue }}-team"}
    annotations: {summary: "{{ $labels.queue }} has {{ $value }}"}
  - alert: HighFor
    expr: queue_depth > 10
    for: 2s
    labels: {severity: critical}
` + more
}

// TestVMAlert has Debian's vmalert asked, and a newer one, which evaluates in the past by default.
func TestVMAlert(t *testing.T) {
	t.Parallel()
	t.Run("debian", func(t *testing.T) { testVMAlert(t, program(t, "vmalert")) })
	t.Run("newer", func(t *testing.T) { testVMAlert(t, built(t, "vmalert"), "-rule.evalDelay=0s") })
}

func testVMAlert(t *testing.T, path string, flags ...string) {
	t.Parallel()
	dir := t.TempDir()
	notifier, pushed := newInbox(t)

	vm := newProcess(t, "victoria-metrics", "/health")
	startVM := func() {
		vm.start("-httpListenAddr", vm.address, "-storageDataPath", filepath.Join(dir, "vm"), "-search.latencyOffset=0s")
	}
	sample := func(text string) {
		_, err := do(http.MethodPost, vm.url()+"/api/v1/import/prometheus", text)
		require.NoError(t, err)
		_, err = get(vm.url() + "/internal/force_flush")
		require.NoError(t, err)
	}
	startVM()
	sample("queue_depth{queue=\"mail\"} 20\nqueue_depth{queue=\"sms\"} 20\n")

	rules := filepath.Join(dir, "rules.yml")
	va := newProcess(t, "vmalert", "/health")
	va.path = path
	startVMAlert := func() {
		va.start(append([]string{
			"-httpListenAddr", va.address, "-datasource.url", vm.url(), "-notifier.url", notifier,
			"-rule", rules, "-external.label", "cluster=lab", "-external.url", va.url(),
		}, flags...)...)
	}
	write(t, rules, vmalertRules("1s", "  - alert: Always\n    expr: vector(1)\n"))
	startVMAlert()

	r, err := source.NewRules("pull", source.VMAlert, []string{va.url()}, source.PullOptions{Client: client(t)})
	require.NoError(t, err)
	w := newWitness(t, r)

	mail := []string{
		`{alertgroup="queues", alertname="High", cluster="lab", queue="mail", severity="warning", team="mail-team"}`,
		`{alertgroup="queues", alertname="HighFor", cluster="lab", queue="mail", severity="critical"}`,
	}
	w.until("rules fire, one after it was pending", func() bool { return len(w.fires) == 5 })
	assert.Subset(t, w.names(), mail)
	assert.Empty(t, w.last.Unknowns)

	// Push and pull say the same.
	eventually(t, func() error {
		if n := len(pushed()); n < 5 {
			return fmt.Errorf("%d were pushed", n)
		}
		return nil
	})
	for _, a := range w.last.Alerts {
		p, there := pushed()[a.Labels.String()]
		require.True(t, there, "%s was not pushed", a.Labels)
		assert.Equal(t, p.Fingerprint(), a.Fingerprint())
		assert.WithinDuration(t, p.StartsAt, a.StartsAt, 1500*time.Millisecond, "%s", a.Labels)
		assert.Equal(t, p.Annotations, a.Annotations)
		assert.True(t, strings.HasPrefix(a.GeneratorURL, va.url()+"/"), a.GeneratorURL)
	}

	sample(`queue_depth{queue="sms"} 1`)
	write(t, rules, vmalertRules("1s", ""))
	_, err = get(va.url() + "/-/reload")
	require.NoError(t, err)
	w.until("what is over ends, and so does what has no rule any more", func() bool { return slices.Equal(mail, w.names()) })
	assert.Len(t, w.ended, 3)
	since := w.fires[mail[1]]
	w.ended = nil

	vm.stop(syscall.SIGTERM)
	w.until("the datasource is away: its rules are unknown", func() bool { return len(w.last.Unknowns) == 2 })
	w.until("a second evaluation has failed", func() bool { return errors.Is(r.Blind(), source.ErrBlind) })
	assert.Empty(t, w.last.Alerts, "though vmalert lists them")
	startVM()
	w.until("the datasource is back", func() bool { return w.err == nil && len(w.last.Unknowns) == 0 && len(w.last.Alerts) == 2 })
	require.NoError(t, r.Blind())

	va.stop(syscall.SIGKILL)
	w.look()
	require.ErrorContains(t, w.err, "connection refused")
	write(t, rules, vmalertRules("1h", ""))
	startVMAlert()
	w.until("restarted, and not evaluated", func() bool { return w.err == nil })
	assert.Len(t, w.last.Unknowns, 2)
	assert.Empty(t, w.last.Alerts)
	va.stop(syscall.SIGKILL)

	write(t, rules, vmalertRules("1s", ""))
	startVMAlert()
	w.until("restarted, and evaluated", func() bool { return w.err == nil && len(w.last.Unknowns) == 0 && len(w.last.Alerts) == 2 })
	assert.Equal(t, mail, w.names())
	assert.Equal(t, since, w.fires[mail[1]], "it has fired all along")
	assert.Empty(t, w.ended, "nothing was over")
	assert.Empty(t, w.again, "nothing is told twice")
}

// An answer of VictoriaMetrics that knows no vmalert is no truth.
func TestProxyWithoutVMAlert(t *testing.T) {
	t.Parallel()
	vm := newProcess(t, "victoria-metrics", "/health")
	vm.start("-httpListenAddr", vm.address, "-storageDataPath", t.TempDir())
	r, err := source.NewRules("pull", source.VMAlert, []string{vm.url()}, source.PullOptions{Client: client(t)})
	require.NoError(t, err)
	_, err = r.Alerts(t.Context())
	assert.ErrorIs(t, err, source.ErrNoRules)
}

func TestPrometheus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	notifier, pushed := newInbox(t)
	write(t, filepath.Join(dir, "prometheus.yml"), `
global: {evaluation_interval: 1s, external_labels: {cluster: lab, severity: none}}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ["`+strings.TrimPrefix(notifier, "http://")+`"]}]}]}
`)
	write(t, filepath.Join(dir, "rules.yml"), `
groups:
- name: always
  rules:
  - alert: Always
    expr: vector(20) > 10
    for: 2s
    labels: {severity: critical, pod: "{{ $value }}"}
    annotations: {summary: "it is {{ $value }}"}
  - alert: Broken
    expr: label_replace(vector(1), "a b", "x", "y", "z")
`)
	p := newProcess(t, "prometheus", "/-/ready")
	p.start("--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+p.address, "--rules.alert.resend-delay=1s")
	r, err := source.NewRules("pull", source.Prometheus, []string{p.url()}, source.PullOptions{
		Client: client(t), Labels: model.LabelSet{"cluster": "lab", "severity": "none"},
	})
	require.NoError(t, err)
	w := newWitness(t, r)
	w.until("a rule fires", func() bool { return len(w.fires) == 1 })
	require.Len(t, w.last.Unknowns, 1)
	assert.Equal(t, `{alertname="Broken"}`, w.last.Unknowns[0].String())
	eventually(t, func() error {
		if len(pushed()) == 0 {
			return errors.New("nothing was pushed")
		}
		return nil
	})
	a := w.last.Alerts[0]
	require.Contains(t, pushed(), a.Labels.String())
	was := pushed()[a.Labels.String()]
	assert.Equal(t, was.Fingerprint(), a.Fingerprint())
	assert.WithinDuration(t, was.StartsAt, a.StartsAt, 1500*time.Millisecond)
	assert.Equal(t, was.Annotations, a.Annotations)

	p.stop(syscall.SIGKILL)
	w.look()
	require.ErrorContains(t, w.err, "connection refused")
	assert.Empty(t, w.ended)
}

func TestAlertmanager(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "alertmanager.yml"), `
route: {receiver: x}
receivers: [{name: x}]
inhibit_rules: [{source_matchers: [alertname="Silenced"], target_matchers: [alertname="Inhibited"]}]
`)
	p := newProcess(t, "prometheus-alertmanager", "/-/ready")
	start := func() {
		p.start("--config.file="+filepath.Join(dir, "alertmanager.yml"), "--storage.path="+dir,
			"--web.listen-address="+p.address, "--cluster.listen-address=")
	}
	start()
	ends := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	_, err := do(http.MethodPost, p.url()+"/api/v2/silences", `{"matchers":[{"name":"alertname","value":"Silenced","isRegex":false}],"startsAt":"`+
		time.Now().UTC().Format(time.RFC3339)+`","endsAt":"`+ends+`","createdBy":"x","comment":"x"}`)
	require.NoError(t, err)
	_, err = do(http.MethodPost, p.url()+"/api/v2/alerts", `[{"labels":{"alertname":"Plain"}},{"labels":{"alertname":"Silenced"}},{"labels":{"alertname":"Inhibited"}}]`)
	require.NoError(t, err)

	m, err := source.NewAlertmanager("pull", []string{p.url()}, source.PullOptions{Client: client(t)})
	require.NoError(t, err)
	w := newWitness(t, m)
	all := []string{`{alertname="Inhibited"}`, `{alertname="Plain"}`, `{alertname="Silenced"}`}
	w.until("all are active", func() bool { return slices.Equal(all, w.names()) })

	p.stop(syscall.SIGKILL)
	w.look()
	require.Error(t, w.err)
	start() // it remembers no alerts
	w.until("restarted", func() bool { return w.err == nil })
	assert.Empty(t, w.last.Alerts)
	assert.Equal(t, all, w.names(), "and nothing has ended")
	assert.Empty(t, w.ended)
}
