package matcher_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/matcher"
)

func TestIndexMatching(t *testing.T) {
	entries := []string{
		`{}`,
		`alertname="Down"`,
		`alertname="Down",cluster="eu-1"`,
		`alertname=~"Down|Slow"`,
		`alertname=~"Do.*"`,
		`alertname!="Down"`,
		`cluster=""`,
		`cluster!="",alertname=~"Up|"`,
		`cluster=~"|eu-1"`,
		`alertname="Down",alertname="Slow"`,
		`alertname="Slow",alertname!~"Down"`,
	}
	for _, tc := range []struct {
		labels model.LabelSet
		want   []int
	}{
		{labels: nil, want: []int{0, 5, 6, 8}},
		{labels: model.LabelSet{"alertname": "Down"}, want: []int{0, 1, 3, 4, 6, 8}},
		{labels: model.LabelSet{"alertname": "Down", "cluster": "eu-1"}, want: []int{0, 1, 2, 3, 4, 8}},
		{labels: model.LabelSet{"alertname": "Slow", "cluster": "us-1"}, want: []int{0, 3, 5, 10}},
		{labels: model.LabelSet{"alertname": "Up", "cluster": "us-1"}, want: []int{0, 5, 7}},
		{labels: model.LabelSet{"alertname": "Up", "cluster": ""}, want: []int{0, 5, 6, 8}},
	} {
		t.Run(tc.labels.String(), func(t *testing.T) {
			var x matcher.Index[int]
			for i, e := range entries {
				x.Add(matcher.MustParse(e), i)
			}
			assert.Equal(t, tc.want, slices.Collect(x.Matching(tc.labels)))
		})
	}
}

func TestIndexEmpty(t *testing.T) {
	var x matcher.Index[string]
	assert.Empty(t, slices.Collect(x.Matching(model.LabelSet{"a": "b"})))
	assert.False(t, x.Remove("never added"))
	assert.Zero(t, x.Len())
}

func TestIndexReplacesAndStops(t *testing.T) {
	var x matcher.Index[string]
	x.Add(matcher.MustParse(`a="1"`), "first")
	x.Add(matcher.MustParse(`a="1"`), "second")
	x.Add(matcher.MustParse(`a="1",b=~"x.*"`), "third")
	x.Add(matcher.MustParse(`a=~"1|2"`), "first")
	assert.Equal(t, 3, x.Len())
	assert.Equal(t, []string{"second", "first"}, slices.Collect(x.Matching(model.LabelSet{"a": "1"})))
	assert.Equal(t, []string{"first"}, slices.Collect(x.Matching(model.LabelSet{"a": "2"})))

	for value := range x.Matching(model.LabelSet{"a": "1", "b": "xy"}) {
		assert.Equal(t, "second", value)
		break
	}
	assert.True(t, x.Remove("first"))
	assert.False(t, x.Remove("first"))
	assert.Empty(t, slices.Collect(x.Matching(model.LabelSet{"a": "2"})))
}

// TestIndexTwin holds an Index against a list that is tried from one end to the other.
func TestIndexTwin(t *testing.T) {
	type entry struct {
		matchers matcher.Matchers
		value    int
	}
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		var x matcher.Index[int]
		var list []entry
		for step := range 300 {
			value := r.IntN(120)
			list = slices.DeleteFunc(list, func(e entry) bool { return e.value == value })
			if r.IntN(3) == 0 {
				x.Remove(value)
			} else {
				e := entry{matchers: randomMatchers(r), value: value}
				list = append(list, e)
				x.Add(e.matchers, value)
			}
			require.Equal(t, len(list), x.Len())

			ls := randomLabels(r)
			var want []int
			for _, e := range list {
				if e.matchers.Matches(ls) {
					want = append(want, e.value)
				}
			}
			require.Equal(t, want, slices.Collect(x.Matching(ls)), "seed %d, step %d, %s", seed, step, ls)
		}
		for _, e := range list {
			require.True(t, x.Remove(e.value))
		}
		require.Zero(t, x.Len())
		require.Empty(t, slices.Collect(x.Matching(randomLabels(r))))
	}
}

func randomMatchers(r *rand.Rand) matcher.Matchers {
	patterns := []string{"", "a", "b", "a|b", "a|b|", "(a|b)c?", "[a-c]", "a.*", ".*", "(?i)a", "a{1,2}", "ab?|", "a)|(b", "a$|b"}
	var ms matcher.Matchers
	for range r.IntN(4) {
		name := "l" + strconv.Itoa(r.IntN(4))
		m, err := matcher.New(matcher.Equal, name, patterns[r.IntN(3)])
		switch r.IntN(6) {
		case 0:
			m, err = matcher.New(matcher.NotEqual, name, patterns[r.IntN(3)])
		case 1:
			m, err = matcher.New(matcher.NotRegexp, name, patterns[r.IntN(len(patterns))])
		case 2, 3:
			m, err = matcher.New(matcher.Regexp, name, patterns[r.IntN(len(patterns))])
		}
		if err != nil {
			panic(err)
		}
		ms = append(ms, m)
	}
	return ms
}

