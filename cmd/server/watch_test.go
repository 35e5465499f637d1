package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A change is acted upon when it was read alike twice, once; and none is missed, neither one that
// comes while a reload runs nor one that could not be put in force.
func TestWatcher(t *testing.T) {
	file := filepath.Join(t.TempDir(), "am.yml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	files := func() []string { return []string{file} }
	write("one")
	var loaded []string
	during := func() error { return nil }
	w := newWatcher(func(context.Context) error {
		text, err := os.ReadFile(file)
		loaded = append(loaded, string(text))
		return errors.Join(err, during())
	}, files, contentOf(files()), slog.New(slog.DiscardHandler))
	looks := func(n int) []string {
		loaded = nil
		for range n {
			w.look(t.Context())
		}
		return loaded
	}
	assert.Empty(t, looks(5), "nothing changed")
	write("two")
	assert.Empty(t, looks(1), "it may still be written")
	assert.Equal(t, []string{"two"}, looks(5), "once")

	write("three")
	during = func() error { during = func() error { return nil }; write("four"); return nil }
	assert.Equal(t, []string{"three", "four"}, looks(5), "a change while it was loaded")

	write("five")
	during = func() error { during = func() error { return nil }; return fmt.Errorf("%w: disk full", errLater) }
	assert.Equal(t, []string{"five", "five"}, looks(5), "tried again")

	write("bad")
	during = func() error { return errors.New("bad") }
	assert.Equal(t, []string{"bad"}, looks(5), "not tried again before it changes")
	require.Error(t, w.Reload(t.Context()), "but when somebody asks")
}
