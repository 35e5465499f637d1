package opsgenie

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		in    string
		limit int
		want  string
	}{
		{"", 3, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"äöüß", 4, "äöüß"},
		{"äöüßx", 4, "äöü…"},
		{"日本語テキスト", 4, "日本語…"},
		{"a\xff\xfeb", 4, "a\uFFFDb"},
		{strings.Repeat("é", 131), 130, strings.Repeat("é", 129) + "…"},
	} {
		assert.Equal(t, tc.want, cut(tc.in, tc.limit), tc.in)
	}
}

func TestCutList(t *testing.T) {
	got, shortened := cutList([]string{" a ", "", "b", "a", "toolong"}, 3, 5)
	assert.Equal(t, []string{"a", "b", "tool…"}, got)
	assert.True(t, shortened)
	got, shortened = cutList([]string{"a", "b", "c"}, 2, 5)
	assert.Equal(t, []string{"a", "b"}, got)
	assert.True(t, shortened)
	_, shortened = cutList([]string{"a", "a", ""}, 1, 5)
	assert.False(t, shortened)
}

func TestCutDetails(t *testing.T) {
	small := map[string]string{"a": "1", "b": "2"}
	got, shortened := cutDetails(small, 10)
	assert.Equal(t, small, got)
	assert.False(t, shortened)

	got, shortened = cutDetails(map[string]string{"a": strings.Repeat("x", 50), "b": "short", "c": strings.Repeat("y", 30)}, 40)
	assert.True(t, shortened)
	assert.Equal(t, map[string]string{"a": strings.Repeat("x", 15) + "…", "b": "short", "c": strings.Repeat("y", 15) + "…"}, got)

	many := map[string]string{}
	for i := range 100 {
		many[fmt.Sprintf("key%03d", i)] = "v"
	}
	got, shortened = cutDetails(many, 70)
	assert.True(t, shortened)
	assert.Len(t, got, 10)
	assert.Contains(t, got, "key000")
}

func sizeOf(details map[string]string) int {
	n := 0
	for k, v := range details {
		n += utf8.RuneCountInString(k) + utf8.RuneCountInString(v)
	}
	return n
}

func FuzzCut(f *testing.F) {
	f.Add("äöü", "abc", 5)
	f.Fuzz(func(t *testing.T, a, b string, limit int) {
		limit = max(1, min(limit, 1000))
		got := cut(a, limit)
		assert.True(t, utf8.ValidString(got))
		assert.LessOrEqual(t, utf8.RuneCountInString(got), limit)
		assert.Equal(t, got, cut(got, limit), "cutting twice is cutting once")
		details, _ := cutDetails(map[string]string{a: b, b: a, "k": a + b}, limit)
		assert.LessOrEqual(t, sizeOf(details), limit)
		items, _ := cutList([]string{a, b, a + b}, 2, limit)
		assert.LessOrEqual(t, len(items), 2)
	})
}

func TestAlias(t *testing.T) {
	assert.Equal(t, "prod/ops/abc", alias("prod", "ops", "abc"))
	assert.Equal(t, "prod/abc", alias("prod", "", "abc"), "without a receiver")
	long := alias("prod", "ops", strings.Repeat("x", 600))
	assert.Len(t, long, len("prod/sha256:")+64)
	assert.NotEqual(t, long, alias("prod", "ops", strings.Repeat("x", 601)))
	assert.Equal(t, long, alias("prod", "ops", strings.Repeat("x", 600)))
	assert.NotEqual(t, alias("prod", "ops", "\xff"), alias("prod", "ops", "\xfe"), "what is no text is hashed as bytes")

	c, err := New("key", Options{Instance: "prod", AliasKey: "old-name"})
	require.NoError(t, err)
	assert.Equal(t, "prod/old-name/abc", c.Alias(alarm.IntentionKey{Receiver: "new-name", Group: "abc"}))

	// Alertmanager's own: the SHA-256 of "x", as its notify.Key.Hash gives it.
	assert.Equal(t, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", AlertmanagerAlias("x"))
	assert.True(t, isAlertmanagerAlias(AlertmanagerAlias("x")))
	assert.False(t, isAlertmanagerAlias("prod/ops/abc"))
}

func TestWordsOf(t *testing.T) {
	for in, want := range map[string]string{
		"93.5 % of 1,024 GB": "0 % of 0 GB",
		"no numbers":         "no numbers",
		"db1 and db22.":      "db0 and db0",
		"":                   "",
	} {
		assert.Equal(t, want, wordsOf(in))
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := New("key\n", Options{
		URL: "api.opsgenie.com", Instance: "a/b", Tag: strings.Repeat("x", 51),
		Operations: Operations{TeamID: "t"}, Backend: JiraServiceManagement,
	})
	require.Error(t, err)
	for _, part := range []string{"control character", "is not an address", "no slash", "at most 50", "cloud id is missing"} {
		assert.ErrorContains(t, err, part)
	}
	_, err = New("", Options{})
	assert.ErrorContains(t, err, "the key is empty")
	_, err = New("key", Options{Content: Content{
		Message: "{{ .Nothing }}", Description: "{{ if }}", Responders: []Responder{{Type: "crowd"}},
		Details: map[string]string{"x": "{{ nothing }}"},
	}})
	for _, part := range []string{"message:", "description:", `type "crowd"`, "details.x"} {
		assert.ErrorContains(t, err, part)
	}
}
