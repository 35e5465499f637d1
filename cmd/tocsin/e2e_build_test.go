package main_test

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cmd/internal/peer"
)

// The environment variable that names the server to test: the path of a binary, or "alertmanager"
// for the one that our module pins. Without it the server is built.
const binaryVariable = "TOCSIN_E2E_BINARY"

const (
	serverPackage      = "github.com/tocsin/tocsin/cmd/tocsin"
	alertmanagerModule = "github.com/prometheus/alertmanager"
)

// program returns the path of the server under test, with the race detector if this test has it.
func program(t *testing.T) string {
	t.Helper()
	path, err := builtServer()
	require.NoError(t, err)
	return path
}

// quickProgram is program without the race detector, for tests that measure time.
func quickProgram(t *testing.T) string {
	t.Helper()
	path, err := builtQuickServer()
	require.NoError(t, err)
	return path
}

// Each binary is built once in a run, when a test first asks for it.
var (
	buildFolder = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "tocsin-e2e-")
		if err != nil {
			return "", err
		}
		return dir, os.Chmod(dir, 0o755) // another user is to run what is in it
	})
	builtServer = sync.OnceValues(func() (string, error) {
		if raceDetected() {
			return buildServer("tocsin-race", "-race")
		}
		return builtQuickServer()
	})
	builtQuickServer = sync.OnceValues(func() (string, error) { return buildServer("tocsin") })
)

func buildServer(name string, flags ...string) (string, error) {
	switch given := os.Getenv(binaryVariable); given {
	case "":
	case "alertmanager":
		return buildAlertmanager()
	default:
		return given, nil
	}
	dir, err := buildFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	_, err = peer.Go(append(append([]string{"build", "-o", path}, flags...), serverPackage)...)
	return path, err
}

// buildAlertmanager builds the peer.
func buildAlertmanager() (string, error) {
	dir, err := buildFolder()
	if err != nil {
		return "", err
	}
	return peer.Build(dir)
}

// raceDetected says whether this test was built with -race.
func raceDetected() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}
