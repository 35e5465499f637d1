package config

import (
	"bytes"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestInvalid(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := Load(file, "")
			var out bytes.Buffer
			require.NoError(t, Print(&out, err))
			assert.NotContains(t, out.String(), "hunter2", "secrets are never shown")
			golden(t, file+".golden", out.String())

			var problems Problems
			require.ErrorAs(t, err, &problems)
			assert.IsNonDecreasing(t, lineNumbers(problems))
		})
	}
}

func lineNumbers(ps Problems) []int {
	var ns []int
	for _, p := range ps {
		ns = append(ns, p.Line)
	}
	return ns
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestValid(t *testing.T) {
	files, err := filepath.Glob("testdata/valid/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		c, err := Load(file, "")
		if assert.NoError(t, err) {
			assert.Empty(t, c.Warnings)
		}
	}
}

func TestTocsin(t *testing.T) {
	c, err := Load("testdata/valid/team.yml", "")
	require.NoError(t, err)
	dir, err := filepath.Abs("testdata/valid")
	require.NoError(t, err)
	assert.True(t, c.HasTocsin)
	assert.Equal(t, Tocsin{
		Storage:       Storage{DSN: "sqlite://state/tocsin.db", SQLite: filepath.Join(dir, "state/tocsin.db")},
		ReplicaLabels: []model.LabelName{"prometheus_replica", "replica"},
		StartupGrace:  90 * time.Second,
		Retention:     30 * 24 * time.Hour,
		SilenceGuard:  SilenceGuard{Alerts: 50, Severity: "critical"},
		Receivers: []Receiver{
			{Name: "db", Log: &LogReceiver{Level: slog.LevelWarn}},
			{Name: "shop", Log: &LogReceiver{Level: slog.LevelInfo, SendResolved: true}},
		},
	}, c.Tocsin)
	assert.NotContains(t, c.Original(), "tocsin:")
	assert.NotContains(t, c.Original(), "prometheus_replica")
}

func TestDefaults(t *testing.T) {
	want := Tocsin{StartupGrace: 2 * time.Minute, Retention: 90 * 24 * time.Hour, SilenceGuard: SilenceGuard{Alerts: 50, Severity: "critical"}}
	c, err := Load("testdata/valid/minimal.yml", "")
	require.NoError(t, err)
	assert.False(t, c.HasTocsin)
	assert.Equal(t, want, c.Tocsin)

	for _, section := range []string{"tocsin:\n", "tocsin: {}\n", "tocsin:\n  retention:\n  storage:\n"} {
		c, err = Parse(File{"am.yml", []byte("route: {receiver: x}\nreceivers: [{name: x}]\n" + section)}, nil)
		require.NoError(t, err, section)
		assert.True(t, c.HasTocsin, section)
		assert.Equal(t, want, c.Tocsin, section)
	}
}

// The section may be the key or what is below it; paths are relative to its own file.
func TestOwnFile(t *testing.T) {
	main := File{"/etc/am/am.yml", []byte("route: {receiver: x}\nreceivers: [{name: x}]\n")}
	for _, text := range []string{"storage: {dsn: 'sqlite:t.db'}\n", "tocsin:\n  storage: {dsn: 'sqlite:t.db'}\n", "{tocsin: {storage: {dsn: 'sqlite:t.db'}}}"} {
		c, err := Parse(main, &File{"/etc/tocsin/own.yml", []byte(text)})
		require.NoError(t, err, text)
		assert.True(t, c.HasTocsin)
		assert.Equal(t, "/etc/tocsin/t.db", c.Tocsin.Storage.SQLite)
		assert.Equal(t, []string{"/etc/am/am.yml", "/etc/tocsin/own.yml"}, c.Files())
	}
	for text, want := range map[string]string{
		"retenshun: 5m":                `own.yml:1: unknown key "retenshun": did you mean "retention"? known are dependencies, flap, flood, health, heartbeats, receivers, replica_labels, retention, rollups, scope_labels, severities, severity_label, silence_guard, sources, startup_grace, storage, teams, topology, transients, windows`,
		"tocsin: {x: 1}":               `own.yml:1: tocsin: unknown key "x": known are dependencies, flap, flood, health, heartbeats, receivers, replica_labels, retention, rollups, scope_labels, severities, severity_label, silence_guard, sources, startup_grace, storage, teams, topology, transients, windows`,
		"retention: 5m\n---\na: b":     `own.yml:3: a second document is never read: remove the line --- and join the two`,
		"- a":                          `own.yml:1: a mapping is wanted, not a list: known are dependencies, flap, flood, health, heartbeats, receivers, replica_labels, retention, rollups, scope_labels, severities, severity_label, silence_guard, sources, startup_grace, storage, teams, topology, transients, windows`,
		"receivers:\n- name: [y":       `own.yml:1: did not find expected ',' or ']'`,
		"receivers: [{name: y}]\nx: z": "own.yml:1: receivers[0]: it adds nothing: add opsgenie: {...} or log: {}\nown.yml:1: receivers[0].name: no receiver \"y\": known are x\nown.yml:2: unknown key \"x\": known are dependencies, flap, flood, health, heartbeats, receivers, replica_labels, retention, rollups, scope_labels, severities, severity_label, silence_guard, sources, startup_grace, storage, teams, topology, transients, windows",
	} {
		_, err := Parse(main, &File{"own.yml", []byte(text)})
		assert.EqualError(t, err, want)
	}
	main.Text = append(main.Text, "tocsin: {}\n"...)
	_, err := Parse(main, &File{"own.yml", nil})
	assert.EqualError(t, err, "/etc/am/am.yml:3: tocsin: the section stands in own.yml too: keep one of the two")
}

func TestDSNFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	main := write("am.yml", "route: {receiver: x}\nreceivers: [{name: x}]\ntocsin:\n  storage: {dsn_file: dsn}\n")
	_, err := Load(main, "")
	assert.ErrorIs(t, err, os.ErrNotExist)

	dsn := write("dsn", "sqlite:///var/lib/t.db\n")
	c, err := Load(main, "")
	require.NoError(t, err)
	assert.Equal(t, Storage{DSN: "sqlite:///var/lib/t.db", DSNFile: dsn, SQLite: "/var/lib/t.db"}, c.Tocsin.Storage)
	assert.Equal(t, []string{main, dsn}, c.Files())

	write("dsn", "postgres://u:hunter2@h:port/d")
	_, err = Load(main, "")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")

	write("dsn", "postgres://u:hunter2@h/d")
	c, err = Load(main, "")
	require.NoError(t, err)
	assert.Equal(t, Storage{DSN: "postgres://u:hunter2@h/d", DSNFile: dsn}, c.Tocsin.Storage)
	assert.Equal(t, "postgres", c.Tocsin.Storage.Server())

	_, err = Load(filepath.Join(dir, "nowhere.yml"), "")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestDSN(t *testing.T) {
	for dsn, want := range map[string][2]string{
		"sqlite:///a/b.db":   {"/a/b.db", ""},
		"sqlite://b.db":      {"b.db", ""},
		"sqlite:b.db":        {"b.db", ""},
		"file:/a/b.db":       {"/a/b.db", ""},
		"sqlite://":          {"", "no file is named"},
		"sqlite::memory:":    {"", "a database in memory would forget every alert at a restart"},
		"sqlite:b.db?x=y":    {"", "SQLite's parameters cannot be set"},
		"postgres://u:p@h/d": {"", ""},
		"mysql://u:p@h/d":    {"", ""},
		"mariadb://u:p@h/d":  {"", ""},
		"mysql://u:p@h":      {"", "not the URL of a database on a server"},
		"postgres://u:p@h:x": {"", "not the URL of a database on a server"},
		"redis://h":          {"", "a database of an unknown kind"},
		"/a/b.db":            {"", "not a database URL"},
	} {
		file, what := parseDSN(dsn)
		assert.Equal(t, want, [2]string{file, what}, dsn)
	}
}

func TestFiles(t *testing.T) {
	c, err := Load("testdata/valid/team.yml", "")
	require.NoError(t, err)
	dir, err := filepath.Abs("testdata/valid")
	require.NoError(t, err)
	files := c.Files()
	assert.True(t, slices.IsSorted(files))
	assert.ElementsMatch(t, []string{
		"/run/secrets/pagerduty", "/run/secrets/slack", "/run/secrets/smtp",
		filepath.Join(dir, "ca.pem"), filepath.Join(dir, "secrets/proxy"),
		"testdata/valid/team.yml",
	}, files)

	templates := t.TempDir()
	main := File{filepath.Join(templates, "am.yml"), []byte("route: {receiver: x}\nreceivers: [{name: x}]\ntemplates: ['*.tmpl', '[']\n")}
	c, err = Parse(main, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{main.Name}, c.Files())
	added := filepath.Join(templates, "new.tmpl")
	require.NoError(t, os.WriteFile(added, nil, 0o600))
	assert.Equal(t, []string{main.Name, added}, c.Files(), "a template that came later is found")
}

func TestHash(t *testing.T) {
	main := File{"am.yml", []byte("route: {receiver: x}\nreceivers: [{name: x}]\n")}
	hashes := map[string]bool{}
	for _, own := range []*File{nil, {"o", nil}, {"o", []byte("retention: 1d")}, {"o", []byte("retention: 2d")}} {
		c, err := Parse(main, own)
		require.NoError(t, err)
		hashes[c.Hash] = true
	}
	assert.Len(t, hashes, 4)
}

func TestWarnings(t *testing.T) {
	c, err := Parse(File{"am.yml", []byte("route: {receiver: x}\nreceivers: [{name: x}]\ntracing: {endpoint: 'x:1', client_type: http}\n")}, nil)
	require.NoError(t, err)
	assert.Equal(t, "am.yml:3: tracing: valid, and without effect in tocsin", c.Warnings.Error())
}

// The lines of the section become comments, and nothing else changes: not even a block scalar that
// keeps its line breaks and ends where the section begins.
func TestCutChangesNothingElse(t *testing.T) {
	text := "route: {receiver: x}\nreceivers: [{name: x}]\ntemplates:\n- |+\n  a.tmpl\n"
	want, err := amconfig.Load(text)
	require.NoError(t, err)
	c, err := Parse(File{"/am.yml", []byte(text + "tocsin:\n  retention: 1d\n\n")}, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"/" + want.Templates[0]}, c.Alertmanager.Templates)
}

