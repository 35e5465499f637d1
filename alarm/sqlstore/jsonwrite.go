package sqlstore

import (
	"encoding/base64"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// The functions in this file append JSON. encoding/json would replace what is not UTF-8, and takes
// four times as long for an alert.

const hexDigits = "0123456789abcdef"

// appendKey appends the name of a field, with a comma unless it is the object's first. The name
// needs no escapes.
func appendKey(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// plain are the bytes that stand for themselves in a string.
var plain = func() (set [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		set[c] = c != '"' && c != '\\'
	}
	return set
}()

// appendString appends s quoted. A byte that is part of no character becomes a lone surrogate.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		b = appendEscape(b, c)
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	if c >= utf8.RuneSelf {
		return append(b, '\\', 'u', 'd', 'c', hexDigits[c>>4], hexDigits[c&0xf])
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// appendText appends a field unless it is empty.
func appendText(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(appendKey(b, name), value)
}

// appendInt appends a field unless it is 0.
func appendInt(b []byte, name string, value int64) []byte {
	if value == 0 {
		return b
	}
	return strconv.AppendInt(appendKey(b, name), value, 10)
}

// appendTrue appends a field if it is true.
func appendTrue(b []byte, name string, value bool) []byte {
	if !value {
		return b
	}
	return append(appendKey(b, name), "true"...)
}

// appendTime appends a field unless the time is zero.
func appendTime(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	t = t.UTC()
	if t.Year() < 0 {
		t = time.Time{}
	} else if t.Year() > 9999 {
		t = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
	}
	b = append(appendKey(b, name), '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// appendBytes appends a field in base64 unless it is empty.
func appendBytes(b []byte, name string, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	b = append(appendKey(b, name), '"')
	b = base64.StdEncoding.AppendEncode(b, value)
	return append(b, '"')
}

// appendLabels appends a field with the labels sorted by name, unless there are none.
func appendLabels[N, V ~string](b []byte, name string, ls map[N]V) []byte {
	if len(ls) == 0 {
		return b
	}
	var few [24]N
	names := few[:0]
	for n := range ls {
		names = append(names, n)
	}
	slices.Sort(names)
	b = append(appendKey(b, name), '{')
	for i, n := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, string(n))
		b = append(b, ':')
		b = appendString(b, string(ls[n]))
	}
	return append(b, '}')
}

// appendStrings appends a field with a list, unless it is empty.
func appendStrings(b []byte, name string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(appendKey(b, name), '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendHashes appends a field with a list of 16 hexadecimal digits each, unless it is empty: a
// JSON number of 64 bits is not safe with every reader.
func appendHashes(b []byte, name string, hashes []uint64) []byte {
	if len(hashes) == 0 {
		return b
	}
	b = append(appendKey(b, name), '[')
	for i, h := range hashes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		for shift := 60; shift >= 0; shift -= 4 {
			b = append(b, hexDigits[h>>shift&0xf])
		}
		b = append(b, '"')
	}
	return append(b, ']')
}
