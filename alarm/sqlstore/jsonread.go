package sqlstore

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// A reader reads the JSON that the append functions write, and any other JSON of the same shape.
// After the first error it reads nothing more.
type reader struct {
	b     []byte
	i     int
	depth int
	err   error

	// known are the strings that were read before, so that labels that many alerts have in common
	// are in memory once. Nil keeps none.
	known map[string]string

	pairs []string // scratch of labels
}

// maxDepth bounds the nesting of what is skipped.
const maxDepth = 64

var errSyntax = errors.New("malformed JSON")

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %w", r.i, err)
	}
	r.i = len(r.b)
}

// next skips blanks and returns the byte that follows, or 0 at the end.
func (r *reader) next() byte {
	for r.i < len(r.b) {
		switch c := r.b[r.i]; c {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return c
		}
	}
	return 0
}

// open consumes the bracket that begins an object or a list.
func (r *reader) open(bracket byte) bool {
	if r.next() != bracket {
		r.fail(errSyntax)
		return false
	}
	if r.depth++; r.depth > maxDepth {
		r.fail(errors.New("nested too deeply"))
		return false
	}
	r.i++
	return true
}

// more says whether another element follows, and stands before it. n counts the elements so far.
func (r *reader) more(bracket byte, n int) bool {
	c := r.next()
	switch {
	case r.err != nil:
		return false
	case c == bracket:
		r.i++
		r.depth--
		return false
	case n == 0:
		return true
	case c == ',':
		r.i++
		return true
	}
	r.fail(errSyntax)
	return false
}

// fields reads an object: it calls field with each name, which must read the value or skip it. The
// name is valid until field returns.
func (r *reader) fields(field func(name []byte)) {
	if !r.open('{') {
		return
	}
	for n := 0; r.more('}', n); n++ {
		name, _ := r.raw()
		r.colon()
		if r.err != nil {
			return
		}
		field(name)
	}
}

func (r *reader) colon() {
	if r.next() != ':' {
		r.fail(errSyntax)
		return
	}
	r.i++
}

// list reads a list: it calls element before each element, which must read it or skip it.
func (r *reader) list(element func()) {
	if !r.open('[') {
		return
	}
	for n := 0; r.more(']', n); n++ {
		element()
	}
}

// raw reads a string without keeping it: the bytes are valid only until the next call. plain says
// that they are a part of the input.
func (r *reader) raw() (s []byte, plain bool) {
	if r.next() != '"' {
		r.fail(errSyntax)
		return nil, false
	}
	r.i++
	start := r.i
	for r.i < len(r.b) {
		switch c := r.b[r.i]; {
		case c == '"':
			r.i++
			return r.b[start : r.i-1], true
		case c == '\\':
			return r.unescape(start), false
		case c < 0x20:
			r.fail(errSyntax)
			return nil, false
		}
		r.i++
	}
	r.fail(errSyntax)
	return nil, false
}

// unescape reads the rest of a string that began at start and has an escape where the reader
// stands.
func (r *reader) unescape(start int) []byte {
	s := append([]byte(nil), r.b[start:r.i]...)
	for r.i < len(r.b) {
		c := r.b[r.i]
		r.i++
		switch {
		case c == '"':
			return s
		case c < 0x20:
			r.fail(errSyntax)
			return nil
		case c != '\\':
			s = append(s, c)
			continue
		}
		if r.i == len(r.b) {
			break
		}
		c = r.b[r.i]
		r.i++
		switch c {
		case '"', '\\', '/':
			s = append(s, c)
		case 'n':
			s = append(s, '\n')
		case 'r':
			s = append(s, '\r')
		case 't':
			s = append(s, '\t')
		case 'b':
			s = append(s, '\b')
		case 'f':
			s = append(s, '\f')
		case 'u':
			s = r.unicode(s)
		default:
			r.fail(errSyntax)
			return nil
		}
	}
	r.fail(errSyntax)
	return nil
}

