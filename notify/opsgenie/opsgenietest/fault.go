package opsgenietest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"syscall"
)

// A FaultKind is a way to fail.
type FaultKind uint8

// The faults.
const (
	Refuse    FaultKind = iota // answer Status, Header and Body, and do nothing
	Lose                       // no connection: without a socket a dial error, else a closed connection
	Hang                       // do nothing and answer nothing until the client gives up
	DoAndHang                  // do it, and answer nothing until the client gives up
	DoAndDrop                  // do it, and close the connection instead of an answer
	DoAndCut                   // do it, and close the connection in the middle of the answer
	FailLater                  // accept it, and when it is due let it end with Outcome
	Forget                     // accept it, and never do it nor know of it again
)

func (k FaultKind) does() bool   { return k >= DoAndHang }
func (k FaultKind) hangs() bool  { return k == Hang || k == DoAndHang }
func (k FaultKind) silent() bool { return k == Lose || k == DoAndDrop || k.hangs() }
func (k FaultKind) breaks() bool { return k == DoAndCut }

// A Fault makes requests fail.
type Fault struct {
	Kind FaultKind

	// Match says which requests. It must not call the server, and is not called twice at once. Nil
	// means all.
	Match func(*http.Request) bool

	// Times is how many requests fail. Zero means all, until Heal.
	Times int

	// Status, Header and Body are for Refuse. Status defaults to 503.
	Status int
	Header http.Header
	Body   string

	// Outcome is for FailLater. Defaults to Internal error.
	Outcome string
}

// Inject lets requests fail from now on. The first fault that matches counts.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Status == 0 {
		f.Status = http.StatusServiceUnavailable
	}
	if f.Outcome == "" {
		f.Outcome = "Internal error"
	}
	if f.Times == 0 {
		f.Times = -1
	}
	s.faults = append(s.faults, &f)
}

// Heal ends all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault returns the fault that a request meets, or nil.
func (s *Server) fault(r *http.Request) *Fault {
	for i, f := range s.faults {
		if f.Match != nil && !f.Match(r) {
			continue
		}
		met := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return &met
	}
	return nil
}

func (f *Fault) text() string {
	if f.Body != "" {
		return f.Body
	}
	return fmt.Sprintf(`{"message":%q,"took":0.001}`, http.StatusText(f.Status))
}

// Writes matches every request that is not a GET.
func Writes(r *http.Request) bool { return r.Method != http.MethodGet }

// Reads matches every GET.
func Reads(r *http.Request) bool { return r.Method == http.MethodGet }

// RoundTrip answers without a socket, and fails as a connection would.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		body = b
	}
	answer, f, n := s.serve(r, body)
	if f != nil && f.Kind.silent() {
		s.unanswered(n)
		switch {
		case f.Kind.hangs():
			<-r.Context().Done()
			return nil, r.Context().Err()
		case f.Kind == Lose:
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	resp := &http.Response{
		Status: http.StatusText(answer.status), StatusCode: answer.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Request: r,
	}
	text := answer.write(resp.Header)
	resp.ContentLength = int64(len(text))
	var reader io.Reader = bytes.NewReader(text)
	if f != nil && f.Kind.breaks() {
		reader = io.MultiReader(bytes.NewReader(text[:len(text)/2]), broken{})
	}
	resp.Body = io.NopCloser(reader)
	return resp, nil
}

// broken is where an answer breaks off.
type broken struct{}

// Read fails.
func (broken) Read([]byte) (int, error) {
	return 0, errors.Join(io.ErrUnexpectedEOF, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET})
}

func unescape(part string) string {
	text, err := url.PathUnescape(part)
	if err != nil {
		return part
	}
	return text
}
