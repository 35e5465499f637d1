package alarm

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// However many push, outcomes are taken, and however many outcomes there are, and however much they tell, so
// is what is pushed.
func TestDrainTakesOfBoth(t *testing.T) {
	for name, tt := range map[string]struct {
		pushes, outcomes, told   int // told is by each outcome
		wantPushes, wantOutcomes int
	}{
		"few of both":       {3, 4, 1, 3, 4},
		"many of both":      {1000, 1000, 1, maxBatch - maxBatch/2, maxBatch / 2},
		"outcomes only":     {0, 1000, 1, 0, maxBatch / 2},
		"pushes only":       {1000, 0, 0, maxBatch, 0},
		"much that is told": {1000, 1000, maxTold / 4, maxBatch - 4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			e := &Engine{queue: make(chan *request, 1024), outcomes: make(chan *request, 1024)}
			for range tt.pushes {
				e.queue <- &request{}
			}
			for range tt.outcomes {
				e.outcomes <- &request{in: Input{Outcomes: []Outcome{{Told: ToldSets{Firing: make([]uint64, tt.told)}}}}}
			}
			first := e.queue
			if tt.outcomes > 0 {
				first = e.outcomes
			}
			pushes, outcomes := 0, 0
			for _, r := range e.drain(<-first) {
				if len(r.in.Outcomes) > 0 {
					outcomes++
				} else {
					pushes++
				}
			}
			assert.Equal(t, []int{tt.wantPushes, tt.wantOutcomes}, []int{pushes, outcomes})
		})
	}
}
