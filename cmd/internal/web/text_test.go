package web

import (
	"math"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func mustQuery(t *testing.T, link string) url.Values {
	u, err := url.Parse(link)
	require.NoError(t, err)
	return u.Query()
}

func TestClip(t *testing.T) {
	for _, tc := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "abc…"},
		{"äöü", 3, "äöü"},
		{"äöüß", 3, "äöü…"},
		{"a\tb\nc", 9, "a\tb\nc"},
		{"a\u202eb\u2066\u0007", 99, `a\u202eb\u2066\u0007`},
		{"\u05e9\u200f", 9, "\u05e9\u200f"},
		{"a\xffb", 9, "a\ufffdb"},
	} {
		assert.Equal(t, tc.want, clip(tc.in, tc.limit), "%q", tc.in)
	}
}

func TestWebLink(t *testing.T) {
	for in, want := range map[string]bool{
		"http://a": true, "https://a.example/x?y=<z>#w": true, "HTTPS://a": true,
		"": false, "http://": false, "https:///x": false, "//a": false, "ftp://a": false, "javascript:alert(1)": false,
		" http://a": false, "http:a": false, "see http://a": false, "http://a\nb": false, "java\nscript:x": false,
		"http://a/" + strings.Repeat("x", linkText): false,
	} {
		assert.Equal(t, want, webLink(in) != "", "%.40q", in)
	}
}

func FuzzContainsFold(f *testing.F) {
	f.Add("The Disk is FULL", "full")
	f.Add("ÄRGER", "ärger")
	f.Add("aab", "ab")
	f.Fuzz(func(t *testing.T, s, word string) {
		word = strings.ToLower(word)
		if isASCII(s) {
			assert.Equal(t, strings.Contains(strings.ToLower(s), word), containsFold(s, word))
		}
		if strings.Contains(s, word) && strings.ToLower(s) == s {
			assert.True(t, containsFold(s, word))
		}
	})
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "<1 min", 59 * time.Second: "<1 min", time.Minute: "1 min", 59*time.Minute + 59*time.Second: "59 min",
		time.Hour: "1 h", 2*time.Hour + 5*time.Minute: "2 h 5 min", 24 * time.Hour: "1 d", 51 * time.Hour: "2 d 3 h",
		400 * time.Hour: "16 d", -time.Minute: "1 min",
	} {
		assert.Equal(t, want, age(d), d)
	}
	assert.Equal(t, "in 1 min", ago(now, now.Add(time.Minute)))
	assert.Equal(t, "1 min ago", ago(now, now.Add(-time.Minute)))
	assert.Equal(t, when{}, makeWhen(now, time.Time{}))
}

func TestSeverities(t *testing.T) {
	s := newSeverityScale("", nil)
	order := []string{"critical", "", "error", "warning", "info", "none"}
	tones := []tone{toneHigh, tonePlain, toneMid, toneMid, toneLow, toneLow}
	for i, v := range order {
		rank := s.rank(model.LabelSet{"severity": model.LabelValue(v)})
		assert.Equal(t, tones[i], s.tone(rank), v)
		if i > 0 {
			assert.Less(t, s.rank(model.LabelSet{"severity": model.LabelValue(order[i-1])}), rank, v)
		}
	}
	s = newSeverityScale("prio", []string{"P1", "P2", "P3"})
	assert.Equal(t, toneHigh, s.tone(s.rank(model.LabelSet{"prio": "P1", "severity": "info"})))
	assert.Equal(t, toneMid, s.tone(s.rank(model.LabelSet{"prio": "P2"})))
	assert.Equal(t, toneLow, s.tone(s.rank(model.LabelSet{"prio": "P3"})))
}

// Each text stands out from its ground by 4.5 to 1, and each border of a field by 3 to 1, in light
// and in dark (WCAG 2.2, 1.4.3 and 1.4.11).
func TestColoursContrast(t *testing.T) {
	css, err := os.ReadFile("static/tocsin.css")
	require.NoError(t, err)
	blocks := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(css), -1)
	require.Len(t, blocks, 2, "light and dark")
	for i, block := range blocks {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(block[1], -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		check := func(text, ground string, least float64) {
			require.Contains(t, colours, text)
			require.Contains(t, colours, ground)
			hi, lo := max(colours[text], colours[ground]), min(colours[text], colours[ground])
			ratio := (hi + 0.05) / (lo + 0.05)
			assert.GreaterOrEqual(t, ratio, least, "%s on %s, block %d", text, ground, i)
		}
		for _, ground := range []string{"ground", "card", "chip"} {
			for _, text := range []string{"ink", "soft", "link"} {
				check(text, ground, 4.5)
			}
			check("focus", ground, 3)
		}
		for _, ground := range []string{"high", "mid", "low", "plain", "warn"} {
			check("on-"+ground, ground, 4.5)
		}
		for _, edge := range []string{"edge-high", "edge-plain"} {
			check(edge, "card", 2.5) // decoration: the severity is a word too
		}
		check("soft", "card", 3)
	}
}

// luminance is WCAG's relative luminance of an sRGB colour.
func luminance(t *testing.T, hex string) float64 {
	l := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		require.NoError(t, err)
		c := float64(v) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += weight * c
	}
	return l
}
