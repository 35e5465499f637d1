package source

import "bytes"

// A scanner walks over JSON once. Its methods skip white space first, and return false where the
// bytes are not what was asked for, which includes everything unusual.
type scanner struct {
	b []byte
	i int
}

// peek returns the next byte that is no white space, without taking it, or zero at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// take takes c if it comes next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

// str takes a string and returns it raw, with its quotes. What is between them is not checked.
func (s *scanner) str() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, false
	}
	end := closingQuote(s.b, s.i+1)
	if end < 0 {
		return nil, false
	}
	raw := s.b[s.i : end+1]
	s.i = end + 1
	return raw, true
}

// flat takes an object that holds nothing nested and returns it raw, and how many pairs it seems to
// hold. What is in it is not checked but for where its strings end: bytes that are equal were
// checked when they were first seen.
func (s *scanner) flat() (raw []byte, pairs int, ok bool) {
	if s.peek() != '{' {
		return nil, 0, false
	}
	quoted := 0
	for i := s.i + 1; i < len(s.b); i++ {
		switch s.b[i] {
		case '"':
			if i = closingQuote(s.b, i+1); i < 0 {
				return nil, 0, false
			}
			quoted++
		case '}':
			raw := s.b[s.i : i+1]
			s.i = i + 1
			return raw, quoted / 2, true
		case '{', '[':
			return nil, 0, false
		}
	}
	return nil, 0, false
}

// value takes any value and returns it raw. In what is nested only the brackets are counted. It is
// false as long as the value may go on beyond the end.
func (s *scanner) value() ([]byte, bool) {
	switch s.peek() {
	case '"':
		return s.str()
	case '{', '[':
		return s.nested()
	}
	for i := s.i; i < len(s.b); i++ {
		switch s.b[i] {
		case ',', ':', ']', '}', '"', ' ', '\t', '\n', '\r':
			raw := s.b[s.i:i]
			s.i = i
			return raw, len(raw) > 0
		}
	}
	return nil, false
}

func (s *scanner) nested() ([]byte, bool) {
	depth := 0
	for i := s.i; i < len(s.b); i++ {
		switch s.b[i] {
		case '"':
			if i = closingQuote(s.b, i+1); i < 0 {
				return nil, false
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				raw := s.b[s.i : i+1]
				s.i = i + 1
				return raw, true
			}
		}
	}
	return nil, false
}

// closingQuote returns the index of the quote that ends the string which begins at from, or -1.
func closingQuote(b []byte, from int) int {
	for i := from; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		backslashes := 0
		for i-1-backslashes >= from && b[i-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
}
