package sqlstore

import (
	"encoding/json"
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

func FuzzString(f *testing.F) {
	for _, s := range []string{
		"", "plain", `"\`, "\x00\x1f\x7f", "ü火🔥", "\u2028", "\xff", "a\xed\xa0\x80b", "\xed\xb3\xbf", `\udc80`, "\xf0\x9f\x94", "\ufffd", "\xff\xff\xfe",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		require.True(t, json.Valid(b), "%s", b)
		r := reader{b: b}
		require.Equal(t, s, r.text())
		require.NoError(t, r.end())
		var std string
		require.NoError(t, json.Unmarshal(b, &std))
		if utf8.ValidString(s) {
			require.Equal(t, s, std)
		} else {
			require.True(t, utf8.ValidString(std))
		}
	})
}

// FuzzReader reads anything: it never panics, accepts what encoding/json accepts, and what it
// understood as an alert is written and read again alike.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"labels":{"a":"b"}}`, `{"labels":{"a":"b"},"state":"resolved","startsAt":"2026-01-02T03:04:05.6Z","fired":3,"timeout":true}`,
		`{"reports":[{"source":"s","partial":false},{}],"annotations":{},"unknown":{"a":[1,-2.5e+7,null,true,"x\n"]}}`,
		` { "labels" : { "\u0041\ud83d\udd25" : "\udcff\ud800\u0000\/" } } `, `{"fired":99999999999999999999}`, `{"a":`, `[[[[`, `{"labels":{"a":1}}`,
		`{"startsAt":"yesterday"}`, `{"state":"odd"}`, `{} {}`, `"\u12"`, `{"a":tru}`, `{"endsAt":"9999-12-31T23:59:59-23:59"}`, `{"a" "b"}`, `{"a":1,}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reader{known: map[string]string{}}
		if err := decode(&r, b, (*reader).skip); err != nil {
			require.False(t, json.Valid(b) && !deep(b), "%s: %v", b, err)
		}
		var a, again alarm.Alert
		if decode(&r, b, func(r *reader) { r.alert(&a) }) != nil {
			return
		}
		once := appendAlert(nil, &a)
		require.NoError(t, decode(&r, once, func(r *reader) { r.alert(&again) }))
		require.Equal(t, string(once), string(appendAlert(nil, &again)))
	})
}

// deep says whether brackets could be nested deeper than the reader goes.
func deep(b []byte) bool {
	depth := 0
	for _, c := range b {
		if c == '{' || c == '[' {
			depth++
		}
	}
	return depth > maxDepth
}

func TestReaderSaysWhere(t *testing.T) {
	for body, want := range map[string]string{
		`{"labels":`:                   "at byte 10: malformed JSON",
		`{"state":"odd"}`:              "at byte 14: unknown state",
		`{"startsAt":"2026"}`:          "at byte 18: malformed time",
		`{"fired":x}`:                  "at byte 9: malformed number",
		`{"timeout":maybe}`:            "at byte 11: malformed JSON",
		`{"labels":{"a":"b` + "\n\"}}": "at byte 17: malformed JSON",
		`{}}`:                          "at byte 2: malformed JSON",
		``:                             "at byte 0: malformed JSON",
	} {
		var a alarm.Alert
		assert.EqualError(t, decode(&reader{}, []byte(body), func(r *reader) { r.alert(&a) }), want, body)
	}
}

func TestTimes(t *testing.T) {
	for _, test := range []struct {
		in   time.Time
		want string
		at   int64
	}{
		{time.Time{}, `{}`, math.MinInt64},
		{time.Unix(0, 0), `{"t":"1970-01-01T00:00:00Z"}`, 0},
		{time.Unix(1, 5).In(time.FixedZone("", 3600)), `{"t":"1970-01-01T00:00:01.000000005Z"}`, 1_000_000_005},
		{time.Date(1677, 12, 31, 0, 0, 0, 0, time.UTC), `{"t":"1677-12-31T00:00:00Z"}`, math.MinInt64},
		{time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC), `{"t":"2262-01-01T00:00:00Z"}`, math.MaxInt64},
		{time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC), `{"t":"9999-12-31T23:59:59Z"}`, math.MaxInt64},
		{time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), `{"t":"0001-01-01T00:00:00Z"}`, math.MinInt64},
	} {
		b := append(appendTime([]byte("{"), "t", test.in), '}')
		assert.Equal(t, test.want, string(b))
		assert.Equal(t, test.at, nanos(test.in))
		assert.NoError(t, decode(&reader{}, b, func(r *reader) { r.fields(func([]byte) { r.time() }) }), "%s", b)
	}
}

func TestStatements(t *testing.T) {
	lite, post := &Dialect{}, &Dialect{Numbered: true}
	other := &Dialect{Upsert: func(_, columns []string) string { return " ON DUPLICATE KEY UPDATE " + columns[0] }}
	for want, b := range map[string]*prepared{
		"INSERT INTO t (a,b,c) VALUES (?,?,?),(?,?,?) ON CONFLICT (a,b) DO UPDATE SET c=excluded.c":                  newUpsert(lite, "t", []string{"a", "b"}, []string{"c"}),
		"INSERT INTO t (a,b,c) VALUES ($1,$2,$3),($4,$5,$6) ON CONFLICT (a) DO UPDATE SET b=excluded.b,c=excluded.c": newUpsert(post, "t", []string{"a"}, []string{"b", "c"}),
		"INSERT INTO t (a,b) VALUES (?,?),(?,?) ON DUPLICATE KEY UPDATE b":                                           newUpsert(other, "t", []string{"a"}, []string{"b"}),
		"INSERT INTO t (a) VALUES ($1),($2)":                                                                         newInsert(post, "t", []string{"a"}),
		"DELETE FROM t WHERE a IN ($1,$2)":                                                                           newDelete(post, "t", "a"),
		"DELETE FROM t WHERE (a=$1 AND b=$2) OR (a=$3 AND b=$4)":                                                     newDelete(post, "t", "a", "b"),
		"DELETE FROM t WHERE (a=? AND b=?) OR (a=? AND b=?)":                                                         newDelete(lite, "t", "a", "b"),
	} {
		assert.Equal(t, want, b.query(2))
	}
}

// benchAlert is as Prometheus pushes it.
func benchAlert() *alarm.Alert {
	at := time.Date(2026, time.January, 2, 3, 4, 5, 678_901_234, time.UTC)
	return &alarm.Alert{
		Labels: model.LabelSet{
			"alertname": "HighLatency", "cluster": "cluster-01", "instance": "10.0.0.1:9100", "job": "node-exporter", "namespace": "production",
			"pod": "frontend-00000001", "service": "frontend", "severity": "critical", "team": "payments", "region": "eu-central-1",
		},
		Annotations: model.LabelSet{
			"summary": "High latency", "description": "The 99th percentile is above the objective.", "runbook_url": "https://example.org/runbook",
		},
		GeneratorURL: "http://prometheus.example.org/graph?g0.expr=histogram_quantile&g0.tab=1",
		StartsAt:     at, EndsAt: at, UpdatedAt: at, FirstSeen: at, Fired: 1,
		Reports: []alarm.Report{{Source: "push", StartsAt: at, EndsAt: at, UpdatedAt: at, Partial: true}},
	}
}

func BenchmarkEncodeAlert(b *testing.B) {
	a := benchAlert()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = appendAlert(buf[:0], a)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeAlert(b *testing.B) {
	body := appendAlert(nil, benchAlert())
	r := reader{known: map[string]string{}}
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		var a alarm.Alert
		if err := decode(&r, body, func(r *reader) { r.alert(&a) }); err != nil {
			b.Fatal(err)
		}
	}
}