// unicode reads the four digits of an escape, and those of a second one if both are one character.
func (r *reader) unicode(s []byte) []byte {
	u := r.hex4()
	if !utf16.IsSurrogate(u) {
		return utf8.AppendRune(s, u)
	}
	if r.i+6 <= len(r.b) && r.b[r.i] == '\\' && r.b[r.i+1] == 'u' {
		mark := r.i
		r.i += 2
		if pair := utf16.DecodeRune(u, r.hex4()); pair != utf8.RuneError || r.err != nil {
			return utf8.AppendRune(s, pair)
		}
		r.i = mark
	}
	if u >= 0xdc80 && u <= 0xdcff {
		return append(s, byte(u))
	}
	return utf8.AppendRune(s, utf8.RuneError)
}

func (r *reader) hex4() (u rune) {
	if r.i+4 > len(r.b) {
		r.fail(errSyntax)
		return 0
	}
	for range 4 {
		c := r.b[r.i]
		switch {
		case c >= '0' && c <= '9':
			u = u<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			u = u<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			u = u<<4 | rune(c-'A'+10)
		default:
			r.fail(errSyntax)
			return 0
		}
		r.i++
	}
	return u
}

// text reads a string.
func (r *reader) text() string {
	s, _ := r.raw()
	return string(s)
}

// shared reads a string that is likely to occur again.
func (r *reader) shared() string {
	s, _ := r.raw()
	if known, ok := r.known[string(s)]; ok {
		return known
	}
	t := string(s)
	if r.known != nil {
		r.known[t] = t
	}
	return t
}

// labels reads an object of strings. Annotations are rarely alike, but for their names.
func (r *reader) labels(shareValues bool) model.LabelSet {
	r.pairs = r.pairs[:0]
	if !r.open('{') {
		return nil
	}
	for n := 0; r.more('}', n); n++ {
		name := r.shared()
		r.colon()
		value := ""
		if shareValues {
			value = r.shared()
		} else {
			value = r.text()
		}
		r.pairs = append(r.pairs, name, value)
	}
	if len(r.pairs) == 0 {
		return nil
	}
	ls := make(model.LabelSet, len(r.pairs)/2)
	for i := 0; i < len(r.pairs); i += 2 {
		ls[model.LabelName(r.pairs[i])] = model.LabelValue(r.pairs[i+1])
	}
	return ls
}

func (r *reader) time() time.Time {
	s, _ := r.raw()
	if r.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, string(s))
	if err != nil {
		r.fail(errors.New("malformed time"))
	}
	return t.UTC()
}

func (r *reader) int() int64 {
	r.next()
	start := r.i
	for r.i < len(r.b) && (r.b[r.i] == '-' || r.b[r.i] >= '0' && r.b[r.i] <= '9') {
		r.i++
	}
	n, err := strconv.ParseInt(string(r.b[start:r.i]), 10, 64)
	if err != nil {
		r.fail(errors.New("malformed number"))
	}
	return n
}

func (r *reader) bool() bool {
	r.next()
	rest := r.b[r.i:]
	switch {
	case len(rest) >= 4 && string(rest[:4]) == "true":
		r.i += 4
		return true
	case len(rest) >= 5 && string(rest[:5]) == "false":
		r.i += 5
		return false
	}
	r.fail(errSyntax)
	return false
}

func (r *reader) bytes() []byte {
	s, _ := r.raw()
	out, err := base64.StdEncoding.AppendDecode(nil, s)
	if err != nil {
		r.fail(errors.New("malformed base64"))
	}
	return out
}

func (r *reader) hashes() (out []uint64) {
	r.list(func() {
		s, _ := r.raw()
		h, err := strconv.ParseUint(string(s), 16, 64)
		if err != nil {
			r.fail(errors.New("malformed hash"))
		}
		out = append(out, h)
	})
	return out
}

func (r *reader) strings() (out []string) {
	r.list(func() { out = append(out, r.text()) })
	return out
}

// skip reads a value that means nothing to this version.
func (r *reader) skip() {
	switch c := r.next(); c {
	case '{':
		r.fields(func([]byte) { r.skip() })
	case '[':
		r.list(r.skip)
	case '"':
		r.raw()
	default:
		start := r.i
		for r.i < len(r.b) && isLiteral(r.b[r.i]) {
			r.i++
		}
		if r.i == start {
			r.fail(errSyntax)
		}
	}
}

// isLiteral says whether c may stand in a number, true, false or null.
func isLiteral(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

// end returns the first error; what follows the value is one.
func (r *reader) end() error {
	if r.next(); r.err == nil && r.i < len(r.b) {
		r.fail(errSyntax)
	}
	return r.err
}
