package depgraph

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A Rollup turns many weak alerts into one that states the impact. It counts, for each set of values of
// the labels By, the alerts of sources that match, fire and are not silenced. Up to Tolerate they are for
// information only; beyond it one alert is raised in their place.
type Rollup struct {
	// Name is given with each reason, and is the raised alert's name unless Raise gives another. It is
	// unique.
	Name string

	// Match says which alerts are counted. It must not be empty.
	Match matcher.Matchers

	// By are the labels by whose values they are counted apart. An alert that lacks one is not counted.
	// The raised alert has them, too.
	By []model.LabelName

	// Of says how many there are of what the alerts are about.
	Of Pool

	// Tolerate is how many may fire. Defaults to none.
	Tolerate Tolerance

	// Raise is what is raised beyond that.
	Raise Raise

	// Steps raise differently: the last one whose tolerance is exceeded counts. What it does not say
	// is as in Raise. An alert with other labels is another alert: the one ends and the other begins.
	Steps []Step
}

// A Pool says how many there are of something. At most one field is set; if none is, nobody knows.
type Pool struct {
	// Number is always the same.
	Number int

	// Label is a label of the alerts that are counted, whose value says it; the greatest counts.
	Label model.LabelName

	// Topology matches the entities that are counted, by their labels, beside which they have name
	// and kind. They have the labels By with the same values.
	Topology matcher.Matchers
}

// A Tolerance is a number, or a share of the pool. Of a pool of unknown size no share is tolerated.
type Tolerance struct {
	Count   int
	Percent float64 // above 0, it counts
}

// exceeded says whether so many are more than is tolerated. Total is 0 if nobody knows.
func (t Tolerance) exceeded(count, total int) bool {
	if t.Percent > 0 {
		return count > 0 && float64(count)*100 > t.Percent*float64(total)
	}
	return count > t.Count
}

// Raise describes an alert that is raised.
type Raise struct {
	// Labels are its labels beside those of By.
	Labels model.LabelSet

	// Annotations are templates of text/template over a [RollupData], with the function join of package
	// strings.
	Annotations map[model.LabelName]string
}

// A Step raises differently from a share on.
type Step struct {
	Above Tolerance
	Raise Raise
}

// raises returns what may be raised, the first step last.
func (r *Rollup) raises() []Raise {
	all := []Raise{r.Raise}
	for _, s := range r.Steps {
		all = append(all, Raise{
			Labels:      r.Raise.Labels.Merge(s.Raise.Labels),
			Annotations: merge(r.Raise.Annotations, s.Raise.Annotations),
		})
	}
	return all
}

func merge(a, b map[model.LabelName]string) map[model.LabelName]string {
	merged := maps.Clone(a)
	if merged == nil {
		merged = map[model.LabelName]string{}
	}
	maps.Copy(merged, b)
	return merged
}

// labels returns the labels of the alert that is raised for these values of By.
func (r Raise) labels(name string, by model.LabelSet) model.LabelSet {
	return model.LabelSet{model.AlertNameLabel: model.LabelValue(name)}.Merge(r.Labels).Merge(by)
}

