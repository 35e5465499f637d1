package server_test

import (
	"bytes"
	"path/filepath"
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
		if filepath.Base(file) == "rules.yml" {
			continue // of vmalert
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
