package discovery

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWord(t *testing.T) {
	for want, words := range map[State]string{
		OK:      "Healthy UP pass ok OKAY green SERVING available running ready alive success true",
		Warn:    "Degraded WARN warning yellow Partially_Available partial impaired",
		Fail:    "Unhealthy down FAIL failed error red critical FATAL NOT_SERVING Unavailable OUT_OF_SERVICE shutting_down false",
		Unknown: "unknown starting Initializing pending none SERVICE_UNKNOWN null",
	} {
		for word := range strings.FieldsSeq(words) {
			got, known := Word(word)
			assert.Equal(t, want, got, word)
			assert.True(t, known, word)
		}
	}
	got, known := Word("PARTY")
	assert.Equal(t, Unknown, got)
	assert.False(t, known)
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"00:00:00.0066738":     6673800,
		"00:00:05":             5 * time.Second,
		"1.02:03:04":           93784 * time.Second,
		"-00:00:00.5000000":    0,
		"10675199.02:48:05.47": 1<<63 - 1,
		"PT0.25S":              250 * time.Millisecond,
		"PT1M2S":               62 * time.Second,
		"P1DT1S":               86401 * time.Second,
		"PT-0.5S":              0,
		"1.5ms":                1500 * time.Microsecond,
		"2m3s":                 123 * time.Second,
		"12µs":                 12 * time.Microsecond,
	} {
		got, ok := ParseDuration(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "250", "41.2", "1:2", "a:b:c", "P", "PT", "1.x:00:00", "PTS", "soon"} {
		_, ok := ParseDuration(text)
		assert.False(t, ok, text)
	}
}

// The HTTP code and the document's word: the table in judge's comment.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		code  int
		body  string
		want  State
		why   Why
		flags string
	}{
		{200, `{"status":"UP"}`, OK, "", ""},
		{200, `{"status":"DOWN"}`, Fail, "", "contradicts"},
		{200, `{"components":{"a":{"status":"DOWN"}}}`, Fail, "", ""},
		{429, `{"status":"UP"}`, Warn, WhyCode, ""},
		{429, `{"status":"DOWN"}`, Fail, "", ""},
		{401, `{"status":"DOWN"}`, Unknown, WhyConfiguration, ""},
		{404, ``, Unknown, WhyConfiguration, ""},
		{307, ``, Unknown, WhyConfiguration, ""},
		{418, `{"status":"fail"}`, Fail, "", ""},
		{418, `{"status":"pass"}`, Unknown, WhyConfiguration, "contradicts"},
		{500, `{"status":"UP"}`, Fail, WhyCode, "contradicts"},
		{503, `{"status":"PARTY"}`, Fail, WhyCode, ""},
		{503, ``, Fail, WhyCode, ""},
	} {
		r := Parse(Answer{Status: c.code, Body: []byte(c.body)})
		assert.Equal(t, c.want, r.State, "%d %s", c.code, c.body)
		assert.Equal(t, c.why, r.Why, "%d %s", c.code, c.body)
		assert.Equal(t, c.flags == "contradicts", r.Contradicts, "%d %s", c.code, c.body)
	}
	r := Parse(Answer{Status: 472, Body: []byte(`{"initialized":true}`), Expect: []int{472}})
	assert.Equal(t, OK, r.State)
	r = Parse(Answer{Status: 200, Body: []byte(`{}`), Format: ASPNet})
	assert.Equal(t, Unknown, r.State, "a report is expected and is not there")
	assert.False(t, r.Mismatch, "it is an empty one")
	r = Parse(Answer{Status: 200, Body: []byte(`Healthy`), Format: Spring3})
	assert.Equal(t, OK, r.State)
	assert.True(t, r.Mismatch)
}

