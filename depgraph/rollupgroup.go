package depgraph

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// rewordEvery bounds how often the text of a raised alert follows what it counts: to word it takes as
// long as the group is large. Whether it is raised, and as which alert, follows at once.
const rewordEvery = 10 * time.Second

// withinTolerance is the note of an alert that is counted and for which no other stands.
const withinTolerance = "within what is tolerated"

// A member is an alert that one or more roll-ups count, or would if it were not silenced.
type member struct {
	labels   model.LabelSet
	since    time.Time
	groups   []*rollupGroup // in the order of the roll-ups
	silenced bool
	plain    map[string]string // its labels for templates, once one was rendered
}

// A rollupGroup is what one roll-up counts together.
type rollupGroup struct {
	key     rollupKey
	serial  int
	by      model.LabelSet
	members map[model.Fingerprint]*member // that count
	alerts  int                           // that would, if they were not silenced
	sizes   map[int]int                   // by what a label says of the size of the pool, how many members say so
	largest int                           // of sizes
	raised  *alarm.Alert                  // nil: what fires is tolerated
	step    int                           // as which raised is
	worded  time.Time                     // when its text was made
}

type rollupKey struct {
	rollup int
	values string
}

// add counts one more, remove one less.
func (g *rollupGroup) add(r *rollup, fp model.Fingerprint, m *member) {
	g.members[fp] = m
	if n, ok := r.size(m); ok {
		if g.sizes == nil {
			g.sizes = map[int]int{}
		}
		g.sizes[n]++
		g.largest = max(g.largest, n)
	}
}

func (g *rollupGroup) remove(r *rollup, fp model.Fingerprint, m *member) {
	delete(g.members, fp)
	n, ok := r.size(m)
	if !ok {
		return
	}
	if g.sizes[n]--; g.sizes[n] > 0 {
		return
	}
	if delete(g.sizes, n); n == g.largest {
		g.largest = 0
		for other := range g.sizes { // the order does not show: the greatest counts
			g.largest = max(g.largest, other)
		}
	}
}

// size is what a member says of the size of the pool.
func (r *rollup) size(m *member) (int, bool) {
	if r.Of.Label == "" {
		return 0, false
	}
	n, err := strconv.Atoi(string(m.labels[r.Of.Label]))
	return n, err == nil && n > 0
}

// total is how many there are of what a group counts, at least those that fire, or 0 if nobody knows.
func (r *rollup) total(g *rollupGroup) int {
	total := r.Of.Number
	switch {
	case r.Of.Label != "":
		total = g.largest
	case len(r.Of.Topology) > 0:
		total = r.sizes[g.key.values]
	}
	if total <= 0 {
		return 0
	}
	return max(total, len(g.members))
}

// step says as what so many are raised: 0 is Raise, and those above are its steps; -1 is not at all.
func (r *rollup) step(count, total int) int {
	if !r.Tolerate.exceeded(count, total) {
		return -1
	}
	step := 0
	for i := range r.Steps {
		if r.Steps[i].Above.exceeded(count, total) {
			step = i + 1
		}
	}
	return step
}

// data is what the templates see. It takes as long as the group is large.
func (g *rollupGroup) data(name string, labels model.LabelSet, total int) RollupData {
	type one struct {
		fingerprint model.Fingerprint
		member      *member
	}
	all := make([]one, 0, len(g.members))
	for fp, m := range g.members { // the order does not show: they are sorted
		all = append(all, one{fp, m})
	}
	slices.SortFunc(all, func(a, b one) int { return cmp.Compare(a.fingerprint, b.fingerprint) })
	data := RollupData{Name: name, Labels: plain(labels), Count: len(all), Total: total, Members: make([]map[string]string, 0, len(all))}
	if total > 0 {
		data.Percent = 100 * float64(len(all)) / float64(total)
	}
	for _, o := range all {
		if o.member.plain == nil {
			o.member.plain = plain(o.member.labels)
		}
		data.Members = append(data.Members, o.member.plain)
	}
	return data
}
