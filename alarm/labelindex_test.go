package alarm

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/matcher"
)

var anHourAgo = time.Unix(0, 0)

// TestLabelIndexTwin holds the index against looking at every entry, while entries come and go.
func TestLabelIndexTwin(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		digit := func() model.LabelValue { return model.LabelValue(strconv.Itoa(rng.IntN(3))) }
		var x labelIndex
		all := map[model.Fingerprint]*entry{}
		for step := range 300 {
			fp := model.Fingerprint(rng.IntN(60))
			switch en := all[fp]; {
			case en == nil:
				ls := model.LabelSet{"a": digit(), "b": digit(), "n": model.LabelValue(fp.String())}
				if rng.IntN(4) == 0 {
					delete(ls, "b")
				}
				all[fp] = &entry{fingerprint: fp, alert: &Alert{Labels: ls}}
				x.add(all[fp])
			case rng.IntN(2) == 0:
				delete(all, fp)
				x.remove(en, all)
			}
			for _, ms := range []matcher.Matchers{
				matcher.MustParse(`a="` + string(digit()) + `"`),
				matcher.MustParse(`b="` + string(digit()) + `",a="` + string(digit()) + `"`),
				matcher.MustParse(`n="` + fp.String() + `",a!="0"`),
				matcher.MustParse(`a="0",a="1",c="7",d="7",e="7",f="7"`),
			} {
				list, ok := x.carrying(anHourAgo, ms, all)
				require.True(t, ok)
				for _, en := range all {
					if ms.Matches(en.alert.Labels) {
						require.True(t, slices.Contains(list, en), "seed %d, step %d, %s", seed, step, ms)
					}
				}
				gone := 0
				for _, en := range list {
					if all[en.fingerprint] != en {
						gone++
					}
				}
				require.LessOrEqual(t, 2*gone, len(list), "what is gone is cleaned away")
			}
		}
		for fp, en := range all {
			delete(all, fp)
			x.remove(en, all)
		}
		for _, n := range x.names {
			require.Empty(t, n.values)
		}
	}
}

func TestLabelIndexKeepsFewNames(t *testing.T) {
	var x labelIndex
	names := func() (all []string) {
		for _, n := range x.names {
			all = append(all, string(n.name))
		}
		return all
	}
	ask := func(at time.Duration, text string) bool {
		_, ok := x.carrying(anHourAgo.Add(at), matcher.MustParse(text), nil)
		return ok
	}
	for _, name := range []string{"a", "b", "c", "d", "a", "e"} {
		assert.True(t, ask(0, name+`="1"`))
	}
	assert.Equal(t, []string{"e", "a", "d", "c"}, names())
	for _, text := range []string{`f=""`, `f!="1"`, `f=~"1"`, `f=~".+"`} {
		assert.False(t, ask(0, text), text)
	}
	assert.True(t, ask(time.Minute, `c="1"`))
	x.age(anHourAgo.Add(indexLife))
	assert.Equal(t, []string{"c", "e", "a", "d"}, names())
	x.age(anHourAgo.Add(indexLife + 1))
	assert.Equal(t, []string{"c"}, names())
	x.reset()
	assert.Empty(t, names())
}

// If the first name tells alerts apart badly, the next one is tried.
func TestLabelIndexLooksForABetterName(t *testing.T) {
	var x labelIndex
	all := map[model.Fingerprint]*entry{}
	for i := range model.Fingerprint(100) {
		all[i] = &entry{fingerprint: i, alert: &Alert{Labels: model.LabelSet{"same": "1", "own": model.LabelValue(i.String())}}}
	}
	ms := matcher.MustParse(`same="1"`)
	list, ok := x.carrying(anHourAgo, ms, all)
	assert.True(t, ok)
	assert.Len(t, list, 100)
	both := slices.Concat(ms, matcher.MustParse(`own="`+model.Fingerprint(7).String()+`"`))
	list, ok = x.carrying(anHourAgo, both, all)
	assert.True(t, ok)
	assert.Equal(t, []*entry{all[7]}, list)
}
