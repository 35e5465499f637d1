package discovery

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of a report. What exceeds them is cut, and the report says Truncated where whole parts
// are missing.
const (
	maxDepth    = 32
	maxNodes    = 5000
	maxText     = 2 << 10 // bytes of a message
	maxName     = 256     // bytes of a name
	maxValue    = 512     // bytes of a value of data
	maxData     = 64      // values of one node
	maxTags     = 16      // of one node
	maxEmbedded = 4       // reports inside of others' data
)

const unnamed = "(unnamed)"

// keep adds a value to a node's data, and to the report's counters if it is one of them.
func (rd *reader) keep(data *[]KV, key, value string) {
	rd.countOperations(key, value)
	if len(*data) >= maxData {
		rd.report.Truncated = true
		return
	}
	if isSecret(key) {
		value = "<secret>"
	}
	*data = append(*data, KV{Key: rd.intern(clip(key, maxName)), Value: clip(mask(value), maxValue)})
}

// countOperations sums up what documents call operations.
func (rd *reader) countOperations(key, value string) {
	if len(key) < len("operations") || !strings.Contains(key, "peration") {
		return
	}
	var sum *int64
	switch fold(key) {
	case "operations", "operationcount", "operationscount", "operationstotal", "totaloperations":
		sum = &rd.report.Operations
	case "failedoperations", "operationsfailed", "operationfailures", "operationerrors", "operationserrors":
		sum = &rd.report.FailedOperations
	default:
		return
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
		*sum = max(*sum, 0) + n
	}
}

func sortData(data []KV) {
	slices.SortStableFunc(data, func(a, b KV) int { return strings.Compare(a.Key, b.Key) })
}

// cleanName makes a name fit to be shown and compared. One that is too long keeps its beginning and a
// hash, so that two of them stay distinct.
func cleanName(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
	if s == "" {
		return unnamed
	}
	if len(s) > maxName {
		h := fnv.New32a()
		_, _ = h.Write([]byte(s))
		return cut(s, maxName-9) + fmt.Sprintf("~%08x", h.Sum32())
	}
	return s
}

// prose is a text for people on one line, without secrets.
func prose(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) }), " ")
	}
	return clip(mask(strings.TrimSpace(s)), maxText)
}

// clip cuts a text at a rune's boundary, and says so.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return cut(s, limit-len("…")) + "…"
}

func cut(s string, limit int) string {
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

var (
	assigned = regexp.MustCompile(`(?i)\b([a-z_-]*(?:password|passwd|pwd|secret|api[_-]?key|access[_-]?key|token))(\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s;,&"'}]+)`)
	userinfo = regexp.MustCompile(`://([^/\s:@]*):([^/\s@]+)@`)
	bearer   = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}`)
)

// mask takes secrets out of a text: passwords of connection strings, user information of URLs, tokens.
func mask(s string) string {
	if strings.ContainsAny(s, "=:") {
		if strings.Contains(s, "://") {
			s = userinfo.ReplaceAllString(s, "://$1:<secret>@")
		}
		if mayAssign(s) {
			s = assigned.ReplaceAllString(s, "${1}${2}<secret>")
		}
	}
	if strings.Contains(s, "earer ") || strings.Contains(s, "asic ") || strings.Contains(s, "BEARER ") {
		s = bearer.ReplaceAllString(s, "$1 <secret>")
	}
	return s
}

// mayAssign keeps the regular expression away from most texts: it says whether an equals sign or a colon
// follows one of the words, near enough.
func mayAssign(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '=' || c == ':' {
			if isSecret(strings.TrimRight(s[:i], " \t")) {
				return true
			}
		}
	}
	return false
}

// isSecret says whether what has this name is nobody's business.
func isSecret(name string) bool {
	if name == "" || !strings.ContainsRune("dtynDTYN", rune(name[len(name)-1])) {
		return false // most names
	}
	for _, word := range [...]string{"password", "passwd", "pwd", "secret", "apikey", "api_key", "api-key", "accesskey", "access_key", "access-key", "token"} {
		if n := len(name) - len(word); n >= 0 && strings.EqualFold(name[n:], word) {
			return true
		}
	}
	return false
}

func count(nodes []Node) int {
	n := len(nodes)
	for i := range nodes {
		n += count(nodes[i].Children)
	}
	return n
}

// prune keeps as many nodes as the budget allows: the worst first, then by name, level by level.
func prune(nodes []Node, budget *int) []Node {
	if len(nodes) == 0 {
		return nil
	}
	slices.SortStableFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(max(b.State, Worst(b.Children)), max(a.State, Worst(a.Children))), strings.Compare(a.Name, b.Name))
	})
	nodes = slices.Clone(nodes[:min(len(nodes), *budget)])
	*budget -= len(nodes)
	for i := range nodes {
		nodes[i].Children = prune(nodes[i].Children, budget)
	}
	slices.SortStableFunc(nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	return nodes
}
