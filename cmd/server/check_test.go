package server_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cmd/server"
)

// TestExamplesAreGood checks the configurations that people copy.
func TestExamplesAreGood(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.yml")
	require.NoError(t, err)
	checked := map[string]bool{}
	for _, file := range files {
		if folder := filepath.Base(filepath.Dir(file)); filepath.Base(file) == "rules.yml" || folder == "rules" || folder == "kubernetes" {
			continue // of vmalert, or manifests: their configurations have a test beside package config
		}
		t.Run(file, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := server.Run(t.Context(), []string{"check", file}, &stdout, &stderr)
			assert.Equal(t, 0, code, "%s%s", &stdout, &stderr)
			assert.Contains(t, stdout.String(), ": good: ")
			assert.NotContains(t, stdout.String(), "warning: ")
		})
		checked[filepath.Base(file)] = true
	}
	for _, name := range []string{
		"one-vmalert.yml", "two-products.yml", "behind-alertmanager.yml", "beside-alertmanager.yml", "in-place-of-alertmanager.yml",
		"tocsin.yml", "alertmanager.yml",
	} {
		assert.True(t, checked[name], "%s is not there", name)
	}
}

const withWindow = `
route: {receiver: r}
receivers: [{name: r}]
tocsin:
  windows:
  - {name: patch-night, matchers: ['env="staging"'], rrule: "FREQ=WEEKLY;BYDAY=TU", start: "2026-01-06T22:00", duration: 2h, zone: Europe/London, grace: 1h}
  - {name: move, matchers: ['env="lab"'], start: "2020-01-06T22:00", duration: 2h}
`

func TestCheckRoutesInWindows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "am.yml")
	require.NoError(t, os.WriteFile(file, []byte(withWindow), 0o600))
	const muted = "muted by window patch-night until "
	for _, tc := range []struct{ route, want string }{
		{`alertname="X",env="staging" @ 2026-12-01T22:30Z`, muted + "2026-12-02T00:00:00Z"},
		{`alertname="X",env="staging" @ 2026-07-07T21:00Z`, muted + "2026-07-07T23:00:00Z"},
		{`alertname="X",env="staging" @ 2026-07-07T22:00+01:00`, muted + "2026-07-08T00:00:00+01:00"},
		{`alertname="X",env="staging" @ 2026-12-02T00:00Z`, ""}, // its grace is for what began before
		{`alertname="X",env="staging" @ 2026-12-02T22:30Z`, ""},
		{`alertname="X",env="prod" @ 2026-12-01T22:30Z`, ""},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, 0, server.Run(t.Context(), []string{"check", file, "--route", tc.route}, &stdout, &stderr), "%s%s", &stdout, &stderr)
		assert.Contains(t, stdout.String(), tc.want, tc.route)
		assert.Equal(t, tc.want != "", strings.Contains(stdout.String(), "muted"), tc.route)
		assert.Contains(t, stdout.String(), "receiver   r", tc.route)
	}
}

func TestCheckWarnsOfWindowsThatAreOver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "am.yml")
	require.NoError(t, os.WriteFile(file, []byte(withWindow), 0o600))
	var stdout, stderr bytes.Buffer
	assert.Equal(t, 0, server.Run(t.Context(), []string{"check", file}, &stdout, &stderr))
	assert.Equal(t, "warning: "+file+":7: tocsin.windows[1]: it was over at 2020-01-07T00:00:00Z, and mutes nothing: remove it, or correct start\n"+
		file+": good: 1 receivers, 0 inhibit rules, 0 time intervals\n", stdout.String())
}
