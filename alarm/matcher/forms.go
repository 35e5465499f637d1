package matcher

import (
	"regexp/syntax"
	"strings"

	"github.com/prometheus/common/model"
)

// A form is what most regular expressions of alerts are made of: a text that is all of a value, or its
// beginning or end, or within it. .*Latency|Errors is two forms, and each is tested faster than the whole.
type form struct {
	text          string
	before, after bool // whether something else may stand there, but for a line break
}

func (f *form) matches(value string) bool {
	switch {
	case f.before && f.after:
		return strings.Contains(value, f.text)
	case f.before:
		return strings.HasSuffix(value, f.text)
	case f.after:
		return strings.HasPrefix(value, f.text)
	default:
		return value == f.text
	}
}

// A test is a matcher, and the forms of its regular expression if it consists of forms.
type test struct {
	*Matcher
	forms []form
}

func newTest(m *Matcher) test {
	if m.Type == Regexp || m.Type == NotRegexp {
		return test{m, forms(m.Value)}
	}
	return test{m, nil}
}

func (t *test) matches(ls model.LabelSet) bool {
	value := string(ls[model.LabelName(t.Name)])
	if t.forms == nil || strings.IndexByte(value, '\n') >= 0 {
		return t.Matches(value)
	}
	for i := range t.forms {
		if t.forms[i].matches(value) {
			return t.Type == Regexp
		}
	}
	return t.Type == NotRegexp
}

// forms returns the forms of a regular expression that is anchored as in a matcher, or nil if it has parts of
// another kind.
func forms(pattern string) []form {
	re := anchored(pattern)
	if re == nil {
		return nil
	}
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	alternatives := []*syntax.Regexp{re}
	if re.Op == syntax.OpAlternate {
		alternatives = re.Sub
	}
	var all []form
	for _, re := range alternatives {
		some := formsOf(re)
		if all = append(all, some...); some == nil || len(all) > maxLiterals {
			return nil
		}
	}
	return all
}

// formsOf returns the forms of a part that is no alternative: anything, a text or one of some, anything.
func formsOf(re *syntax.Regexp) []form {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	var f form
	if len(parts) > 0 && anything(parts[0]) {
		f.before, parts = true, parts[1:]
	}
	if len(parts) > 0 && anything(parts[len(parts)-1]) {
		f.after, parts = true, parts[:len(parts)-1]
	}
	f.after = f.after || f.before && len(parts) == 0 // .* alone
	texts, ok := product(parts)
	if !ok {
		return nil
	}
	var all []form
	for _, text := range texts {
		all = append(all, form{text, f.before, f.after})
	}
	return all
}

// anything says whether a part is .*, which a line break ends or does not end.
func anything(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar && (re.Sub[0].Op == syntax.OpAnyCharNotNL || re.Sub[0].Op == syntax.OpAnyChar)
}

// anchored returns what a regular expression is made of between the anchors of a matcher, or nil. It is
// the whole of what is compiled that is looked at, since a)|(b is a valid matcher, too.
func anchored(pattern string) *syntax.Regexp {
	re, err := syntax.Parse("^(?:"+pattern+")$", syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat {
		return nil
	}
	last := len(re.Sub) - 1
	if re.Sub[0].Op != syntax.OpBeginText || re.Sub[last].Op != syntax.OpEndText {
		return nil
	}
	if last == 2 {
		return re.Sub[1]
	}
	return &syntax.Regexp{Op: syntax.OpConcat, Sub: re.Sub[1:last]}
}
