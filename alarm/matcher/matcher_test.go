package matcher_test

import (
	"bytes"
	"log/slog"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// use switches the process to a mode, and back to the default when the test ends.
func use(t *testing.T, mode matcher.Mode) *bytes.Buffer {
	t.Helper()
	var log bytes.Buffer
	matcher.Use(slog.New(slog.NewTextHandler(&log, nil)), mode)
	t.Cleanup(func() { matcher.Use(slog.New(slog.DiscardHandler), matcher.Mode{}) })
	return &log
}

func TestParse(t *testing.T) {
	for _, tc := range []struct{ input, want, err string }{
		{input: `alertname="Down"`, want: `{alertname="Down"}`},
		{input: `{alertname = "Down" , cluster =~ 'eu'}`, want: `{alertname="Down",cluster=~"'eu'"}`},
		{input: `{a!="b",c!~"d|e",}`, want: `{a!="b",c!~"d|e"}`},
		{input: `a=b`, want: `{a="b"}`},
		{input: `"strange name"="b"`, want: `{"strange name"="b"}`},
		{input: `naïve="☃"`, want: `{naïve="☃"}`},
		{input: `foo=bar}}`, want: `{foo="bar}"}`}, // the classic syntax
		{input: ``, want: `{}`},
		{input: `{}`, want: `{}`},
		{input: `a`, err: `bad matcher format: a`},
		{input: `{,}`, err: `bad matcher format: `},
		{input: `a=~"["`, err: "error parsing regexp: missing closing ]: `[)$`"},
		{input: "a=\xff", err: `matchers are not valid UTF-8: "a=\xff"`},
		{input: `""="b"`, err: `empty label name: ""="b"`},
	} {
		t.Run(tc.input, func(t *testing.T) {
			ms, err := matcher.Parse(tc.input)
			if tc.err != "" {
				require.EqualError(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, ms.String())
		})
	}
}

func TestParseOne(t *testing.T) {
	m, err := matcher.ParseOne(`team=~"db|web"`)
	require.NoError(t, err)
	assert.Equal(t, `team=~"db|web"`, m.String())

	for _, input := range []string{``, `{a="b"}`, `a="b",c="d"`, `a`} {
		_, err := matcher.ParseOne(input)
		assert.Error(t, err, input)
	}
}

func TestMustParsePanics(t *testing.T) {
	assert.PanicsWithValue(t, "matcher: a: bad matcher format: a", func() { matcher.MustParse("a") })
}

// TestCompliance reads the same inputs with Alertmanager's parsers, in each mode.
func TestCompliance(t *testing.T) {
	inputs := append([]string{
		`{foo='}`, "{foo=`}", `{foo=\n}`, `{foo=bar\t}`, `{foo=bar\\}`, `{foo=\"}`, `{foo=}b`,
		`tricky=~~~`, `trickier==\\=\=\"`, `job=`, `{foo=,bar=}}`, `{{foo=`, `"foo=\"bar"`, `job="value`, `=`, `"a"`,
		`{quote="She said: \"Hi, ladies! That's gender-neutral…\""}`, `{name-with-dashes = "bar"}`,
		`foo="bar\u00e9"`, `foo="\x41"`, `foo=ba"r`, `foo=bar,,baz=qux`, `{foo=bar`, `foo=bar}`,
	}, seeds...)
	discard := slog.New(slog.DiscardHandler)
	for _, mode := range []struct {
		name string
		mode matcher.Mode
		all  compat.ParseMatchers
		one  compat.ParseMatcher
	}{
		{name: "fallback", all: compat.FallbackMatchersParser(discard), one: compat.FallbackMatcherParser(discard)},
		{
			name: "classic", mode: matcher.Mode{Classic: true},
			all: compat.ClassicMatchersParser(discard), one: compat.ClassicMatcherParser(discard),
		},
		{
			name: "utf8", mode: matcher.Mode{UTF8Strict: true},
			all: func(in, _ string) (labels.Matchers, error) { return parse.Matchers(in) },
			one: compat.UTF8MatcherParser(discard),
		},
	} {
		t.Run(mode.name, func(t *testing.T) {
			use(t, mode.mode)
			for _, input := range inputs {
				if input == `""="x"` || !utf8.ValidString(input) {
					continue // we refuse them
				}
				want, wantErr := mode.all(input, "")
				got, err := matcher.Parse(input)
				assert.Equal(t, wantErr, err, input)
				assert.Equal(t, matcher.Matchers(want), got, input)

				wantOne, wantErr := mode.one(input, "")
				gotOne, err := matcher.ParseOne(input)
				assert.Equal(t, wantErr, err, input)
				assert.Equal(t, wantOne, gotOne, input)
			}
		})
	}
}

// TestUse has an input for each pair of modes that tells them apart.
func TestUse(t *testing.T) {
	for _, tc := range []struct {
		name               string
		mode               matcher.Mode
		quoted, unbalanced bool // whether "strange name"=b, and a=b}}, can be read
		warns, strange     bool
	}{
		{name: "default", quoted: true, unbalanced: true, warns: true, strange: true},
		{name: "classic", mode: matcher.Mode{Classic: true}, unbalanced: true},
		{name: "utf8", mode: matcher.Mode{UTF8Strict: true}, quoted: true, strange: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log := use(t, tc.mode)
			_, err := matcher.Parse(`"strange name"=b`)
			assert.Equal(t, tc.quoted, err == nil)
			_, err = matcher.Parse(`a=b}}`)
			assert.Equal(t, tc.unbalanced, err == nil)
			assert.Equal(t, tc.warns, bytes.Contains(log.Bytes(), []byte("incompatible")), log)
			assert.Equal(t, tc.strange, matcher.ValidName("strange name"))
		})
	}
}

func TestUseWithoutLogger(t *testing.T) {
	matcher.Use(nil, matcher.Mode{})
	_, err := matcher.Parse(`a=b}}`)
	assert.NoError(t, err)
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{"alertname": true, "a:b": true, "naïve": true, "0": true, "": false, "\xff": false} {
		assert.Equal(t, want, matcher.ValidName(name), "%q", name)
	}
	use(t, matcher.Mode{Classic: true})
	for name, want := range map[string]bool{"alertname": true, "a:b": false, "naïve": false, "0": false, "": false} {
		assert.Equal(t, want, matcher.ValidName(name), "%q", name)
	}
}

func TestMatches(t *testing.T) {
	down := model.LabelSet{"alertname": "Down", "cluster": "eu-1"}
	for _, tc := range []struct {
		matchers string
		want     bool
	}{
		{`{}`, true},
		{`alertname="Down"`, true},
		{`alertname="Dow"`, false},
		{`alertname=~"D.*",cluster="eu-1"`, true},
		{`alertname=~"D.*",cluster="eu-2"`, false},
		{`alertname=~"ow"`, false}, // anchored
		{`team=""`, true},          // absent is empty
		{`team!=""`, false},
		{`team!="db"`, true},
		{`team=~".*"`, true},
		{`team!~".+"`, true},
	} {
		assert.Equal(t, tc.want, matcher.MustParse(tc.matchers).Matches(down), tc.matchers)
	}
}

func TestFromLabels(t *testing.T) {
	ls := model.LabelSet{"b": "2", "a": `1"`, "c": ""}
	ms := matcher.FromLabels(ls)
	assert.Equal(t, `{a="1\"",b="2",c=""}`, ms.String())
	assert.True(t, ms.Matches(ls))
	assert.False(t, ms.Matches(model.LabelSet{"b": "2"}))
}

func TestSorted(t *testing.T) {
	ms := matcher.MustParse(`b="1",a=~"2",a="2",a="1",a!="2"`)
	assert.Equal(t, `{a="1",a="2",a!="2",a=~"2",b="1"}`, ms.Sorted().String())
	assert.Equal(t, `{b="1",a=~"2",a="2",a="1",a!="2"}`, ms.String(), "the original is as it was")
}
