package main_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tocsin/tocsin/cmd/internal/reference"
)

// What make torture-model sets: how many traces of each cast are played, how long a leader is paused at least,
// and how many more times one that fails is played with parts left out, to find out which of them it takes.
// Without the first, one trace of each cast is played, of a seed that is always the same.
const (
	modelVariable       = "TOCSIN_MODEL"
	modelPauseVariable  = "TOCSIN_MODEL_PAUSE"
	modelShrinkVariable = "TOCSIN_MODEL_SHRINK"
	modelLogVariable    = "TOCSIN_MODEL_LOG" // shows all that happened
)

// A cast is who plays a trace.
type cast struct {
	members  int
	database string // postgres or mysql, or empty for SQLite
	jsm      bool
	seed     uint64 // in CI
	options  reference.Options
}

func casts() map[string]cast {
	shared := []reference.Kind{reference.Kill, reference.Pause, reference.Freeze, reference.Term, reference.Cut}
	return map[string]cast{
		"three": {members: 3, database: "postgres", seed: 1, options: reference.Options{Segments: 5, Steps: 10, Faults: shared}},
		"two":   {members: 2, database: "mysql", jsm: true, seed: 2, options: reference.Options{Segments: 3, Steps: 10, Faults: shared}},
		"sqlite": {members: 1, seed: 3, options: reference.Options{
			Segments: 6, Steps: 10, Alone: true, Faults: []reference.Kind{reference.Kill, reference.Pause, reference.Term},
		}},
	}
}

// TestModel plays random traces on real servers, and compares them with the reference model: what is open,
// what was told, and by whom. TOCSIN_SEED repeats one.
func TestModel(t *testing.T) {
	t.Parallel()
	traces, err := strconv.Atoi(os.Getenv(modelVariable))
	torture := err == nil
	for name, c := range casts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !torture {
				c.play(t, reference.Random(modelSeed(c.seed), c.options), time.Second)
				return
			}
			c.options.Segments, c.options.Steps = 6, 20
			for range traces {
				c.torture(t, modelSeed(freshSeed()))
			}
		})
	}
}

// torture plays the trace of a seed, and says how little of it is enough if something is wrong.
func (c cast) torture(t *testing.T, seed uint64) {
	t.Helper()
	pause, err := time.ParseDuration(os.Getenv(modelPauseVariable))
	if err != nil {
		pause = time.Minute // longer than any lease
	}
	attempts, _ := strconv.Atoi(os.Getenv(modelShrinkVariable)) // none, if it is no number
	trace := reference.Random(seed, c.options)
	good := func(name string, trace []reference.Step) bool {
		return t.Run(name, func(t *testing.T) { c.play(t, trace, pause) })
	}
	if good(fmt.Sprint(seed), trace) || attempts == 0 {
		return
	}
	few := fewer(trace, func(without []reference.Step) bool {
		if attempts--; attempts < 0 {
			return false
		}
		return !good(fmt.Sprintf("%d with %d steps", seed, len(without)), without)
	})
	t.Logf("Of the trace of seed %d this is enough:\n%s", seed, reference.Script(few))
}

// fewer leaves out whatever can be left out while it goes wrong: halves first, then ever smaller parts. What
// goes wrong now and then only is left longer than it need be.
func fewer(trace []reference.Step, wrong func([]reference.Step) bool) []reference.Step {
	for size := len(trace) / 2; size > 0; {
		smaller := false
		for from := 0; from < len(trace); {
			without := slices.Concat(trace[:from], trace[min(from+size, len(trace)):])
			if len(without) > 0 && wrong(append(without, reference.Step{Kind: reference.Settle})) {
				trace, smaller = without, true
			} else {
				from += size
			}
		}
		if !smaller {
			size /= 2
		}
	}
	return append(trace, reference.Step{Kind: reference.Settle})
}

// play plays a trace.
func (c cast) play(t *testing.T, trace []reference.Step, pause time.Duration) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("The trace was:\n%s", reference.Script(trace))
		}
	})
	s := newStage(t, c.members, c.database, c.jsm)
	s.pause = pause
	for _, step := range trace {
		s.do(step)
		if t.Failed() {
			s.fail("it ends here")
		}
	}
	if cmp.Or(os.Getenv(modelLogVariable), "0") != "0" {
		t.Logf("What happened, in seconds:\n%s", s.story())
	}
	t.Logf("%d steps, %d faults: %d messages, %d of them twice, %d acts of the leader, %d of them by one that was paused in their middle, in %s",
		len(trace), s.judged.faults, s.judged.messages, s.judged.repeated, s.judged.acts, s.late, time.Since(s.began).Round(time.Second))
}
