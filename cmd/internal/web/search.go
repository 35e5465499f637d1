package web

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A search says which alerts to show: those that contain each of the words in a label or an
// annotation, and whose labels match each of the matchers.
type search struct {
	words    []string // in lower case
	matchers matcher.Matchers
}

// maxSearch bounds what is searched for, in bytes.
const maxSearch = 2000

// parseSearch reads what somebody typed into the search field: words and matchers, in any order,
// with spaces or commas between them. A matcher is name, operator, value, as in severity="critical"
// or instance=~db-.*; quotes are needed only around what holds a space, a comma or a quote.
// A quoted phrase is a word. Matchers may stand in braces, as Alertmanager prints them.
//
// The language is laxer than Alertmanager's, for it mixes matchers with words; whatever matcher
// Alertmanager prints means the same here, unless it holds what cannot be printed.
func parseSearch(input string) (search, error) {
	if len(input) > maxSearch {
		return search{}, fmt.Errorf("the search is longer than %d characters", maxSearch)
	}
	if !utf8.ValidString(input) {
		return search{}, fmt.Errorf("the search is not valid UTF-8")
	}
	var s search
	for rest := unbraced(input); ; {
		rest = strings.TrimLeftFunc(rest, isSeparator)
		if rest == "" {
			return s, nil
		}
		var err error
		if rest, err = s.next(rest); err != nil {
			return search{}, err
		}
	}
}

// unbraced takes off the braces around a list of matchers.
func unbraced(input string) string {
	input = strings.TrimSpace(input)
	if strings.HasPrefix(input, "{") && strings.HasSuffix(input, "}") {
		return strings.TrimSpace(input[1 : len(input)-1])
	}
	return input
}

// next reads one word or matcher off input, which does not begin with a separator, and returns what
// follows.
func (s *search) next(input string) (rest string, err error) {
	name, rest, quoted, err := labelName(input)
	if err != nil {
		return "", err
	}
	op, value, found := operator(rest)
	if name != "" && found {
		return s.matcher(name, op, value)
	}
	if quoted {
		if name != "" {
			s.words = append(s.words, strings.ToLower(name))
		}
		return rest, nil
	}
	word, rest := bare(input)
	s.words = append(s.words, strings.ToLower(word))
	return rest, nil
}

func (s *search) matcher(name, op, input string) (rest string, err error) {
	input = strings.TrimLeft(input, " ")
	value, rest := bare(input)
	if strings.HasPrefix(input, `"`) {
		if value, rest, err = unquote(input); err != nil {
			return "", err
		}
	}
	m, err := newMatcher(name, op, value)
	if err != nil {
		return "", fmt.Errorf("%s%s%s: %w", name, op, quote(value), err)
	}
	s.matchers = append(s.matchers, m)
	return rest, nil
}

// labelName reads what may be the name of a label. If input begins with a quote, it is all that the
// quotes hold; else it ends where Alertmanager would have begun to quote. An address is no name.
func labelName(input string) (name, rest string, quoted bool, err error) {
	if strings.HasPrefix(input, `"`) {
		name, rest, err = unquote(input)
		return name, rest, true, err
	}
	n := strings.IndexFunc(input, func(c rune) bool {
		return unicode.IsSpace(c) || strings.ContainsRune("{}!=~,\\\"'`", c)
	})
	if n < 0 {
		n = len(input)
	}
	if strings.Contains(input[:n], "://") {
		return "", input, false, nil
	}
	return input[:n], input[n:], false, nil
}

// operator reads an operator, which may stand between spaces.
func operator(input string) (op, rest string, found bool) {
	input = strings.TrimLeft(input, " ")
	for _, op := range [...]string{"=~", "!~", "!=", "="} {
		if rest, found := strings.CutPrefix(input, op); found {
			return op, rest, true
		}
	}
	return "", "", false
}

func newMatcher(name, op, value string) (*matcher.Matcher, error) {
	switch op {
	case "=~":
		return matcher.New(matcher.Regexp, name, value)
	case "!~":
		return matcher.New(matcher.NotRegexp, name, value)
	case "!=":
		return matcher.New(matcher.NotEqual, name, value)
	default:
		return matcher.New(matcher.Equal, name, value)
	}
}

func bare(input string) (word, rest string) {
	n := strings.IndexFunc(input, isSeparator)
	if n < 0 {
		return input, ""
	}
	return input[:n], input[n:]
}

func isSeparator(c rune) bool { return c == ',' || unicode.IsSpace(c) }

// unquote reads a quoted string. \" \\ and \n are what they are in Alertmanager; before anything
// else a backslash is itself, so that regular expressions need no second one.
func unquote(input string) (text, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(input); i++ {
		switch c := input[i]; {
		case c == '"':
			return b.String(), input[i+1:], nil
		case c == '\\' && i+1 < len(input) && (input[i+1] == '"' || input[i+1] == '\\'):
			i++
			b.WriteByte(input[i])
		case c == '\\' && i+1 < len(input) && input[i+1] == 'n':
			i++
			b.WriteByte('\n')
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("the quote is not closed: %s", clip(input, shortText))
}

// quote prints a text so that unquote reads it again.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// term prints the matcher that finds one label's value, so that parseSearch reads it again.
func term(name, value string) string {
	if plain, rest, quoted, err := labelName(name); err != nil || quoted || rest != "" || plain == "" {
		name = quote(name)
	}
	return name + "=" + quote(value)
}

// empty says that everything is found.
func (s search) empty() bool { return len(s.words) == 0 && len(s.matchers) == 0 }

func (s search) finds(a *alarm.Alert) bool {
	if !s.matchers.Matches(a.Labels) {
		return false
	}
	for _, w := range s.words {
		if !holds(a.Labels, w) && !holds(a.Annotations, w) && !isFingerprint(a, w) {
			return false
		}
	}
	return true
}

func isFingerprint(a *alarm.Alert, word string) bool {
	return len(word) == 16 && a.Fingerprint().String() == word
}

func holds(ls model.LabelSet, word string) bool {
	for _, v := range ls {
		if containsFold(string(v), word) {
			return true
		}
	}
	return false
}
