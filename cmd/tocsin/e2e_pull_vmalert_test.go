package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A vmalert is a program of that name, and the flags that only its version has.
type vmalert struct {
	program string
	flags   []string
}

// vmalerts are the versions that are tested: Debian's, which many still run, and one that aligns its
// evaluations, sorts what it lists and evaluates in the past unless it is told not to.
func vmalerts() map[string]func(*testing.T) vmalert {
	return map[string]func(*testing.T) vmalert{
		"debian": func(t *testing.T) vmalert { return vmalert{program: debianPart(t, "vmalert", "victoria-metrics")} },
		"newer": func(t *testing.T) vmalert {
			return vmalert{program: newerPart(t, "vmalert"), flags: []string{"-rule.evalDelay=0s"}}
		},
	}
}

// eachVMAlert runs a test with a lab for each version of vmalert.
func eachVMAlert(t *testing.T, test func(t *testing.T, l *lab)) {
	t.Helper()
	t.Parallel()
	for name, version := range vmalerts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			va := version(t)
			l := newLab(t)
			l.vmalert = va
			test(t, l)
		})
	}
}

// newerPart finds a program that cmd/internal/victoria names, and .ci/victoria builds. Not to have it is
// a failure where everything that is needed should be there; else the test is skipped.
func newerPart(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", "victoria", "current", name))
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("TOCSIN_REQUIRE") != "" {
			t.Fatalf("%v: build it with .ci/victoria", err)
		}
		t.Skipf("%v: build it with .ci/victoria", err)
	}
	return path
}
