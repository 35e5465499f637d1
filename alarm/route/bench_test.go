package route_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/route"
)

const labelSets = 10_000

func manyLabels() []model.LabelSet {
	all := make([]model.LabelSet, labelSets)
	for i := range all {
		all[i] = bigLabels(i)
	}
	return all
}

// BenchmarkRoute routes one label set of 10k, whose groups are known.
func BenchmarkRoute(b *testing.B) {
	for _, teams := range []int{10, 1_000} {
		b.Run(fmt.Sprintf("routes=%d/labelsets=%d", 2*teams+1, labelSets), func(b *testing.B) {
			tree, all := newTree(b, bigRoute(teams)), manyLabels()
			held := make([][]*alarm.Group, len(all))
			for i, ls := range all {
				held[i] = tree.Route(ls)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				held[i%labelSets] = tree.Route(all[i%labelSets])
				i++
			}
		})
	}
}

// BenchmarkRouteNew routes one label set whose group is not known yet.
func BenchmarkRouteNew(b *testing.B) {
	b.Run("routes=2001", func(b *testing.B) {
		tree, ls := newTree(b, bigRoute(1_000)), bigLabels(3)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i++
			ls["instance"] = model.LabelValue(fmt.Sprint(i))
			tree.Route(ls)
		}
	})
}

// BenchmarkRouteTwin is what BenchmarkRoute is to be compared with.
func BenchmarkRouteTwin(b *testing.B) {
	for _, teams := range []int{10, 1_000} {
		b.Run(fmt.Sprintf("routes=%d/labelsets=%d", 2*teams+1, labelSets), func(b *testing.B) {
			twin, all := twinOf(bigRoute(teams)), manyLabels()
			i := 0
			for b.Loop() {
				twin.Match(all[i%labelSets])
				i++
			}
		})
	}
}

// BenchmarkWide shows from how many children on the Index is worth it.
func BenchmarkWide(b *testing.B) {
	for _, children := range []int{2, 4, 8, 16, 64} {
		root := route.Route{Receiver: "ops"}
		for i := range children {
			root.Routes = append(root.Routes, route.Route{Matchers: matcher.MustParse(fmt.Sprintf(`team="team-%d"`, i))})
		}
		for _, position := range []string{"first", "middle", "none"} {
			ls := bigLabels(0)
			ls["team"] = model.LabelValue(fmt.Sprintf("team-%d", map[string]int{"first": 0, "middle": children / 2, "none": -1}[position]))
			b.Run(fmt.Sprintf("children=%d/%s", children, position), func(b *testing.B) {
				tree := newTree(b, root)
				for b.Loop() {
					tree.Receivers(ls)
				}
			})
		}
	}
}

func BenchmarkMuted(b *testing.B) {
	root := route.Route{Receiver: "ops", Routes: []route.Route{
		{Matchers: matcher.MustParse(`a="0"`), ActiveTimeIntervals: []string{"office"}},
		{Matchers: matcher.MustParse(`a="1"`), MuteTimeIntervals: []string{"december"}},
	}}
	tree, err := route.New(root, map[string][]timeinterval.TimeInterval{
		"office":   {interval(b, inBerlin)},
		"december": {interval(b, `{"months": ["december"]}`)},
	})
	require.NoError(b, err)
	now := time.Date(2026, 7, 3, 17, 30, 0, 0, time.UTC)
	for name, id := range map[string]string{"weekend": `{}/{a="0"}/0`, "far": `{}/{a="1"}/1`} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tree.Muted(id, now)
			}
		})
	}
}
