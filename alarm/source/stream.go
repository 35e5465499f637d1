package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// firstBuffer is how much of an answer is held at least, maxValue how long one alert, one query
	// or one message may be.
	firstBuffer = 128 << 10
	maxValue    = 8 << 20
)

var (
	errHalf  = errors.New("it ends in the middle")
	errValue = fmt.Errorf("a value of more than %d MiB", maxValue>>20)
)

// A stream walks over a JSON document that is still arriving, and holds no more of it than the value
// that it is at. What is skipped is only searched for its end.
type stream struct {
	r    io.Reader
	buf  []byte
	scan scanner // over the part of buf that was read
	end  bool    // there is no more to read
}

func newStream(r io.Reader) *stream { return &stream{r: r, buf: make([]byte, firstBuffer)} }

// more reads on. What was not yet taken is kept.
func (s *stream) more() error {
	if s.end {
		return errHalf
	}
	rest := s.scan.b[s.scan.i:]
	if len(rest) == len(s.buf) {
		if len(s.buf) >= maxValue {
			return errValue
		}
		s.buf = make([]byte, min(2*len(s.buf), maxValue))
	}
	n := copy(s.buf, rest)
	for n < len(s.buf) && !s.end { // all of it: then a value is searched for its end only a few times
		m, err := s.r.Read(s.buf[n:])
		n += m
		if errors.Is(err, io.EOF) {
			s.end = true
		} else if err != nil {
			return err
		}
	}
	s.scan = scanner{b: s.buf[:n]}
	return nil
}

// peek returns the next byte that is no white space, without taking it.
func (s *stream) peek() (byte, error) {
	for {
		if c := s.scan.peek(); s.scan.i < len(s.scan.b) {
			return c, nil
		}
		if err := s.more(); err != nil {
			return 0, err
		}
		if len(s.scan.b) == 0 {
			return 0, errHalf
		}
	}
}

// value takes any value and returns it raw, until the next call.
func (s *stream) value() ([]byte, error) {
	c, err := s.peek()
	if err != nil {
		return nil, err
	}
	if !strings.ContainsRune(`"{[-0123456789tfn`, rune(c)) {
		return nil, unexpected(c)
	}
	for {
		if raw, ok := s.scan.value(); ok {
			return raw, nil
		}
		if err := s.more(); err != nil {
			return nil, err
		}
	}
}

func (s *stream) skip() error {
	_, err := s.value()
	return err
}

// into decodes a value by encoding/json.
func (s *stream) into(v any) error {
	raw, err := s.value()
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

// take takes c if it comes next.
func (s *stream) take(c byte) (bool, error) {
	next, err := s.peek()
	if err != nil || next != c {
		return false, err
	}
	s.scan.i++
	return true, nil
}

// must takes c.
func (s *stream) must(c byte) error {
	ok, err := s.take(c)
	if err == nil && !ok {
		return unexpected(s.scan.b[s.scan.i])
	}
	return err
}

// object takes an object, or null, and calls field with each name. Field has to take the value.
func (s *stream) object(field func(name string) error) error {
	return s.members('{', '}', func() error {
		raw, err := s.value()
		if err != nil {
			return err
		}
		name, ok := "", raw[0] == '"'
		if ok {
			name, ok = readText(raw)
		}
		if !ok {
			return unexpected(raw[0])
		}
		if err := s.must(':'); err != nil {
			return err
		}
		if err := field(name); err != nil {
			return fmt.Errorf("%.40s: %w", name, err)
		}
		return nil
	})
}

// array takes an array, or null, and calls element at each of its elements, which it has to take.
func (s *stream) array(element func() error) error { return s.members('[', ']', element) }

func (s *stream) members(open, closing byte, member func() error) error {
	if c, err := s.peek(); err != nil {
		return err
	} else if c == 'n' {
		var null *struct{}
		return s.into(&null)
	}
	if err := s.must(open); err != nil {
		return err
	}
	if done, err := s.take(closing); done || err != nil {
		return err
	}
	for {
		if err := member(); err != nil {
			return err
		}
		if done, err := s.take(closing); done || err != nil {
			return err
		}
		if err := s.must(','); err != nil {
			return err
		}
	}
}

// finish makes sure that nothing follows.
func (s *stream) finish() error {
	for {
		if c := s.scan.peek(); s.scan.i < len(s.scan.b) {
			return unexpected(c)
		}
		if s.end {
			return nil
		}
		if err := s.more(); err != nil {
			return err
		}
	}
}

func unexpected(c byte) error { return fmt.Errorf("unexpected character %q", c) }
