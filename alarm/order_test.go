package alarm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// TestCompareForMessage holds our order against that of Alertmanager's messages.
func TestCompareForMessage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var theirs alert.AlertSlice
		var ours []*Alert
		var entries []*entry
		for _, fp := range rng.Perm(30) {
			ls := model.LabelSet{"id": model.LabelValue(fmt.Sprint(fp))}
			for _, name := range []model.LabelName{"job", "instance", "a", "zone"} {
				if n := rng.IntN(3); n > 0 {
					ls[name] = model.LabelValue(fmt.Sprint(n))
				}
			}
			theirs = append(theirs, &alert.Alert{Alert: model.Alert{Labels: ls}})
			a := &Alert{Labels: ls}
			ours, entries = append(ours, a), append(entries, &entry{alert: a})
		}
		rng.Shuffle(len(ours), func(i, j int) { ours[i], ours[j] = ours[j], ours[i] })
		sort.Sort(theirs)
		slices.SortFunc(ours, CompareForMessage)
		sortForMessage(entries)
		for i := range theirs {
			require.Equal(t, theirs[i].Labels, ours[i].Labels)
			require.Equal(t, theirs[i].Labels, entries[i].alert.Labels)
		}
	}
}
