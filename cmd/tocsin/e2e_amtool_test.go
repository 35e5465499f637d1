package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// amtool is Debian's amtool, pointed at a server.
type amtool struct {
	t    *testing.T
	path string
	s    *server
}

// debianProgram finds a program of Debian's package. Not to have it is a failure: a test that does
// not run proves nothing.
func debianProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: install it with `apt-get install prometheus-alertmanager`", err)
	}
	return path
}

func newAmtool(t *testing.T, s *server) amtool {
	t.Helper()
	return amtool{t: t, path: debianProgram(t, "amtool"), s: s}
}

// Try runs amtool without anybody's configuration file.
func (a amtool) Try(args ...string) result {
	a.t.Helper()
	cmd := exec.Command(a.path, append([]string{"--alertmanager.url=http://" + a.s.address}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+a.t.TempDir())
	return runCommand(a.t, cmd)
}

// Run is Try for what must go well; it returns the output with each run of spaces as one.
func (a amtool) Run(args ...string) string {
	a.t.Helper()
	r := a.Try(args...)
	require.Equal(a.t, 0, r.Code, "amtool %s: %s", strings.Join(args, " "), r.Stderr)
	var lines []string
	for line := range strings.Lines(r.Stdout) {
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, strings.Join(words, " "))
		}
	}
	return strings.Join(lines, "\n")
}

const amtoolConfig = `
route:
  receiver: ops
  group_by: [alertname]
  routes: [{receiver: db, matchers: ['team="db"']}]
inhibit_rules:
- {source_matchers: ['alertname="Power"'], target_matchers: ['alertname="Fan"'], equal: [room]}
receivers: [{name: ops}, {name: db}]
`

// startAmtool starts a server in whose status there is a cluster of one.
func startAmtool(t *testing.T, config string) amtool {
	t.Helper()
	return newAmtool(t, startServer(t, config, "--cluster.listen-address=127.0.0.1:0"))
}

func TestAmtoolAlerts(t *testing.T) {
	t.Parallel()
	a := startAmtool(t, amtoolConfig)
	a.Run("alert", "add", "alertname=Disk", "severity=page", "--annotation=summary=full", "--generator-url=http://disk/")
	a.Run("alert", "add", "Locks", "team=db")
	a.Run("alert", "add", "Power", "room=1")
	a.Run("alert", "add", "Fan", "room=1")

	names := func(args ...string) []string {
		var list []gettableAlert
		text := a.Run(append([]string{"alert", "query", "-o", "json"}, args...)...)
		require.NoError(t, json.Unmarshal([]byte(text), &list))
		names := []string{}
		for _, alert := range list {
			names = append(names, string(alert.Labels[model.AlertNameLabel]))
		}
		return names
	}
	assert.ElementsMatch(t, []string{"Disk", "Locks", "Power"}, names())
	assert.Equal(t, []string{"Fan"}, names("--inhibited"))
	assert.Equal(t, []string{"Disk"}, names("severity=page"))
	assert.Equal(t, []string{"Disk"}, names("Disk"))
	assert.ElementsMatch(t, []string{"Disk", "Power"}, names(`alertname=~"Disk|P.*"`))
	assert.Equal(t, []string{"Locks"}, names("--receiver=db"))
	assert.Equal(t, []string{"Locks"}, names("--receiver=d.*"))

	assert.Regexp(t, `^Alertname Starts At Summary State\nDisk \S+ \S+ UTC full active$`, a.Run("alert", "query", "Disk"))
	assert.Regexp(t, `\nalertname="Disk" severity="page" summary="full" \S+ \S+ UTC \S+ \S+ UTC http://disk/ active$`,
		a.Run("alert", "query", "Disk", "-o", "extended"))

	over := a.Try("alert", "add", "Late", "--start=2026-01-02T00:00:00Z", "--end=2026-01-01T00:00:00Z")
	assert.Equal(t, 1, over.Code, over.Stdout)
}

