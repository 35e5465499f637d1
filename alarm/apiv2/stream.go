package apiv2

import (
	"net/http"
	"sync"
)

// flushAt is how much of an answer is collected before it is written.
const flushAt = 64 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, flushAt+flushAt/4); return &b }}

// A stream writes an answer in pieces. What is appended to b is written by flushed and close.
type stream struct {
	w      http.ResponseWriter
	b      []byte
	pooled *[]byte
	gone   bool // the client is
	shaper shaper
	warmed int // see warm
}

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "application/json")
	pooled := buffers.Get().(*[]byte)
	return &stream{w: w, b: (*pooled)[:0], pooled: pooled}
}

// list writes a JSON array. Before each element each calls next; it is false if it gave up.
func (s *stream) list(each func(next func()) bool) {
	s.b = append(s.b, '[')
	first := true
	complete := each(func() {
		if !first {
			s.b = append(s.b, ',')
		}
		first = false
	})
	if complete {
		s.b = append(s.b, ']', '\n')
	}
}

// flushed writes if there is enough to write. It is false when the client is gone.
func (s *stream) flushed() bool {
	if len(s.b) >= flushAt {
		s.write()
	}
	return !s.gone
}

func (s *stream) write() {
	if !s.gone && len(s.b) > 0 {
		_, err := s.w.Write(s.b)
		s.gone = err != nil
	}
	s.b = s.b[:0]
}

// close writes what is left. It must be called once.
func (s *stream) close() {
	s.write()
	if cap(s.b) <= 4*flushAt {
		*s.pooled = s.b
		buffers.Put(s.pooled)
	}
}
