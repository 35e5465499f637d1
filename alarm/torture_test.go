package alarm_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
)

// An act is one thing that happens: of what kind, and by which dice.
type act struct {
	kind int // of a hundred
	dice uint64
}

// histories has so many random histories happen, of so many acts each, or as many as make torture asks
// for. Of one in which something is as it should not be all is left out that can be, and what remains
// is shown.
func histories(t *testing.T, n, acts int, happen func(t *testing.T, seed uint64, acts []act) (wrong []string)) {
	first := uint64(0)
	if testing.Short() {
		n = 10
	}
	if asked, err := strconv.Atoi(os.Getenv("TOCSIN_TORTURE")); err == nil { // make torture
		n, first = asked, rand.Uint64()>>1
	}
	if seed, err := strconv.ParseUint(os.Getenv("TOCSIN_SEED"), 10, 64); err == nil { // one that failed
		n, first = 1, seed
	}
	for seed := first; seed < first+uint64(n); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			all := randomActs(seed, acts)
			if len(happen(t, seed, all)) == 0 {
				return
			}
			few := shrink(all, func(acts []act) bool { return len(happen(t, seed, acts)) > 0 })
			t.Errorf("with %d acts:", len(few))
			for _, line := range happen(t, seed, few) {
				t.Error(line)
			}
		})
	}
}

func randomActs(seed uint64, n int) []act {
	rng := rand.New(rand.NewPCG(seed, 1))
	acts := make([]act, n)
	for i := range acts {
		acts[i] = act{rng.IntN(100), rng.Uint64()}
	}
	return acts
}

// shrink leaves out whatever can be left out without the fault going away: halves first, then ever
// smaller parts.
func shrink(acts []act, faulty func([]act) bool) []act {
	for size := len(acts) / 2; size > 0; {
		smaller := false
		for from := 0; from+size <= len(acts); {
			without := slices.Concat(acts[:from], acts[from+size:])
			if faulty(without) {
				acts, smaller = without, true
			} else {
				from += size
			}
		}
		if !smaller {
			size /= 2
		}
	}
	return acts
}
