package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A watcher reloads the configuration when it is told to, and when the content of one of its files
// changed. A change counts when it was read alike twice, so that a file that is being written is
// left alone.
type watcher struct {
	reload func(context.Context) error // reads, validates and swaps; leaves all as it was on error
	files  func() []string             // that the configuration in force is made of
	log    *slog.Logger

	mu     sync.Mutex // guards the fields below, and lets one reload run at a time
	active string     // the content that was last tried
	seen   string     // the content as last read
}

// errLater wraps what keeps a reload from being tried now and says nothing of the configuration.
var errLater = errors.New("the configuration is good, and could not be put in force now")

// watchEvery is how often the files are looked at.
const watchEvery = time.Second

// newWatcher returns a watcher that knows the content that the configuration in force was read from:
// what changes from then on is noticed.
func newWatcher(reload func(context.Context) error, files func() []string, active string, log *slog.Logger) *watcher {
	return &watcher{reload: reload, files: files, log: log, active: active, seen: active}
}

// tried returns the content that was last tried.
func (w *watcher) tried() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active
}

// Run looks at the files until ctx ends.
func (w *watcher) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.look(ctx)
		}
	}
}

func (w *watcher) look(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := contentOf(w.files())
	settled := now == w.seen && now != w.active
	w.seen = now
	if !settled {
		return
	}
	w.log.Info("configuration changed")
	_ = w.reloadLocked(ctx) // it has said what is wrong, and is tried again when the file changes
}

// Reload reloads even if nothing changed, as SIGHUP and POST /-/reload ask for.
func (w *watcher) Reload(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reloadLocked(ctx)
}

// reloadLocked reloads. What counts as tried is the content from before: if a file changed meanwhile,
// or the reload has to be tried again, the next look notices.
func (w *watcher) reloadLocked(ctx context.Context) error {
	files := w.files()
	before := contentOf(files)
	err := w.reload(ctx)
	switch {
	case errors.Is(err, errLater):
		w.active = ""
	case contentOf(files) == before:
		w.active = contentOf(w.files()) // the configuration may name other files now
	default:
		w.active = before
	}
	w.seen = w.active
	return err
}

// contentOf is a hash over the content of files. What cannot be read counts as its error.
func contentOf(files []string) string {
	h := sha256.New()
	for _, name := range files {
		text, err := os.ReadFile(name)
		fmt.Fprintf(h, "%s\x00%d\x00%v\x00", name, len(text), err)
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil))
}