// A healthy service's next document has other durations, times, counters and measurements, in another
// order: it is the same.
func TestHashLeavesOutWhatAlwaysChanges(t *testing.T) {
	parse := func(body string) Hash { return Parse(Answer{Status: 200, Body: []byte(body)}).hashed() }
	a := parse(`{"status":"Degraded","totalDuration":"00:00:00.1","entries":{
		"a":{"status":"Healthy","duration":"00:00:00.01","data":{"free":12,"id":"3f2504e0-4f89-11d3-9a0c-0305e82c3301","at":"2026-11-21T01:02:03Z","size":"7","took":"1.5ms","share":0.5,"change":-3,"some":NaN}},
		"b":{"status":"Degraded","description":"timeout after 40 ms at 0xc000123abc","data":{"operations":5,"ok":true}}}}`)
	b := parse(`{"entries":{
		"b":{"data":{"ok":true,"operations":6},"description":"timeout after 5 ms at 0xc000999fff","status":"Degraded"},
		"a":{"status":"Healthy","duration":"00:00:00.02","data":{"took":"2ms","some":1,"change":3,"share":1,"at":"2026-11-21T01:02:33Z","free":13,"id":"3f2504e0-4f89-11d3-9a0c-0305e82c3302","size":"8"}}},
		"totalDuration":"00:00:00.2","status":"Degraded"}`)
	assert.Equal(t, a, b)
	for _, other := range []string{
		`{"status":"Degraded","totalDuration":"00:00:00.1","entries":{"a":{"status":"Healthy"}}}`,
		`{"status":"Degraded","totalDuration":"00:00:00.1","entries":{"a":{"status":"Unhealthy"}}}`,
		`{"status":"Degraded","totalDuration":"00:00:00.1","entries":{"a":{"status":"Healthy","description":"x"}}}`,
		`{"status":"Degraded","totalDuration":"00:00:00.1","entries":{"a":{"status":"Healthy","data":{"leader":true}}}}`,
		`{"status":"Degraded","totalDuration":"00:00:00.1","entries":{"a":{"status":"Healthy","data":{"leader":false}}}}`,
	} {
		h := parse(other)
		assert.NotEqual(t, a, h)
		a = h
	}
}

func (r Report) hashed() Hash { return r.Hash }

// Members in any order give the same report.
func TestOrderOfMembersDoesNotMatter(t *testing.T) {
	entries := []string{`"a":{"status":"UP"}`, `"b":{"status":"DOWN","details":{"error":"x","n":1}}`, `"c":{"status":"UP","components":{"d":{"status":"UP"}}}`}
	var want Report
	for i := range 20 {
		rand.New(rand.NewPCG(1, uint64(i))).Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		r := Parse(Answer{Status: 503, Body: []byte(`{"components":{` + strings.Join(entries, ",") + `},"status":"DOWN"}`)})
		if i == 0 {
			want = r
		}
		require.Equal(t, want, r)
	}
}

func TestLimits(t *testing.T) {
	t.Run("depth", func(t *testing.T) {
		body := strings.Repeat(`{"status":"UP","components":{"x":`, 60) + `{"status":"DOWN"}` + strings.Repeat(`}}`, 60)
		r := Parse(Answer{Status: 200, Body: []byte(body)})
		assert.True(t, r.Truncated)
		assert.Equal(t, OK, r.State)
		assert.LessOrEqual(t, count(r.Nodes), maxDepth)
	})
	t.Run("abyss", func(t *testing.T) {
		r := Parse(Answer{Status: 503, Body: []byte(strings.Repeat(`{"status":"UP","components":{"x":`, 100_000))})
		assert.Equal(t, Fail, r.State)
		assert.Equal(t, WhyMalformed, r.Why)
	})
	t.Run("nodes", func(t *testing.T) {
		var b strings.Builder
		for i := range 8000 {
			if i > 0 {
				b.WriteByte(',')
			}
			state := "UP"
			if i == 7999 {
				state = "DOWN"
			}
			b.WriteString(`"n` + itoa(i) + `":{"status":"` + state + `"}`)
		}
		r := Parse(Answer{Status: 200, Body: []byte(`{"status":"UP","components":{` + b.String() + `}}`)})
		assert.True(t, r.Truncated)
		assert.Equal(t, maxNodes, count(r.Nodes))
		assert.NotNil(t, Find(r.Nodes, "n7999"), "what fails comes first")
	})
	t.Run("texts", func(t *testing.T) {
		long := strings.Repeat("ä", 4000)
		r := Parse(Answer{Status: 503, Body: []byte(`{"status":"DOWN","components":{"` + long + `1":{"status":"DOWN","description":"` + long + `"},"` + long + `2":{"status":"UP"}}}`)})
		require.Len(t, r.Nodes, 2)
		for _, n := range r.Nodes {
			assert.LessOrEqual(t, len(n.Name), maxName)
			assert.LessOrEqual(t, len(n.Message), maxText)
		}
		assert.NotEqual(t, r.Nodes[0].Name, r.Nodes[1].Name)
	})
}

