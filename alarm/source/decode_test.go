package source

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

var testLimits = limits{labels: 20, labelBytes: 1000, alertBytes: 2000}

func TestFastDecodes(t *testing.T) {
	labels := model.LabelSet{"alertname": "A", "cluster": "é1"}
	tests := map[string]struct {
		body string
		want []alarm.Alert
	}{
		"nothing": {`[]`, nil},
		"labels only": {
			`[{"labels":{"alertname":"A","cluster":"é1"}}]`,
			[]alarm.Alert{{Labels: labels, Annotations: model.LabelSet{}}},
		},
		"everything, in another order, with white space and what follows": {
			" [ {\"generatorURL\" : \"http://x/?a=1\\u0026b=2\" ,\n\"endsAt\":\"2026-11-21T07:42:13.948455639Z\",\t\"annotations\":{\"s\":\"a \\\"b\\\" \\\\\"}," +
				"\"startsAt\":\"2026-11-21T09:41:50+02:00\",\"labels\":{ \"alertname\":\"A\", \"cluster\":\"\\u00e91\", \"none\":\"\" } } ] what follows",
			[]alarm.Alert{{
				Labels: labels, Annotations: model.LabelSet{"s": `a "b" \`}, GeneratorURL: "http://x/?a=1&b=2",
				StartsAt: time.Date(2026, 11, 21, 7, 41, 50, 0, time.UTC),
				EndsAt:   time.Date(2026, 11, 21, 7, 42, 13, 948455639, time.UTC),
			}},
		},
		"a name twice, as old vmalert writes it": {
			`[{"labels":{"alertname":"B","cluster":"é1","alertname":"A"}}]`,
			[]alarm.Alert{{Labels: labels, Annotations: model.LabelSet{}}},
		},
		"bytes that are no UTF-8, and half a surrogate": {
			"[{\"labels\":{\"a\":\"\xff\",\"b\":\"\\ud800\"}}]",
			[]alarm.Alert{{Labels: model.LabelSet{"a": "\ufffd", "b": "\ufffd"}, Annotations: model.LabelSet{}}},
		},
		"unset times": {
			`[{"labels":{"alertname":"A","cluster":"é1"},"startsAt":"0001-01-01T00:00:00.000Z","endsAt":"0001-01-01T00:00:00.000Z"}]`,
			[]alarm.Alert{{Labels: labels, Annotations: model.LabelSet{}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDecoder(testLimits, 100)
			for _, known := range []int{0, len(tt.want)} {
				got, ok := d.fast(time.Now(), []byte(tt.body))
				require.True(t, ok)
				for i, a := range tt.want {
					tt.want[i] = a.WithFingerprint()
				}
				assert.ElementsMatch(t, tt.want, got.alerts)
				assert.Nil(t, got.errs)
				assert.Equal(t, known, got.known)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		body string
		code int
		says string
	}{
		{``, CodeRequired, "alerts in body is required"},
		{`  `, CodeRequired, "alerts in body is required"},
		{`{}`, CodeMalformed, "cannot unmarshal object"},
		{`[`, CodeMalformed, "unexpected EOF"},
		{`[{"labels":{"a":"b"}`, CodeMalformed, "unexpected EOF"},
		{`[{"labels":{"a":"b"}},]`, CodeMalformed, "invalid character ']'"},
		{`[{"labels":{"a":"b}]`, CodeMalformed, "unexpected EOF"},
		{`[{"labels":{"a":"b\"}]`, CodeMalformed, "unexpected EOF"},
		{`[{"labels":{"a":"b","c"}}]`, CodeMalformed, "invalid character '}'"},
		{`[{"labels":{"a":"b",}}]`, CodeMalformed, "invalid character '}'"},
		{"[{\"labels\":{\"a\":\"\x01\"}}]", CodeMalformed, `'\x01' in string literal`},
		{`[{"labels":{"a":"\x"}}]`, CodeMalformed, "invalid character 'x'"},
		{`[{"labels":{"a":1}}]`, CodeMalformed, "cannot unmarshal number"},
		{`[{"labels":{"a":{"b":"c"}}}]`, CodeMalformed, "cannot unmarshal object"},
		{`[{"labels":["a"]}]`, CodeMalformed, "cannot unmarshal array"},
		{`[{"labels":{"a":"b"},"startsAt":"yesterday"}]`, CodeMalformed, `parsing time "yesterday"`},
		{`[{"labels":{"a":"b"},"startsAt":5}]`, CodeMalformed, "cannot unmarshal number"},
		{strings.Repeat("[", 20_000), CodeMalformed, "exceeded max depth"},
		{`[{}]`, CodeRequired, "0.labels in body is required"},
		{`[null]`, CodeRequired, "0.labels in body is required"},
		{`[{"labels":{"a":"b"}},{"labels":null}]`, CodeRequired, "1.labels in body is required"},
		{`[{"labels":{"a":"b"},"generatorURL":"nope"}]`, CodeFormat, `0.generatorURL in body must be of type uri: "nope"`},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			_, err := newDecoder(testLimits, 100).decode(time.Now(), []byte(tt.body))
			var refused *BodyError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, tt.code, refused.Code())
			assert.ErrorContains(t, err, tt.says)
		})
	}
}

func TestDecodeNamesWhatIsInvalid(t *testing.T) {
	many := make(map[string]string, 21)
	for i := range 21 {
		many[fmt.Sprintf("l%d", i)] = "v"
	}
	tests := []struct {
		labels, annotations map[string]string
		want                string
	}{
		{map[string]string{"a": ""}, nil, "at least one label pair required"},
		{map[string]string{"": "b"}, nil, `invalid label set: invalid name ""`},
		{map[string]string{"a": "b"}, map[string]string{"": "c"}, `invalid annotations: invalid name ""`},
		{many, nil, `alert "" has 21 labels, more than the limit of 20`},
		{map[string]string{"alertname": "X"}, many, `alert "X" has 21 annotations, more than the limit of 20`},
		{map[string]string{"a": strings.Repeat("b", 1000)}, nil, `alert "" has 1001 bytes of labels, more than the limit of 1000`},
		{map[string]string{"a": "b"}, map[string]string{"s": strings.Repeat("b", 2000)}, `alert "" has 2003 bytes, more than the limit of 2000`},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			good := map[string]any{"labels": map[string]string{"alertname": "Good"}}
			body, err := json.Marshal([]any{good, map[string]any{"labels": tt.labels, "annotations": tt.annotations}, good})
			require.NoError(t, err)
			if tt.annotations == nil {
				body = []byte(strings.Replace(string(body), `"annotations":null,`, "", 1))
			}
			d := newDecoder(testLimits, 100)
			for range 2 { // what is invalid is not cached
				b, err := d.decode(time.Now(), body)
				require.NoError(t, err)
				require.False(t, b.slow)
				require.Len(t, b.errs, 3)
				assert.NoError(t, b.errs[0])
				assert.EqualError(t, b.errs[1], tt.want)
				assert.NoError(t, b.errs[2])
			}
		})
	}
}

// FuzzDecode holds the fast decoder against encoding/json: where the fast one has an answer, it is
// the same, when the bytes are new and when they are known.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`[]`, `null`, `[null]`, `{}`, `[{"labels":{}}]`, `[{"labels":{"a":"b"}}] tail`, `[{"labels":{"a":"b"}},{"labels":{"a":""}}]`,
		`[{"labels":{"a":"b","a":"c"},"annotations":{"s":"\u0026 \ud83d\ude00 \ud800"},"startsAt":"2026-11-21T07:41:50.123Z","endsAt":"2026-11-21T09:41:50+02:00","generatorURL":"http://x/#f"}]`,
		`[{"labels":{"a":"b"},"labels":{"c":"d"}}]`, `[{"Labels":{"a":"b"}}]`, `[{"labels":{"a":null}}]`, `[{"labels":{"a":"\\\""}, "other": {"x":[1,{}]}}]`,
		"[{\"labels\":{\"a\":\"\xff\"}}]", `[{"labels":{"a":"b"},"generatorURL":"x"}]`, `[{"labels":{"a":"b"},"startsAt":""}]`, `[{"labels":{"a" "b":}}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := newDecoder(testLimits, 2)
		for range 2 {
			fast, ok := d.fast(time.Unix(0, 0), body)
			if !ok {
				_, err := d.decode(time.Unix(0, 0), body)
				if err != nil {
					require.ErrorAs(t, err, new(*BodyError))
				}
				return
			}
			slow, err := d.slow(body)
			require.NoError(t, err)
			require.Len(t, fast.alerts, len(slow.alerts))
			for i := range slow.alerts {
				assert.Equal(t, slow.alerts[i], fast.alerts[i])
				slowErr, fastErr := slow.check(i), fast.check(i)
				assert.Equal(t, slowErr, fastErr)
			}
		}
	})
}

// FuzzTime holds the reading of times against the library that Alertmanager uses.
func FuzzTime(f *testing.F) {
	for _, seed := range []string{
		"", "x", "2026-11-21T07:41:50Z", "2026-11-21T07:41:50.948455639Z", "2026-11-21T07:41:50.9484556391Z", "2026-11-21T07:41:50,5Z",
		"2026-11-21T07:41:50+02:00", "2026-11-21T07:41:50.123+0200", "2026-11-21T07:41:50.123456-0130", "2026-11-21T07:41:50+0200",
		"2026-11-21T07:41:50", "2026-11-21T07:41Z", "2026-11-21T07:41", "2026-11-21 07:41:50", "2026-11-21", "2024-02-29T00:00:00Z",
		"2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T23:59:60Z", "0000-01-01T00:00:00Z",
		"0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59Z", "2026-11-21T07:41:50+24:00", "2026-11-21T07:41:50-00:00", "2026-11-21T07:41:50.Z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		theirs, theirErr := strfmt.ParseDateTime(s)
		ours, err := parseTime(s)
		if theirErr != nil {
			assert.EqualError(t, err, theirErr.Error())
			return
		}
		require.NoError(t, err)
		assert.True(t, time.Time(theirs).Equal(ours), "%s is %s, not %s", s, time.Time(theirs), ours)
		assert.Equal(t, time.UTC, ours.Location())
	})
}

func TestGenerations(t *testing.T) {
	start := time.Unix(0, 0)
	light := func(name string) content { return content{url: name, bytes: 1} }
	g := newGenerations[int, content](2)
	g.age(start)
	g.put(1, light("one"))
	g.put(2, light("two"))
	g.put(3, light("three")) // 1 and 2 are old now
	_, ok := g.get(1)        // and 1 is young again
	assert.True(t, ok)
	g.put(4, light("four")) // 3 and 1 are old, 2 is gone
	_, ok = g.get(2)
	assert.False(t, ok)
	v, ok := g.get(1)
	assert.True(t, ok)
	assert.Equal(t, light("one"), v)

	g.age(start.Add(lifetime - 1))
	_, ok = g.get(3)
	assert.True(t, ok)
	g.age(start.Add(lifetime))
	g.age(start.Add(2 * lifetime))
	for i := range 5 {
		_, ok = g.get(i)
		assert.False(t, ok, i)
	}

	g.put(1, content{bytes: maxGenerationBytes})
	g.put(2, light("light"))
	assert.Len(t, g.young, 1)
	assert.Len(t, g.old, 1)
}
