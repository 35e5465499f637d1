package source

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// readText reads a raw string, as encoding/json does. It is false if the string is not valid.
func readText(raw []byte) (string, bool) {
	inner := raw[1 : len(raw)-1]
	if plain(inner) {
		return string(inner), true
	}
	if utf8.Valid(inner) {
		var buf [512]byte
		if text, ok := unescape(buf[:0], inner); ok {
			return string(text), true
		}
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// plain says whether the inside of a string stands for itself: it has no escape, no control
// character and nothing that is not ASCII.
func plain(inner []byte) bool {
	for _, c := range inner {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unescape appends what the inside of a string means. It knows the escapes that senders write, and
// leaves the others, such as surrogates, to encoding/json.
func unescape(to, inner []byte) ([]byte, bool) {
	for {
		i := bytes.IndexByte(inner, '\\')
		if i < 0 {
			i = len(inner)
		}
		for _, c := range inner[:i] {
			if c < ' ' {
				return nil, false
			}
		}
		to = append(to, inner[:i]...)
		if inner = inner[i:]; len(inner) == 0 {
			return to, true
		}
		switch inner[1] { // there is one: a backslash before the closing quote would have hidden it
		case '"', '\\', '/':
			to = append(to, inner[1])
		case 'n':
			to = append(to, '\n')
		case 't':
			to = append(to, '\t')
		case 'u':
			r, ok := hex4(inner[2:])
			if !ok || r >= 0xd800 && r < 0xe000 {
				return nil, false
			}
			to = utf8.AppendRune(to, r)
			inner = inner[4:]
		default:
			return nil, false
		}
		inner = inner[2:]
	}
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
