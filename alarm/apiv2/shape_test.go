package apiv2

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// TestShaper holds what is appended by shapes against what is sorted each time.
func TestShaper(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var s shaper
	for range 5000 {
		ls := model.LabelSet{}
		for range rng.IntN(5) {
			ls[model.LabelName(fmt.Sprintf("<name>%d", rng.IntN(6)))] = model.LabelValue(fmt.Sprintf("a&b\"%d", rng.IntN(3)))
		}
		require.Equal(t, "x"+string(appendLabels(nil, ls, forHTML)), string(s.append([]byte("x"), ls)))
		require.LessOrEqual(t, s.n, maxShapes)
	}
	require.Equal(t, "{}", string(s.append(nil, nil)))
}
