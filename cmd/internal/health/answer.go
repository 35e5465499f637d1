package health

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip" // several times as fast as the standard library's

	"github.com/tocsin/tocsin/cache"
)

// An answer is what every operation answers with.
type answer struct {
	Version string       `json:"version"`
	At      time.Time    `json:"at"`    // when the version was made
	Stale   *cache.Stale `json:"stale"` // null: it is as new as it should be
	Data    any          `json:"data"`
}

// A body is an answer, ready to be sent.
type body struct {
	plain []byte
	zip   []byte // nil if that is of no use
	tag   string
}

// newBody encodes an answer.
func newBody(v *cache.View, data any) (*body, error) {
	a := answer{Version: v.ID, At: v.At, Data: data}
	if v.Stale.Reason != "" || !v.Stale.Since.IsZero() {
		a.Stale = &v.Stale
	}
	plain, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	plain = append(plain, '\n')
	b := &body{plain: plain, tag: tagOf(plain)}
	if len(plain) >= worthZipping {
		var zipped bytes.Buffer
		zip, _ := gzip.NewWriterLevel(&zipped, gzip.BestSpeed) // the level is valid
		_, _ = zip.Write(plain)                                // a buffer takes all
		_ = zip.Close()
		b.zip = zipped.Bytes()
	}
	return b, nil
}

// worthZipping is how many bytes an answer has at least that is compressed.
const worthZipping = 2048

func tagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}

func (b *body) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	serveBytes(w, r, b.plain, b.zip, b.tag)
}

// serveBytes sends content, or says that the reader has it already. Zip may be nil.
func serveBytes(w http.ResponseWriter, r *http.Request, plain, zip []byte, tag string) {
	head := w.Header()
	head.Set("ETag", tag)
	head.Set("Cache-Control", "private, no-cache")
	head.Set("Vary", "Accept-Encoding")
	head.Set("X-Content-Type-Options", "nosniff")
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if zip != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		head.Set("Content-Encoding", "gzip")
		plain = zip
	}
	head.Set("Content-Length", strconv.Itoa(len(plain)))
	_, _ = w.Write(plain) // an error means that the reader went away
}

// matches says whether a list of tags, as If-None-Match has it, holds one.
func matches(list, tag string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if t = strings.TrimSpace(t); t == "*" || strings.TrimPrefix(t, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

func serveFailure(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text}) // an error means that the reader went away
}

// A memo keeps the answers of two versions: the one that is shown, and the one that is prepared. Many people
// look at the same pages.
type memo struct {
	mu   sync.Mutex // guards what is below
	sets []*answers // the latest first
}

// answers are those of one version.
type answers struct {
	version string
	bytes   int
	bodies  map[string]*body // by address
}

// memoLimit bounds the answers of a version that are kept, in bytes.
const memoLimit = 32 << 20

// A memoKey says what an answer depends on.
type memoKey struct{ version, address string }

func keyOf(q question) memoKey {
	_, address, found := strings.Cut(q.URL.Path, apiPath) // behind whatever prefix
	if !found {
		address = q.URL.Path
	}
	return memoKey{
		version: fmt.Sprintf("%s %d %s %d %p", q.view.ID, q.view.Stale.Since.UnixNano(), q.view.Stale.Reason, q.quiet.Generation, q.aliases),
		address: address + "?" + q.URL.RawQuery,
	}
}

// kept returns the answer of a key if it was made, or nil.
func (m *memo) kept(k memoKey) *body {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.of(k.version); s != nil {
		return s.bodies[k.address]
	}
	return nil
}

// of returns the answers of a version, or nil.
func (m *memo) of(version string) *answers {
	at := slices.IndexFunc(m.sets, func(s *answers) bool { return s.version == version })
	if at < 0 {
		return nil
	}
	return m.sets[at]
}

// get returns the answer of a key, made if need be.
func (m *memo) get(k memoKey, compute func() (*body, error)) (*body, error) {
	if b := m.kept(k); b != nil {
		return b, nil
	}
	b, err := compute()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.of(k.version)
	if s == nil {
		s = &answers{version: k.version, bodies: map[string]*body{}}
		m.sets = append([]*answers{s}, m.sets[:min(len(m.sets), 1)]...)
	}
	if size := len(b.plain) + len(b.zip) + len(k.address); s.bytes+size <= memoLimit {
		s.bytes += size
		s.bodies[k.address] = b
	}
	return b, nil
}