func TestAmtoolSilences(t *testing.T) {
	t.Parallel()
	a := startAmtool(t, amtoolConfig)
	a.Run("alert", "add", "Disk", "severity=page")

	id := a.Run("silence", "add", "alertname=Disk", "--author=me", "--comment=why", "--duration=2h")
	assert.Regexp(t, `^[0-9a-f-]{36}$`, id)
	assert.Equal(t, id, a.Run("silence", "query", "-q"))
	assert.Equal(t, id, a.Run("silence", "query", "-q", "--created-by=me", "alertname=Disk"))
	assert.Empty(t, a.Run("silence", "query", "-q", "alertname=Other"))
	assert.Regexp(t, `\n`+id+` alertname="Disk" \S+ \S+ UTC me why$`, a.Run("silence", "query"))
	assert.NotContains(t, a.Run("alert", "query"), "Disk")
	assert.Regexp(t, `\nDisk .* suppressed$`, a.Run("alert", "query", "--silenced"))

	assert.Regexp(t, `\n`+id+` alertname="Disk" \S+ \S+ UTC me longer$`, a.Run("silence", "update", "--duration=3h", "--comment=longer", id))
	assert.Equal(t, "longer", a.s.Silences()[id].Comment)
	file := filepath.Join(t.TempDir(), "silences.json")
	require.NoError(t, os.WriteFile(file, []byte(a.Run("silence", "query", "-o", "json")), 0o644))

	a.Run("silence", "expire", id)
	assert.Empty(t, a.Run("silence", "query", "-q"))
	assert.Equal(t, id, a.Run("silence", "query", "-q", "--expired", "--within=1h"))
	assert.Regexp(t, `\nDisk .* active$`, a.Run("alert", "query"))

	imported := a.Run("silence", "import", file)
	assert.Regexp(t, `^[0-9a-f-]{36}$`, imported)
	assert.NotEqual(t, id, imported, "one that has expired cannot be changed, so that there is another")
	forced := a.Run("silence", "import", "--force", file)
	assert.NotContains(t, []string{id, imported}, forced)
	assert.ElementsMatch(t, []string{imported, forced}, strings.Fields(a.Run("silence", "query", "-q")))

	for name, args := range map[string][]string{
		"no matcher":         {"silence", "add", "--author=me", "--comment=why"},
		"an unknown silence": {"silence", "expire", "00000000-0000-0000-0000-000000000000"},
		"an unknown update":  {"silence", "update", "--comment=x", "00000000-0000-0000-0000-000000000000"},
	} {
		r := a.Try(args...)
		assert.Equal(t, 1, r.Code, "%s: %s", name, r.Stdout)
	}
}

func TestAmtoolConfig(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"Alertmanager's file": amtoolConfig,
		"with tocsin's key":   amtoolConfig + "tocsin: {retention: 30d}\n",
	} {
		t.Run(name, func(t *testing.T) {
			a := startAmtool(t, config)
			shown := a.Run("config", "show")
			assert.Contains(t, shown, "- name: db")
			assert.NotContains(t, shown, "tocsin")
			assert.Equal(t, strings.Join([]string{
				"Routing tree:", ".", "└── default-route receiver: ops", `└── {team="db"} receiver: db`,
			}, "\n"), a.Run("config", "routes", "show"))
			assert.Equal(t, "db", a.Run("config", "routes", "test", "team=db"))
			assert.Equal(t, "db", a.Run("config", "routes", "test", "--verify.receivers=db", "team=db"))
			assert.Equal(t, "ops", a.Run("config", "routes", "test", "team=web"))
			assert.Equal(t, 1, a.Try("config", "routes", "test", "--verify.receivers=ops", "team=db").Code)
			assert.Regexp(t, `^Cluster Status: (ready|settling)\nNode Name: \S+$`, a.Run("cluster", "show"))
			assert.Regexp(t, `\nAddress Name\n\S+:\d+ \S+$`, a.Run("cluster", "show", "-o", "extended"))
		})
	}

	s := newServer(t, amtoolConfig)
	a := amtool{t: t, path: debianProgram(t, "amtool"), s: &server{process: &process{address: "127.0.0.1:9"}}}
	assert.Contains(t, a.Run("check-config", s.config), "SUCCESS")
	s.Configure(strings.Replace(amtoolConfig, "receiver: ops", "receiver: nowhere", 1))
	assert.Equal(t, 1, a.Try("check-config", s.config).Code)
}
