package web

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/matcher"
)

func TestParseSearch(t *testing.T) {
	for input, want := range map[string]struct {
		words    []string
		matchers string
	}{
		"":                                    {nil, "{}"},
		"  , ":                                {nil, "{}"},
		"disk Full":                           {[]string{"disk", "full"}, "{}"},
		`"Disk Full" db`:                      {[]string{"disk full", "db"}, "{}"},
		`severity="critical"`:                 {nil, `{severity="critical"}`},
		`{severity="critical", team!="db"}`:   {nil, `{severity="critical",team!="db"}`},
		`severity=critical,team=~db|web node`: {[]string{"node"}, `{severity="critical",team=~"db|web"}`},
		`instance =~ "db-\d+" x`:              {[]string{"x"}, `{instance=~"db-\\d+"}`},
		`a!~b`:                                {nil, `{a!~"b"}`},
		`"a label"="x"`:                       {nil, `{"a label"="x"}`},
		`k8s.pod="x"`:                         {nil, `{k8s.pod="x"}`},
		`a="say \"hi\" \\ "`:                  {nil, `{a="say \"hi\" \\ "}`},
		`a=`:                                  {nil, `{a=""}`},
		`http://x/?a=b`:                       {[]string{"http://x/?a=b"}, "{}"},
		`= 50%`:                               {[]string{"=", "50%"}, "{}"},
		`{`:                                   {[]string{"{"}, "{}"},
		`шум=да`:                              {nil, `{шум="да"}`},
	} {
		s, err := parseSearch(input)
		require.NoError(t, err, input)
		assert.Equal(t, want.words, s.words, input)
		assert.Equal(t, want.matchers, s.matchers.String(), input)
	}
}

func TestParseSearchRefuses(t *testing.T) {
	for input, want := range map[string]string{
		`a="b`:                    `the quote is not closed: "b`,
		`"`:                       `the quote is not closed: "`,
		`a=~"("`:                  `a=~"(": error parsing regexp`,
		"\xff":                    `the search is not valid UTF-8`,
		strings.Repeat("a", 2001): `the search is longer than 2000 characters`,
		`ok="1" broken=~"[a`:      `the quote is not closed: "[a`,
	} {
		_, err := parseSearch(input)
		assert.ErrorContains(t, err, want, "%.40q", input)
	}
}

// What the pages, and Alertmanager, print as a matcher is read back as that matcher.
func FuzzSearch(f *testing.F) {
	f.Add(`severity="critical" db`, "pod", "cart-1")
	f.Add(`{a=~"x|y", b!="c"}`, "a label", "say \"hi\"\n\\d")
	f.Add(`"a`, "k8s.io/name", "{}")
	f.Fuzz(func(t *testing.T, input, name, value string) {
		_, _ = parseSearch(input) // must not panic

		ls := model.LabelSet{model.LabelName(name): model.LabelValue(value)}
		if name == "" || !utf8.ValidString(name) || !utf8.ValidString(value) || len(name)+len(value) > 900 {
			return
		}
		want := matcher.FromLabels(ls)
		for _, printed := range []string{term(name, value), "x " + term(name, value) + ", y"} {
			s, err := parseSearch(printed)
			require.NoError(t, err, printed)
			require.Len(t, s.matchers, 1, printed)
			assert.Equal(t, *want[0], *s.matchers[0], printed)
			assert.True(t, s.matchers.Matches(ls))
		}
		if strconv.Quote(name+value) != quote(name+value) {
			return // Alertmanager prints \x17, beside a quoted name
		}
		s, err := parseSearch(want.String())
		require.NoError(t, err, want)
		require.Len(t, s.matchers, 1, want)
		assert.Equal(t, *want[0], *s.matchers[0], want)
	})
}

func TestSearchFindsByFingerprint(t *testing.T) {
	a := firing(model.LabelSet{"alertname": "X"}, nil, 0).Alert
	s, err := parseSearch(a.Fingerprint().String())
	require.NoError(t, err)
	assert.True(t, s.finds(a))
	assert.False(t, s.finds(firing(model.LabelSet{"alertname": "Y"}, nil, 0).Alert))
}

func TestQueryLinkReadsAsItself(t *testing.T) {
	for _, q := range []query{
		{Page: 1},
		{Text: `a="b c" "d`, Receiver: "r&x=1", State: stateWithheld, Page: 7},
	} {
		link := q.link("./")
		again := parseQuery(mustQuery(t, link))
		again.search, again.Err = search{}, nil
		assert.Equal(t, q, again, link)
	}
	assert.Equal(t, `{a="b"} c="d"`, query{Text: `{a="b"} c="d"`}.withTerm(`c="d"`).Text, "a term is added once")
	assert.Equal(t, `a="b" c="d"`, query{Text: `{a="b"}`}.withTerm(`c="d"`).Text)
}