func TestCarry(t *testing.T) {
	at := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	health := func(minute int, code int, body string) Health {
		return Health{At: at.Add(time.Duration(minute) * time.Minute), Report: Parse(Answer{Status: code, Body: []byte(body)})}
	}
	t.Run("no answer leaves the tree", func(t *testing.T) {
		a := health(0, 200, `{"status":"UP","components":{"db":{"status":"UP"}}}`)
		b := Carry(&a, NoAnswer(Target{}, at.Add(time.Minute), WhyTimeout, "timeout"))
		assert.Equal(t, Fail, b.State)
		assert.Equal(t, a.Nodes, b.Nodes)
		assert.Equal(t, a.At, b.Stale)
		c := Carry(&b, NoAnswer(Target{}, at.Add(2*time.Minute), WhyTimeout, "timeout"))
		assert.Equal(t, a.At, c.Stale)
	})
	t.Run("failing only", func(t *testing.T) {
		a := health(0, 503, `{"status":"Unavailable","failures":{"db":"refused","mq":"x"},"component":{}}`)
		b := Carry(&a, health(1, 503, `{"status":"Unavailable","failures":{"db":"refused"},"component":{}}`))
		assert.Equal(t, OK, Find(b.Nodes, "mq").State)
		c := Carry(&b, health(2, 200, `{"status":"OK","timestamp":"x","component":{}}`))
		assert.Equal(t, OK, Find(c.Nodes, "db").State)
		assert.Equal(t, OK, Find(c.Nodes, "mq").State)
	})
	t.Run("left out", func(t *testing.T) {
		h := health(0, 503, `{"status":"DOWN","components":{"a":{"status":"UP"},"db":{"status":"DOWN"},"z":{"status":"UP","components":{"y":{"status":"UP"}}}}}`)
		for i := range Grace {
			h = Carry(&h, health(1+i, 200, `{"status":"UP","components":{"a":{"status":"UP"},"z":{"status":"UP"}}}`))
			require.NotNil(t, Find(h.Nodes, "db"))
			assert.Equal(t, Unknown, Find(h.Nodes, "db").State, "it did not recover")
			assert.Equal(t, Unknown, Find(h.Nodes, "z/y").State)
		}
		h = Carry(&h, health(9, 200, `{"status":"UP","components":{"a":{"status":"UP"},"z":{"status":"UP"}}}`))
		assert.Nil(t, Find(h.Nodes, "db"))
		assert.Nil(t, Find(h.Nodes, "z/y"))
	})
}

func TestActivityRule(t *testing.T) {
	r := ActivityRule{Role: Clue{Label: "role", Pointer: "/info/role"}, Life: Clue{Pointer: "/operations/last_hour"}}
	assert.Equal(t, Activity{}, r.Of(nil, nil))
	assert.Equal(t, Activity{Role: Passive, Life: Idle}, r.Of(nil, []byte(`{"info":{"role":"Standby"},"operations":{"last_hour":0}}`)))
	assert.Equal(t, Activity{Role: Active, Life: Live}, r.Of(map[labelName]labelValue{"role": "active"}, []byte(`{"info":{"role":"standby"},"operations":{"last_hour":12}}`)))
	assert.Equal(t, Activity{}, r.Of(nil, []byte(`{"info":{"role":"perhaps"},"operations":{}}`)))
	assert.Equal(t, Activity{}, r.Of(nil, []byte(`{broken`)))
}
