package apiv2

import "unicode/utf8"

// plain says of each ASCII character whether it stands for itself in a string: 1 if so but for
// HTML, 2 if so in HTML too.
var plain = func() (t [utf8.RuneSelf]uint8) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		switch c {
		case '"', '\\':
		case '<', '>', '&':
			t[c] = 1
		default:
			t[c] = 2
		}
	}
	return t
}()

// appendString appends a quoted string as encoding/json does.
func appendString(b []byte, s string, e escaping) []byte {
	least := uint8(1)
	if e {
		least = 2
	}
	b = append(b, '"')
	done := 0
	for i := plainPrefix(s, 0); i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if plain[c] >= least {
				i++
				continue
			}
			b = append(b, s[done:i]...)
			b = appendEscape(b, c)
			i++
			done = i
			i = plainPrefix(s, i)
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[done:i]...), `\ufffd`...)
			done = i + 1
		case r == '\u2028' || r == '\u2029': // the ends of lines in JavaScript
			b = append(append(b, s[done:i]...), `\u202`...)
			b = append(b, hexDigits[r&0xf])
			done = i + size
		}
		i += size
	}
	b = append(b, s[done:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	default:
		return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
	}
}

// plainPrefix returns from where on s has to be looked at byte by byte: eight bytes at a time, it
// skips what stands for itself even in HTML.
func plainPrefix(s string, i int) int {
	const (
		each = 0x0101010101010101
		high = 0x80 * each
	)
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		// A byte that is zero in one of these, and perhaps its neighbour, borrows into its high bit.
		// Characters that differ in one bit, " and &, < and >, are found together.
		backslash := w ^ each*'\\'
		quoteOrAnd := (w | each*4) ^ each*'&'
		angle := (w | each*2) ^ each*'>'
		if (w|(w-each*' ')|(backslash-each)|(quoteOrAnd-each)|(angle-each))&high != 0 {
			break
		}
	}
	return i
}
