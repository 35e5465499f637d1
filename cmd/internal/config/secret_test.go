package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// However a secret is printed, it is not shown.
func TestSecret(t *testing.T) {
	const s = Secret("hunter2")
	storage := Storage{DSN: s}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "dsn", s, "storage", storage)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "dsn", s, "storage", storage)
	asJSON, err := json.Marshal(storage)
	require.NoError(t, err)
	asYAML, err := yaml.Marshal(storage)
	require.NoError(t, err)
	for _, printed := range []string{
		log.String(), string(asJSON), string(asYAML),
		fmt.Sprint(s, storage), fmt.Sprintf("%s %v %+v %#v %q %#v", s, s, storage, storage, s, s),
	} {
		assert.NotContains(t, printed, "hunter2")
		assert.Contains(t, printed, "secret")
	}
	assert.Equal(t, "hunter2", s.Reveal())
	assert.Empty(t, Secret("").String())
}

func TestKnown(t *testing.T) {
	names := []string{"retention", "receivers", "storage"}
	for name, want := range map[string]string{
		"retenton": `did you mean "retention"? known are receivers, retention, storage`,
		"x":        "known are receivers, retention, storage",
		"":         "known are receivers, retention, storage",
	} {
		assert.Equal(t, want, known(name, names), name)
	}
	assert.Empty(t, known("x", nil))
}

func TestDistance(t *testing.T) {
	for pair, want := range map[[2]string]int{{"", ""}: 0, {"a", ""}: 1, {"", "ab"}: 2, {"kitten", "sitting"}: 3, {"ab", "ba"}: 2} {
		assert.Equal(t, want, distance(pair[0], pair[1]), pair)
		assert.Equal(t, want, distance(pair[1], pair[0]), pair)
	}
}
