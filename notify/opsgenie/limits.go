package opsgenie

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of the fields, in characters, which are Unicode code points.
const (
	limitMessage     = 130
	limitAlias       = 512
	limitDescription = 15000
	limitResponders  = 50
	limitActions     = 10
	limitAction      = 50
	limitTags        = 20
	limitTag         = 50
	limitDetails     = 8000 // over all keys and values
	limitEntity      = 512
	limitSource      = 100
	limitUser        = 100
	limitNote        = 25000
)

// cutMark ends a text that was cut.
const cutMark = "…"

// cut returns a text of at most limit characters, and marks where it was cut. Bytes that are no
// UTF-8 become U+FFFD, one for each run.
func cut(s string, limit int) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n == limit-1 {
			return s[:i] + cutMark
		}
		n++
	}
	return s
}

// cutList keeps at most limit items, each of at most width characters, without empty ones and
// repetitions, and says whether anything was cut.
func cutList(items []string, limit, width int) ([]string, bool) {
	var kept []string
	shortened := false
	for _, item := range items {
		short := cut(strings.TrimSpace(item), width)
		if short == "" || slices.Contains(kept, short) {
			continue
		}
		if len(kept) == limit {
			return kept, true
		}
		shortened = shortened || strings.HasSuffix(short, cutMark) && short != item
		kept = append(kept, short)
	}
	return kept, shortened
}

// cutDetails keeps keys and values within limit characters together: the longest values are cut
// first, all to the same length, and if the keys alone are too many the last ones go.
func cutDetails(details map[string]string, limit int) (map[string]string, bool) {
	keys := slices.Sorted(maps.Keys(details))
	total, room := 0, limit
	lengths := make([]int, 0, len(keys))
	for i, k := range keys {
		size := utf8.RuneCountInString(k) + 1 // one character for the mark
		if size > room {
			keys = keys[:i]
			break
		}
		room -= size
		n := utf8.RuneCountInString(details[k])
		lengths = append(lengths, n)
		total += size - 1 + n
	}
	if total <= limit && len(keys) == len(details) {
		return details, false
	}
	width := widest(lengths, room+len(keys))
	kept := make(map[string]string, len(keys))
	for _, k := range keys {
		kept[k] = cut(details[k], max(width, 1))
	}
	return kept, true
}

// widest returns the greatest width w for which the sum of min(length, w) is at most room.
func widest(lengths []int, room int) int {
	slices.Sort(lengths)
	for i, n := range lengths {
		if share := room / (len(lengths) - i); n > share {
			return share
		}
		room -= n
	}
	return limitDetails
}