// Validate returns everything that is wrong with the roll-up alone, or nil.
func (r *Rollup) Validate(o RollupOptions) error {
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if r.Name == "" {
		refuse("it has no name")
	}
	if len(r.Match) == 0 {
		refuse("nothing says which alerts to count")
	}
	for i, by := range r.By {
		if by == "" || by == model.AlertNameLabel || slices.Contains(r.By[:i], by) {
			refuse("%q cannot be counted by", by)
		}
		for _, raise := range r.raises() {
			if _, both := raise.Labels[by]; both {
				refuse("label %q is counted by, and cannot be raised with another value", by)
				break
			}
		}
	}
	known := 0
	for _, set := range []bool{r.Of.Number != 0, r.Of.Label != "", len(r.Of.Topology) > 0} {
		if set {
			known++
		}
	}
	switch {
	case r.Of.Number < 0:
		refuse("a pool of %d is none", r.Of.Number)
	case known > 1:
		refuse("the size of the pool is given twice")
	case len(r.Of.Topology) > 0 && o.Topology == nil:
		refuse("the topology says how many there are, and there is none")
	}
	shares := []Tolerance{r.Tolerate}
	for _, s := range r.Steps {
		shares = append(shares, s.Above)
	}
	for _, t := range shares {
		switch {
		case t.Count < 0 || t.Percent < 0 || t.Percent >= 100 || t.Count > 0 && t.Percent > 0:
			refuse("a tolerance is a number, or a share below 100%%")
		case t.Percent > 0 && known == 0:
			refuse("%g%% of a pool of which nobody knows the size", t.Percent)
		}
	}
	for _, one := range r.raises() {
		if _, err := compileAnnotations(r, one); err != nil {
			wrong = append(wrong, err)
			break // each step has those of Raise, too
		}
	}
	return errors.Join(wrong...)
}

// RollupOptions are what roll-ups refer to. The zero value works.
type RollupOptions struct {
	// Topology says how many there are of what is counted. Nil is none.
	Topology alarm.Topology
}

// Rollups are a list of them, ready to be followed.
type Rollups struct {
	list     []rollup
	index    matcher.Index[int]
	topology *topology
}

// A rollup is a Rollup, compiled.
type rollup struct {
	Rollup
	raise []raise        // the first is Raise, then one for each step
	sizes map[string]int // what the topology knows
}

// A raise is a Raise, compiled.
type raise struct {
	labels      model.LabelSet
	annotations []annotation
}

// NewRollups returns these roll-ups, or everything that is wrong with them.
func NewRollups(rollups []Rollup, o RollupOptions) (*Rollups, error) {
	rs := &Rollups{list: make([]rollup, len(rollups))}
	if o.Topology != nil {
		rs.topology = newTopology(o.Topology)
	}
	seen := map[string]bool{}
	raised := map[string]string{} // what is raised, and by whom
	var wrong []error
	for i := range rollups {
		r := &rollups[i]
		refuse := func(err error) { wrong = append(wrong, fmt.Errorf("roll-up %d %q: %w", i, r.Name, err)) }
		if err := r.Validate(o); err != nil {
			refuse(err)
			continue
		}
		if seen[r.Name] {
			refuse(errors.New("the name is given twice"))
		}
		seen[r.Name] = true
		rs.list[i] = rollup{Rollup: *r, sizes: rs.sizes(r)}
		for _, one := range r.raises() {
			labels := one.labels(r.Name, nil)
			key := fmt.Sprintf("%s by %v", labels, slices.Sorted(slices.Values(r.By)))
			if by, other := raised[key]; other && by != r.Name {
				refuse(fmt.Errorf("it raises the same alerts as %q", by))
			}
			raised[key] = r.Name
			annotations, _ := compileAnnotations(r, one) // they are valid
			rs.list[i].raise = append(rs.list[i].raise, raise{labels, annotations})
		}
		rs.index.Add(r.Match, i)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return rs, nil
}

// sizes counts the entities of a roll-up's pools.
func (rs *Rollups) sizes(r *Rollup) map[string]int {
	if len(r.Of.Topology) == 0 {
		return nil
	}
	sizes := map[string]int{}
	for i, facts := range rs.topology.facts {
		if key, ok := r.key(rs.topology.labels[i]); ok && r.Of.Topology.Matches(facts) {
			sizes[key]++
		}
	}
	return sizes
}

// key joins the values of the labels By, or returns false if one is missing.
func (r *Rollup) key(labels model.LabelSet) (string, bool) {
	var b []byte
	for _, name := range r.By {
		value := labels[name]
		if value == "" {
			return "", false
		}
		b = appendValue(b, string(value))
	}
	return string(b), true
}
