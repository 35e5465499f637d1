package matcher_test

import (
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/matcher"
)

var seeds = []string{
	``, `{}`, `{a="b"}`, `a=b,c!=d`, `{foo=bar,bar=~[a-zA-Z]+,baz!=qux,qux!~[0-9]+`, `"strange name"="b"`, `"{"=~"\\d+"`,
	`foo=bar}}`, `a="\\n"`, "a=\"\t\"", `a="\""`, `a=\`, `a=~"(?i)x|y|"`, `☃="☃"`, `a="b",a="b"`, `""="x"`, "\"a\x00\"=b", "a=\xff",
}

// FuzzParse wants that nothing panics, and that what is printed can be read again.
func FuzzParse(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		if one, err := matcher.ParseOne(input); err == nil {
			again, err := matcher.ParseOne(one.String())
			require.NoError(t, err, one.String())
			assert.Equal(t, one, again)
		}
		ms, err := matcher.Parse(input)
		if err != nil {
			assert.Nil(t, ms)
			return
		}
		again, err := matcher.Parse(ms.String())
		require.NoError(t, err, ms.String())
		assert.Equal(t, ms.String(), again.String())
		require.Len(t, again, len(ms))
		for i := range ms {
			assert.Equal(t, ms[i], again[i])
		}
	})
}

// FuzzIndexRegexp wants that a value is found by a regular expression exactly if it matches.
func FuzzIndexRegexp(f *testing.F) {
	for _, pattern := range []string{
		`a|b|c`, `TargetDown|TargetUp`, `a`, ``, `a|`, `a)|(b`, `a$|b`, `(?i)a|k`, `[a-c]x?`, `a{2}`, `a.c`, `\x{fffd}`,
		`.*a|b`, `a.*`, `.*`, `.*.*`, `.*?a.*|x`, `(?s).*b`, `(?s:.*)b|.*c`, `a(.*)`, `(.*a|b.*)`, `.+a`, `a.*b`, `.*(a|b)c.*`, `.*(?i)a`,
		`[\x{d800}-\x{d801}]`, `[^a]`, `(?m)^a$`, `a|a|(a)`, `\Qa.b\E|c`, `x)(?:y`, `(?P<n>a|b)c`, `a*`, `[[:^ascii:]]`,
	} {
		f.Add(pattern, strings.SplitN(pattern, "|", 2)[0])
		f.Add(pattern, "a")
	}
	for _, value := range []string{"xa", "ax", "a\n", "\na", "x\nb", "b\xffa", "xacy"} {
		f.Add(`.*a|b`, value)
		f.Add(`(?s).*b`, value)
		f.Add(`a.*|.*(a|b)c.*`, value)
	}
	f.Add(`\x{fffd}`, "\xff")
	f.Add(`[\x{d800}-\x{d801}]`, "\ufffd")
	f.Add(`(?i)k`, "\u212a")
	f.Fuzz(func(t *testing.T, pattern, value string) {
		m, err := matcher.New(matcher.Regexp, "name", pattern)
		if err != nil {
			t.Skip()
		}
		var x matcher.Index[string]
		x.Add(matcher.Matchers{m}, "it")
		want := 0
		if m.Matches(value) {
			want = 1
		}
		n := 0
		for range x.Matching(model.LabelSet{"name": model.LabelValue(value)}) {
			n++
		}
		assert.Equal(t, want, n)
		n = 0
		for range x.Matching(nil) {
			n++
		}
		assert.Equal(t, m.Matches(""), n == 1)

		not, err := matcher.New(matcher.NotRegexp, "name", pattern)
		require.NoError(t, err)
		x.Add(matcher.Matchers{not}, "it")
		n = 0
		for range x.Matching(model.LabelSet{"name": model.LabelValue(value)}) {
			n++
		}
		assert.Equal(t, want == 0, n == 1)
	})
}
