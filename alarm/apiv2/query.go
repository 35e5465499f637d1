package apiv2

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A query says which alerts, or groups, are asked for.
type query struct {
	filter   matcher.Matchers
	receiver *regexp.Regexp   // nil: any
	owners   matcher.Matchers // on the labels of a receiver

	active, silenced, inhibited, unprocessed, muted bool

	labels map[string]map[string]string // of each receiver
	known  map[string]passes            // what was found out about a receiver's name
}

// passes are the two tests that a receiver can pass.
type passes struct{ receiver, owners bool }

func parseQuery(v url.Values, receivers []alarm.ReceiverSpec) (*query, error) {
	q := &query{
		active:      truth(v, "active"),
		silenced:    truth(v, "silenced"),
		inhibited:   truth(v, "inhibited"),
		unprocessed: truth(v, "unprocessed"),
		muted:       truth(v, "muted"),
	}
	var err error
	if q.filter, err = parseMatchers(v["filter"]); err != nil {
		return nil, badRequest("%w", err)
	}
	if name := last(v, "receiver"); name != "" {
		if q.receiver, err = regexp.Compile("^(?:" + name + ")$"); err != nil {
			return nil, badRequest("failed to parse receiver param: %w", err)
		}
	}
	if q.owners, err = parseMatchers(v["receiver_matchers"]); err != nil {
		return nil, badRequest("failed to parse receiver_matchers param: %w", err)
	}
	if q.anyReceiver() {
		return q, nil
	}
	q.known = make(map[string]passes)
	q.labels = make(map[string]map[string]string, len(receivers))
	for _, spec := range receivers {
		q.labels[spec.Name] = spec.Labels
	}
	return q, nil
}

// narrow returns the matchers by which the engine can leave out much of what is not asked for. The
// others tell an absent label from an empty one, which is our own business.
func (q *query) narrow() matcher.Matchers {
	var narrow matcher.Matchers
	for _, m := range q.filter {
		if m.Type == matcher.Equal && m.Value != "" {
			narrow = append(narrow, m)
		}
	}
	return narrow
}

func (q *query) anyReceiver() bool { return q.receiver == nil && len(q.owners) == 0 }

// passes judges one receiver.
func (q *query) passes(name string) passes {
	if p, ok := q.known[name]; ok {
		return p
	}
	labels, ok := q.labels[name]
	p := passes{
		receiver: q.receiver == nil || q.receiver.MatchString(name),
		owners: len(q.owners) == 0 || ok && matches(q.owners, func(label string) (string, bool) {
			v, ok := labels[label]
			return v, ok
		}),
	}
	q.known[name] = p
	return p
}

// reaches says whether the receivers of an alert are among those asked for. One may pass the one
// test and another the other.
func (q *query) reaches(receivers []string) bool {
	if q.anyReceiver() {
		return true
	}
	var found passes
	for _, name := range receivers {
		p := q.passes(name)
		found.receiver = found.receiver || p.receiver
		found.owners = found.owners || p.owners
	}
	return found.receiver && found.owners
}

// among returns the receivers that pass both tests, sorted, as groups show them.
func (q *query) among(receivers []string) []string {
	if q.anyReceiver() && len(receivers) < 2 {
		return receivers
	}
	var sorted []string
	for _, name := range receivers {
		if p := q.anyReceiver(); p || q.passes(name) == (passes{true, true}) {
			sorted = append(sorted, name)
		}
	}
	slices.Sort(sorted)
	return sorted
}

// wants says whether an alert is asked for, whoever receives it.
func (q *query) wants(a *alarm.Alert, s *status) bool {
	if !matchesLabels(q.filter, a.Labels) {
		return false
	}
	if !q.active && s.state == stateActive || !q.unprocessed && s.state == stateUnprocessed {
		return false
	}
	return (q.silenced || len(s.silencedBy) == 0) && (q.inhibited || len(s.inhibitedBy) == 0)
}

// truth reads a boolean as Alertmanager does: absent or empty is true, and what is no boolean is
// false.
func truth(v url.Values, name string) bool {
	switch strings.ToLower(last(v, name)) {
	case "", "true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled":
		return true
	default:
		return false
	}
}

func last(v url.Values, name string) string {
	all := v[name]
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

func parseMatchers(inputs []string) (matcher.Matchers, error) {
	ms := make(matcher.Matchers, 0, len(inputs))
	for _, input := range inputs {
		m, err := matcher.ParseOne(input)
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, nil
}

func matchesLabels(ms matcher.Matchers, ls model.LabelSet) bool {
	return len(ms) == 0 || matches(ms, func(name string) (string, bool) {
		v, ok := ls[model.LabelName(name)]
		return string(v), ok
	})
}

// matches tells an absent label from an empty one, which a receiver can have, as Alertmanager's
// filters do: a="" and a=~"" want it absent or empty, a!="" and a!~"" want it present.
func matches(ms matcher.Matchers, label func(name string) (string, bool)) bool {
	for _, m := range ms {
		value, present := label(m.Name)
		negative := m.Type == matcher.NotEqual || m.Type == matcher.NotRegexp
		if m.Value == "" && present == negative {
			continue
		}
		if !m.Matches(value) {
			return false
		}
	}
	return true
}