// Alertmanager's own examples, as they come with its module, read alike by both.
func TestAlertmanagersExamples(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/alertmanager").Output()
	require.NoError(t, err)
	dir := strings.TrimSpace(string(out))
	var files []string
	for _, pattern := range []string{"doc/examples/*.yml", "examples/*/*.yml", "config/testdata/*.yml", "cli/testdata/*.yml"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		files = append(files, found...)
	}
	for _, file := range files {
		want, wantErr := amconfig.LoadFile(file)
		got, gotErr := Load(file, "")
		if wantErr != nil {
			assert.Error(t, gotErr, file)
			continue
		}
		if assert.NoError(t, gotErr, file) {
			assert.Equal(t, want.String(), got.Alertmanager.String(), file)
			assertSameTree(t, want, got.Original(), file)
		}
	}
}

// assertSameTree reads what amtool reads: the routing tree in a configuration that is complete, and
// nothing that the file did not say.
func assertSameTree(t *testing.T, want *amconfig.Config, original, file string) {
	t.Helper()
	if _, err := amconfig.Load(want.String()); err != nil {
		return // with its secrets hidden it cannot be read again, whoever prints it
	}
	shown, err := amconfig.Load(original)
	if !assert.NoError(t, err, "%s\n%s", file, original) {
		return
	}
	assert.Equal(t, want.Route, shown.Route, file)
	assert.NotContains(t, original, "rocketchat_api_url", file)
}

