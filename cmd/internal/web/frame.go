package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// A frame is what stands around each page.
type frame struct {
	Title    string
	Host     string // of the external URL
	Version  string
	Root     string // relative address of the alerts page, ending in a slash
	Assets   string // relative address of the assets, ending in a slash
	Icon     string // which of the assets is the icon
	Problems []string
	Servers  string // who leads

	Here string // the page among those of the menu, or empty

	Maintenance bool // there is a page of that name
	Receivers   bool // there is a page of that name
	Health      bool // services are asked how they are
}

// A messagePage says one thing.
type messagePage struct {
	Frame frame
	Text  string
	Links []pair // where to go on
}

// frame makes the frame for a request. How far up the root lies follows from the path alone.
func (h *handler) frame(r *http.Request) frame {
	root := "./"
	if below := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, h.prefix), "/"); strings.Contains(below, "/") {
		root = strings.Repeat("../", strings.Count(below, "/"))
	}
	f := frame{Version: h.opts.Version, Root: root, Assets: root + "static/" + h.assets.hash + "/", Icon: "bell.svg", Maintenance: h.opts.Maintenance != nil}
	f.Receivers, f.Here = h.opts.Receivers != nil, strings.Trim(strings.TrimPrefix(r.URL.Path, h.prefix), "/")
	f.Health = h.opts.Health != nil && h.opts.Health.Source() != nil
	if h.opts.ExternalURL != nil {
		f.Host = h.opts.ExternalURL.Host
	}
	if h.opts.Servers != nil {
		f.Servers = h.opts.Servers(r.Context())
	}
	if h.opts.Problems != nil {
		for _, p := range h.opts.Problems() {
			f.Problems = append(f.Problems, clip(p, longText))
		}
	}
	f.Problems = append(f.Problems, staleSources(time.Now(), h.engine.Sources())...)
	return f
}

// staleSources says for each stale source since when nothing was heard, and why.
func staleSources(now time.Time, sources []alarm.SourceStatus) []string {
	var said []string
	for _, s := range sources {
		if !s.Stale {
			continue
		}
		text := "Source " + clip(s.Name, shortText) + " is stale: "
		if s.LastSuccess.IsZero() {
			text += "not read since the start. "
		} else {
			text += "last read " + ago(now, s.LastSuccess) + ". "
		}
		text += "Its alerts are held as they were."
		if s.Err != nil {
			text += " " + clip(s.Err.Error(), longText)
		}
		said = append(said, text)
	}
	return said
}

// render prints a page into memory first, so that a failure is a clean 500 and not half a page. The
// ETag lets the scripts ask every few seconds at the price of an empty answer.
func (h *handler) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var page bytes.Buffer
	if err := h.pages[name].ExecuteTemplate(&page, "frame", data); err != nil {
		h.log.Error("print a page", "page", name, "err", err)
		http.Error(w, "The page cannot be printed; the log says why.", http.StatusInternalServerError)
		return
	}
	sum := sha256.Sum256(page.Bytes())
	tag := `W/"` + hex.EncodeToString(sum[:12]) + `"`
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Cache-Control", "private, no-cache")
	head.Set("Vary", "Accept-Encoding")
	if status == http.StatusOK {
		head.Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	// An error from here on means that the reader went away.
	if page.Len() < 2048 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		_, _ = w.Write(page.Bytes())
		return
	}
	head.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	zip, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
	_, _ = zip.Write(page.Bytes())
	_ = zip.Close()
}
