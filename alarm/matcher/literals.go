package matcher

import (
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// maxLiterals bounds under how many label values a regular expression is filed.
const maxLiterals = 128

// literals returns the label values that satisfy the matcher, sorted, if these are few and an
// absent label is not among them; otherwise nil.
func literals(m *Matcher) []string {
	var all []string
	switch m.Type {
	case Equal:
		all = []string{m.Value}
	case Regexp:
		all = alternatives(m.Value)
	}
	if slices.Contains(all, "") {
		return nil
	}
	return all
}

// alternatives returns the strings that a regular expression stands for when it is anchored as in a
// matcher, or nil if they are many or endless.
func alternatives(pattern string) []string {
	re := anchored(pattern)
	if re == nil {
		return nil
	}
	all, ok := expand(re)
	if !ok {
		return nil
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// expand returns the strings that a part of a regular expression stands for. It is false if it
// knows no such list, or only one that is too long.
func expand(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 || slices.ContainsFunc(re.Rune, odd) {
			return nil, false
		}
		return []string{string(re.Rune)}, true
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpCapture:
		return expand(re.Sub[0])
	case syntax.OpQuest:
		all, ok := expand(re.Sub[0])
		return append(all, ""), ok
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			some, ok := expand(sub)
			if all = append(all, some...); !ok || len(all) > maxLiterals {
				return nil, false
			}
		}
		return all, true
	case syntax.OpConcat:
		return product(re.Sub)
	default:
		return nil, false
	}
}

// odd says that a rune is not the text that it is printed as: RuneError also matches any byte that is not
// UTF-8, and a surrogate matches nothing.
func odd(r rune) bool { return r == utf8.RuneError || !utf8.ValidRune(r) }

func class(ranges []rune) ([]string, bool) {
	var all []string
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if all = append(all, string(r)); odd(r) || len(all) > maxLiterals {
				return nil, false
			}
		}
	}
	return all, true
}

func product(parts []*syntax.Regexp) ([]string, bool) {
	all := []string{""}
	for _, part := range parts {
		some, ok := expand(part)
		if !ok || len(all)*len(some) > maxLiterals {
			return nil, false
		}
		longer := make([]string, 0, len(all)*len(some))
		for _, head := range all {
			for _, tail := range some {
				longer = append(longer, head+tail)
			}
		}
		all = longer
	}
	return all, true
}