// Each integration's http_config is resolved if and only if Alertmanager resolves it.
func TestPathsAreAlertmanagers(t *testing.T) {
	const text = `
global: {http_config: {bearer_token_file: token}}
route: {receiver: x}
templates: [a.tmpl, /b.tmpl]
receivers:
- name: x
  discord_configs: [{webhook_url: 'http://x', http_config: {bearer_token_file: token}}]
  email_configs: [{to: a, from: b, smarthost: 'x:1', tls_config: {ca_file: ca}}]
  incidentio_configs: [{url: 'http://x', alert_source_token: t, http_config: {tls_config: {ca_file: ca}}}]
  pagerduty_configs: [{routing_key: x, http_config: {bearer_token_file: token}}]
  slack_configs: [{api_url: 'http://x', http_config: {bearer_token_file: token}}]
  webhook_configs: [{url: 'http://x', http_config: {bearer_token_file: token}}, {url: 'http://x'}]
  opsgenie_configs: [{api_key: x, http_config: {bearer_token_file: token}}]
  wechat_configs: [{api_secret: x, corp_id: y, http_config: {bearer_token_file: token}}]
  pushover_configs: [{user_key: x, token: y, http_config: {bearer_token_file: token}}]
  victorops_configs: [{api_key: x, routing_key: y, http_config: {bearer_token_file: token}}]
  sns_configs: [{topic_arn: x, sigv4: {region: r}, http_config: {bearer_token_file: token}}]
  telegram_configs: [{bot_token: x, chat_id: 1, http_config: {bearer_token_file: token}}]
  webex_configs: [{room_id: x, http_config: {authorization: {credentials_file: token}}}]
  msteams_configs: [{webhook_url: 'http://x', http_config: {bearer_token_file: token}}]
  msteamsv2_configs: [{webhook_url: 'http://x', http_config: {bearer_token_file: token}}]
  jira_configs: [{api_url: 'http://x', project: p, issue_type: t, http_config: {bearer_token_file: token}}]
  rocketchat_configs: [{token: x, token_id: y, http_config: {bearer_token_file: token}}]
  mattermost_configs: [{webhook_url: 'http://x', http_config: {bearer_token_file: token}}]
event_recorder:
  file_outputs: [{path: events}]
`
	file := filepath.Join(t.TempDir(), "am.yml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	want, err := amconfig.LoadFile(file)
	require.NoError(t, err)
	got, err := Load(file, "")
	require.NoError(t, err)
	assert.Equal(t, want.String(), got.Alertmanager.String())
	for list := range integrations(got.Alertmanager) {
		assert.NotZero(t, list.Len(), "%s is missing above", list.Type())
	}
}

func TestPrintAnyError(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, Print(&out, fs.ErrNotExist))
	assert.Equal(t, "file does not exist\n", out.String())
}

