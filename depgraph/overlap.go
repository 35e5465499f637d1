package depgraph

import (
	"regexp/syntax"
	"unicode"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// disjoint says that surely no alert matches both. What it cannot tell may match.
func disjoint(a, b matcher.Matchers) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Name == y.Name && contradict(x, y) {
				return true
			}
		}
	}
	return false
}

// contradict says that surely no value satisfies both matchers of one label.
func contradict(x, y *matcher.Matcher) bool {
	switch {
	case x.Type == matcher.Equal:
		return !y.Matches(x.Value)
	case y.Type == matcher.Equal:
		return !x.Matches(y.Value)
	case x.Type == matcher.Regexp && y.Type == matcher.Regexp:
		return !meet(x.Value, y.Value)
	case x.Type == matcher.Regexp && y.Type == matcher.NotRegexp, x.Type == matcher.NotRegexp && y.Type == matcher.Regexp:
		return x.Value == y.Value
	}
	return false
}

// meetAtMost bounds how many pairs of states are tried.
const meetAtMost = 1 << 18

// meet says whether some text may satisfy two anchored regular expressions: both automata are run at
// once, over all texts. Assertions such as \b count as satisfied, so that it errs towards yes.
func meet(a, b string) bool {
	p, q := compile(a), compile(b)
	if p == nil || q == nil {
		return true
	}
	type pair struct{ p, q uint32 }
	first := pair{uint32(p.Start), uint32(q.Start)}
	seen := map[pair]bool{first: true}
	queue := []pair{first}
	push := func(at pair) {
		if !seen[at] {
			seen[at] = true
			queue = append(queue, at)
		}
	}
	for len(queue) > 0 {
		if len(seen) > meetAtMost {
			return true
		}
		at := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		x, y := &p.Inst[at.p], &q.Inst[at.q]
		if next, free := freely(x); free {
			for _, n := range next {
				push(pair{n, at.q})
			}
			continue
		}
		if next, free := freely(y); free {
			for _, n := range next {
				push(pair{at.p, n})
			}
			continue
		}
		switch {
		case x.Op == syntax.InstMatch && y.Op == syntax.InstMatch:
			return true
		case x.Op == syntax.InstMatch || y.Op == syntax.InstMatch || x.Op == syntax.InstFail || y.Op == syntax.InstFail:
		case shareRune(runes(x), runes(y)):
			push(pair{x.Out, y.Out})
		}
	}
	return false
}

func compile(expr string) *syntax.Prog {
	re, err := syntax.Parse("(?s:"+expr+")", syntax.Perl)
	if err != nil {
		return nil
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil
	}
	return prog
}

// freely returns where an instruction leads that takes no text.
func freely(i *syntax.Inst) (next []uint32, free bool) {
	switch i.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		return []uint32{i.Out, i.Arg}, true
	case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
		return []uint32{i.Out}, true
	}
	return nil, false
}

// runes returns what an instruction takes, as pairs of a first and a last rune.
func runes(i *syntax.Inst) []rune {
	switch i.Op {
	case syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return []rune{0, unicode.MaxRune}
	}
	if len(i.Rune) == 1 {
		pairs := []rune{i.Rune[0], i.Rune[0]}
		if syntax.Flags(i.Arg)&syntax.FoldCase != 0 {
			for r := unicode.SimpleFold(i.Rune[0]); r != i.Rune[0]; r = unicode.SimpleFold(r) {
				pairs = append(pairs, r, r)
			}
		}
		return pairs
	}
	return i.Rune
}

func shareRune(a, b []rune) bool {
	for i := 0; i+1 < len(a); i += 2 {
		for k := 0; k+1 < len(b); k += 2 {
			if a[i] <= b[k+1] && b[k] <= a[i+1] {
				return true
			}
		}
	}
	return false
}
