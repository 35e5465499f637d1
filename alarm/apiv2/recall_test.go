package apiv2

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// TestRecall appends few sets again and again, in answers of different length, among more than there is
// room for.
func TestRecall(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var sets []model.LabelSet
	for i := range 3000 {
		sets = append(sets, model.LabelSet{"n": model.LabelValue(fmt.Sprint(i, "<&>")), "long": model.LabelValue(strings.Repeat("x", rng.IntN(500)))})
	}
	sets = append(sets, nil, model.LabelSet{})
	var r recall
	var sh shaper
	for range 20 {
		for range rng.IntN(2000) {
			ls := sets[rng.IntN(len(sets))]
			require.Equal(t, string(appendLabels([]byte("x"), ls, forHTML)), string(r.append([]byte("x"), ls, &sh)))
			require.LessOrEqual(t, len(r.text), recallBytes)
		}
		r.forget()
		require.Empty(t, r.text)
	}
}

// TestEncoderKeepsNothing appends alerts with one encoder, in any order, and wants what a new one would
// append.
func TestEncoderKeepsNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	prose := []model.LabelSet{nil, {"summary": "one"}, {"summary": "two"}}
	receivers := [][]string{nil, {"a"}, {"<b>"}, {"a", "<b>"}, {}}
	stati := []status{
		{state: stateActive},
		{state: stateUnprocessed},
		{state: stateSuppressed, silencedBy: []string{"s"}},
		{state: stateSuppressed, mutedBy: []string{"m"}},
		{state: stateSuppressed, inhibitedBy: []string{"i", "j"}},
	}
	when := func() time.Time {
		if rng.IntN(10) == 0 {
			return at.AddDate(9000, 0, 0)
		}
		return at.Add(time.Duration(rng.IntN(3000)) * time.Millisecond)
	}
	var used encoder
	for range 5000 {
		a := alarm.Alert{
			Labels: model.LabelSet{"alertname": "X", "n": model.LabelValue(fmt.Sprint(rng.IntN(5)))}, Annotations: prose[rng.IntN(len(prose))],
			StartsAt: when(), EndsAt: when(), UpdatedAt: when(),
		}
		st, to := stati[rng.IntN(len(stati))], receivers[rng.IntN(len(receivers))]
		var fresh encoder
		require.Equal(t, string(fresh.appendAlert(nil, &a, &st, to, at)), string(used.appendAlert(nil, &a, &st, to, at)))
		if rng.IntN(50) == 0 {
			used.forget()
		}
	}
}
