package source

import "time"

const (
	// maxGenerationBytes bounds a generation by what its entries weigh.
	maxGenerationBytes = 256 << 20

	// lifetime is how long a generation stays young at most: longer than senders take to repeat an
	// alert. What nobody asks for is dropped after one to two lifetimes.
	lifetime = 10 * time.Minute
)

// weighty is what knows about how many bytes keeping it costs.
type weighty interface{ weight() int }

// generations is a bounded cache of two generations. What is asked for moves to the young one; when
// that is full, or has lived long enough, it becomes the old one and the old one is dropped. So
// what is in use stays, and no list of uses is kept. Whoever holds it guards it.
type generations[K comparable, V weighty] struct {
	max        int // entries of a generation
	young, old map[K]V
	bytes      int // of young
	since      time.Time
}

func newGenerations[K comparable, V weighty](limit int) generations[K, V] {
	return generations[K, V]{max: limit, young: map[K]V{}}
}

// age lets time pass.
func (g *generations[K, V]) age(now time.Time) {
	switch {
	case g.since.IsZero():
		g.since = now
	case now.Sub(g.since) >= lifetime:
		g.turn()
		g.since = now
	}
}

func (g *generations[K, V]) get(k K) (V, bool) {
	v, ok := g.young[k]
	if ok {
		return v, true
	}
	if v, ok = g.old[k]; ok {
		g.put(k, v)
	}
	return v, ok
}

func (g *generations[K, V]) put(k K, v V) {
	bytes := v.weight()
	if len(g.young) >= g.max || g.bytes+bytes > maxGenerationBytes {
		g.turn()
	}
	g.young[k] = v
	g.bytes += bytes
}

func (g *generations[K, V]) turn() {
	g.old, g.young, g.bytes = g.young, make(map[K]V, len(g.young)), 0
}
