package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBackupAndExport copies the database of a server that works on, starts another server on the copy, and
// prints what happened.
func TestBackupAndExport(t *testing.T) {
	t.Parallel()
	s := startServer(t, amtoolConfig)
	s.Push(firing(named("Kept")))
	where := []string{"--config.file=" + s.config, "--storage.path=" + s.storage}
	to := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.Mkdir(to, 0o755))
	file := filepath.Join(to, "tocsin.db")

	r := run(t, s.program, append([]string{"backup", file}, where...)...)
	require.Equal(t, result{Stdout: file + "\n"}, r)
	r = run(t, s.program, append([]string{"backup", file}, where...)...)
	assert.Equal(t, 1, r.Code, "what is there is not overwritten")
	assert.Contains(t, r.Stderr, "exists")
	s.Push(firing(named("Later")))

	r = run(t, s.program, append([]string{"export"}, where...)...)
	require.Equal(t, 0, r.Code, r.Stderr)
	var kinds []string
	for line := range strings.Lines(r.Stdout) {
		var record struct {
			Kind string
			Body struct{ Labels map[string]string }
		}
		require.NoError(t, json.Unmarshal([]byte(line), &record), line)
		if record.Kind == "appeared" {
			kinds = append(kinds, record.Body.Labels["alertname"])
		}
	}
	assert.Equal(t, []string{"Kept", "Later"}, kinds)
	r = run(t, s.program, append([]string{"export", "--to=2020-01-01T00:00:00Z"}, where...)...)
	assert.Equal(t, result{}, r)
	r = run(t, s.program, append([]string{"export", "--from=yesterday"}, where...)...)
	assert.Equal(t, 2, r.Code)

	copied := newServer(t, amtoolConfig)
	copied.storage = to
	copied.Start()
	assert.Len(t, copied.Alerts(), 1)
	assert.Len(t, s.Alerts(), 2)
}
