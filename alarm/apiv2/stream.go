package apiv2

import (
	"net/http"
	"sync"
)

// flushAt is how much of an answer is collected before it is written.
const flushAt = 64 << 10

var streams = sync.Pool{New: func() any { return &stream{b: make([]byte, 0, flushAt+flushAt/4)} }}

// A stream writes an answer in pieces. What is appended to b is written by flushed and close.
type stream struct {
	w       http.ResponseWriter
	b       []byte
	gone    bool // the client is
	encoder encoder
	warmed  int // see warm
}

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "application/json")
	s := streams.Get().(*stream)
	s.w, s.gone = w, false
	return s
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

// close writes what is left. It must be called once, and the stream not be used afterwards.
func (s *stream) close() {
	s.write()
	s.encoder.forget()
	if s.w = nil; cap(s.b) <= 4*flushAt {
		streams.Put(s)
	}
}