func TestReadAmtool(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yml")
	got, err := ReadAmtool(path)
	require.NoError(t, err)
	assert.Empty(t, got)

	require.NoError(t, os.WriteFile(path, []byte("author: me\nalertmanager.url: http://am:9093\nhttp.config.file: http.yml\n"), 0o600))
	got, err = ReadAmtool(path)
	require.NoError(t, err)
	assert.Equal(t, Amtool{URL: "http://am:9093", HTTPConfig: filepath.Join(dir, "http.yml")}, got)

	require.NoError(t, os.WriteFile(path, []byte("- a"), 0o600))
	_, err = ReadAmtool(path)
	assert.ErrorContains(t, err, path)
}

func TestUnreadableText(t *testing.T) {
	for _, text := range []string{"", "\x00", "\xff\xfe", "- a", "a", "!!binary x: y", "&a [*a]", "{tocsin", "tocsin", "? tocsin\n: a", "tocsin: *x", "*x : y"} {
		_, err := Parse(File{"am.yml", []byte(text)}, nil)
		var problems Problems
		require.ErrorAs(t, err, &problems, "%q", text)
		assert.NotEmpty(t, problems)
	}
}

// A line is what the YAML decoder counts as one.
func TestSplitLines(t *testing.T) {
	for _, lineBreak := range []string{"\n", "\r", "\r\n", "\u0085", "\u2028", "\u2029"} {
		text := "a: 1" + lineBreak + "b: 2"
		d := newDocument("x.yml", []byte(text))
		require.NoError(t, d.err, "%q", lineBreak)
		if top := entries(d.root); assert.Len(t, top, 2, "%q", lineBreak) {
			assert.Equal(t, 2, top[1].key.Line, "%q", lineBreak)
		}
		assert.Len(t, d.lines, 2, "%q", lineBreak)
	}
}

func TestQuickstart(t *testing.T) {
	c, err := Load("../../../examples/quickstart/alertmanager.yml", "")
	require.NoError(t, err)
	assert.Empty(t, c.Warnings)
}
