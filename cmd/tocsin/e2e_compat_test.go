package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/cmd/internal/peer"
)

const acceptancePackage = alertmanagerModule + "/test/with_api_v2/acceptance"

// needGossip says which acceptance tests are about two processes that gossip, which tocsin does not
// do. The README names them.
func needGossip(name string) bool {
	return name == "TestClusterDeduplication" || name == "TestClusterVSInstance"
}

// TestCompat runs Alertmanager's own acceptance tests against the server. They allow for 150 ms of
// delay, which a busy machine exceeds now and then (Alertmanager fails them there too): so this test
// is not parallel to others, and what failed among its fellows has two more attempts by itself.
func TestCompat(t *testing.T) {
	a := buildAcceptance(t)
	began := time.Now()
	failed := a.together(t.Context(), a.names)
	for range 2 {
		failed = slices.DeleteFunc(failed, func(f failure) bool {
			t.Logf("%s failed, and is tried again by itself", f.name)
			_, err := a.run(t.Context(), f.name)
			return err == nil
		})
	}
	t.Logf("%d tests took %s", len(a.names), time.Since(began).Round(time.Second))
	for _, f := range failed {
		assert.Fail(t, f.name, f.output)
	}
}

// acceptance is the compiled suite, in a folder from which it finds the server.
type acceptance struct {
	suite string
	dir   string
	names []string
}

func buildAcceptance(t *testing.T) acceptance {
	t.Helper()
	dir := t.TempDir()
	a := acceptance{suite: filepath.Join(dir, "acceptance"), dir: filepath.Join(dir, "a", "b", "c")}
	_, err := peer.Go("test", "-c", "-o", a.suite, acceptancePackage)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(a.dir, 0o755))
	require.NoError(t, os.Symlink(quickProgram(t), filepath.Join(dir, "alertmanager"))) // ../../../alertmanager
	a.names = strings.Fields(run(t, a.suite, "-test.list=^Test").Stdout)
	require.GreaterOrEqual(t, len(a.names), 27, "the suite has lost tests: %s", a.names)
	a.names = slices.DeleteFunc(a.names, needGossip)
	return a
}

// failure is a test that failed, and what it printed.
type failure struct{ name, output string }

// together runs the tests a few at a time, each in a process of its own, since a test that is late
// may panic.
func (a acceptance) together(ctx context.Context, names []string) []failure {
	var (
		mu     sync.Mutex
		failed []failure
		group  errgroup.Group
	)
	group.SetLimit(4)
	for _, name := range names {
		group.Go(func() error {
			if out, err := a.run(ctx, name); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, failure{name, err.Error() + "\n" + out})
			}
			return nil
		})
	}
	_ = group.Wait() // what went wrong is in failed
	return failed
}

func (a acceptance) run(ctx context.Context, name string) (output string, err error) {
	cmd := exec.CommandContext(ctx, a.suite, "-test.timeout=2m", "-test.run=^"+name+"$")
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Dir(a.suite))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
