package depgraph

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// Kind says what a rule means for its impacts.
type Kind string

// Inhibition mutes the impacts, as Alertmanager's inhibit_rules do.
const Inhibition Kind = "inhibition"

// A Rule says which alerts explain which others. It must not be modified once a Graph has it.
type Rule struct {
	// Name is given with each reason. It may be empty, and need not be unique.
	Name string

	Kind Kind

	// Cause and Impact match the alerts on both sides. Empty matchers match every alert.
	Cause, Impact matcher.Matchers

	// On are the labels whose values have to be the same on both sides.
	On []Pair
}

// A Pair names the label of an impact and the label of a cause that have to have the same value.
type Pair struct{ Impact, Cause string }

// Same is a Pair of labels that have the same name on both sides.
func Same(label string) Pair { return Pair{Impact: label, Cause: label} }

// A Graph holds rules, ready to be asked.
type Graph struct {
	rules   []rule
	causes  matcher.Index[int] // positions in rules
	impacts matcher.Index[*side]
}

// A rule is a Rule, compiled.
type rule struct {
	name   string
	labels []model.LabelName // of the cause
	impact *side
}

// A side is what rules with the same impacts have in common: whom they match, and the labels by
// whose values these are told apart.
type side struct {
	id     int
	labels []model.LabelName
}

// New returns the graph of these rules, or everything that is wrong with them.
func New(rules []Rule) (*Graph, error) {
	g := &Graph{rules: make([]rule, len(rules))}
	sides := map[string]*side{}
	var wrong []error
	for i, r := range rules {
		if err := r.validate(); err != nil {
			wrong = append(wrong, fmt.Errorf("rule %d %q: %w", i, r.Name, err))
			continue
		}
		var causeLabels, impactLabels []model.LabelName
		for _, p := range r.On {
			causeLabels = append(causeLabels, model.LabelName(p.Cause))
			impactLabels = append(impactLabels, model.LabelName(p.Impact))
		}
		key := fmt.Sprintf("%s %q", r.Impact.Sorted(), impactLabels)
		s := sides[key]
		if s == nil {
			s = &side{id: len(sides), labels: impactLabels}
			sides[key] = s
			g.impacts.Add(r.Impact, s)
		}
		g.rules[i] = rule{name: r.Name, labels: causeLabels, impact: s}
		g.causes.Add(r.Cause, i)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return g, nil
}

func (r *Rule) validate() error {
	if r.Kind != Inhibition {
		return fmt.Errorf("kind %q is not known", r.Kind)
	}
	for _, p := range r.On {
		if p.Impact == "" || p.Cause == "" {
			return errors.New("a label to agree in has no name")
		}
	}
	return nil
}

// values are the values of some labels as one string. No two lists of values give the same.
func values(labels []model.LabelName, ls model.LabelSet) string {
	var buf [256]byte
	b := buf[:0]
	for _, name := range labels {
		value := ls[name]
		b = binary.AppendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	return string(b)
}