func randomLabels(r *rand.Rand) model.LabelSet {
	values := []model.LabelValue{"", "a", "A", "b", "c", "ac", "aa", "ab"}
	ls := model.LabelSet{}
	for range r.IntN(7) {
		ls[model.LabelName("l"+strconv.Itoa(r.IntN(6)))] = values[r.IntN(len(values))]
	}
	return ls
}

func TestIndexSearchAllocatesNothing(t *testing.T) {
	x := silences(10_000, 1_000)
	ls := alertLabels(17)
	n := 0
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		for range x.Matching(ls) {
			n++
		}
	}))
	assert.Equal(t, 11*1_000, n) // one run more, to warm up
}

// silences returns an index of size silences, of which matching mute alert 17 and the others one
// alert each.
func silences(size, matching int) *matcher.Index[int] {
	var x matcher.Index[int]
	for i := range size {
		ms := matcher.FromLabels(model.LabelSet{
			"alertname": model.LabelValue(fmt.Sprintf("Alert%d", i%100)),
			"instance":  model.LabelValue(fmt.Sprintf("host-%d:9100", 100+i)),
		})
		if i < matching {
			ms = matcher.MustParse(`alertname="Alert17",cluster="eu-1"`)
		}
		x.Add(ms, i)
	}
	return &x
}

func alertLabels(i int) model.LabelSet {
	return model.LabelSet{
		"alertname":   model.LabelValue(fmt.Sprintf("Alert%d", i%100)),
		"cluster":     "eu-1",
		"environment": "shop",
		"instance":    model.LabelValue(fmt.Sprintf("host-%d:9100", i)),
		"job":         "node",
		"namespace":   "monitoring",
		"pod":         model.LabelValue(fmt.Sprintf("node-exporter-%d", i)),
		"prometheus":  "monitoring/k8s",
		"service":     "node-exporter",
		"severity":    "warning",
	}
}

func BenchmarkIndexMatching(b *testing.B) {
	for _, size := range []int{100, 10_000, 100_000} {
		for _, matching := range []int{0, 1, 1_000} {
			if matching > size {
				continue
			}
			b.Run(fmt.Sprintf("silences=%d/matching=%d", size, matching), func(b *testing.B) {
				x := silences(size, matching)
				ls := alertLabels(17)
				b.ReportAllocs()
				for b.Loop() {
					for range x.Matching(ls) {
					}
				}
			})
		}
	}
}

// BenchmarkIndexTwin is what BenchmarkIndexMatching is to be compared with: all are tried.
func BenchmarkIndexTwin(b *testing.B) {
	const size = 10_000
	b.Run(fmt.Sprintf("silences=%d/matching=1000", size), func(b *testing.B) {
		list := make([]matcher.Matchers, size)
		for i := range list {
			list[i] = matcher.FromLabels(model.LabelSet{"alertname": "Alert17", "instance": model.LabelValue(strconv.Itoa(i))})
			if i < 1_000 {
				list[i] = matcher.MustParse(`alertname="Alert17",cluster="eu-1"`)
			}
		}
		ls := alertLabels(17)
		for b.Loop() {
			for _, ms := range list {
				ms.Matches(ls)
			}
		}
	})
}

// BenchmarkIndexRules is the search of inhibition and dependency rules: the last of them matches.
func BenchmarkIndexRules(b *testing.B) {
	for _, size := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("rules=%d", size), func(b *testing.B) {
			var x matcher.Index[int]
			for i := range size {
				x.Add(matcher.MustParse(fmt.Sprintf(`alertname="Rule%d",severity=~"warning|info"`, i)), i)
			}
			ls := alertLabels(17)
			ls["alertname"] = model.LabelValue(fmt.Sprintf("Rule%d", size-1))
			b.ReportAllocs()
			for b.Loop() {
				for range x.Matching(ls) {
				}
			}
		})
	}
}

func BenchmarkIndexAddRemove(b *testing.B) {
	b.Run("silences=10000", func(b *testing.B) {
		x := silences(10_000, 0)
		ms := matcher.MustParse(`alertname="Alert17",instance="host-17:9100",severity=~"warning|info"`)
		b.ReportAllocs()
		for b.Loop() {
			x.Add(ms, -1)
			x.Remove(-1)
		}
	})
}
