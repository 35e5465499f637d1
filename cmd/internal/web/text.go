package web

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How many characters of foreign text a page shows. Lists show less than the page of one alert.
const (
	shortText = 160   // a label's value in a list
	longText  = 600   // an annotation in a list, an error
	wholeText = 20000 // anything on the page of one alert
	linkText  = 8192  // bytes of an address
)

// clip returns at most limit characters of s, with an ellipsis if there were more, and with
// everything visible that would otherwise do something to the text around it.
func clip(s string, limit int) string {
	if len(s) > limit { // it cannot be longer in characters than in bytes
		n := 0
		for i := range s {
			if n == limit {
				s = s[:i] + "…"
				break
			}
			n++
		}
	}
	return visible(s)
}

// visible replaces control characters, and those that turn the direction of text, by their codes.
func visible(s string) string {
	if strings.IndexFunc(s, unseen) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if unseen(c) {
			fmt.Fprintf(&b, "\\u%04x", c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// unseen are the control characters but for tab and new line, and Unicode's directional embeddings,
// overrides and isolates (UAX #9, section 2). The plain marks U+200E and U+200F are left, for text
// in Arabic and Hebrew needs them; each text is isolated in the page.
func unseen(c rune) bool {
	switch {
	case c == '\n' || c == '\t':
		return false
	case c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069:
		return true
	default:
		return unicode.IsControl(c)
	}
}

// webLink returns s if it is an absolute http or https address that a page may link to, else "".
func webLink(s string) string {
	if len(s) > linkText || !(hasPrefixFold(s, "http://") || hasPrefixFold(s, "https://")) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	return s
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// containsFold says whether s contains lower, which is in lower case. Nearly all text is ASCII, and
// is searched as it stands.
func containsFold(s, lower string) bool {
	if !isASCII(lower) {
		return strings.Contains(strings.ToLower(s), lower)
	}
	if lower == "" {
		return true
	}
	first, rest := lower[0], lower[1:]
	for i := 0; i+len(lower) <= len(s); i++ {
		if lowerASCII(s[i]) == first && equalFoldASCII(s[i+1:i+len(lower)], rest) {
			return true
		}
	}
	return false
}

func equalFoldASCII(s, lower string) bool {
	for i := range len(lower) {
		if lowerASCII(s[i]) != lower[i] {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
