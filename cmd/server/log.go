package server

import (
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/common/promslog"
)

// newLogger returns a logger as promslog.New does, but for one key: promslog calls the place in the
// code "source", and renames whatever else is called so. Here a source is where alerts come from, and
// the place is the caller, as it was in Alertmanager until 0.27.
func newLogger(c *promslog.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.Level, AddSource: true, ReplaceAttr: logged}
	if c.Format.String() == "json" {
		return slog.New(slog.NewJSONHandler(c.Writer, o))
	}
	return slog.New(slog.NewTextHandler(c.Writer, o))
}

// logged is how an attribute is printed.
func logged(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case *slog.Source:
		return slog.String("caller", filepath.Base(v.File)+":"+strconv.Itoa(v.Line))
	case time.Duration:
		return slog.String(a.Key, v.String())
	}
	return a
}
