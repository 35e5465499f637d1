package depgraph

import (
	"encoding/binary"
	"net"

	"github.com/prometheus/common/model"
)

// A pool's key holds one part for each pair: the value itself, or what stands for values that are
// missing where the label is optional. An impact that has the label finds the causes with the same value
// and those without one; an impact without it finds all of them.
const (
	present = '='
	missing = '-'
	all     = '*'
)

// impactKeys returns the keys of the pools in which an alert is an impact, none if it lacks a label.
func (s *side) impactKeys(labels model.LabelSet, entity int) []string {
	keys, ok := s.keys(labels, func(p Pair) string { return p.Impact }, func(found bool) string {
		if found {
			return string([]byte{present, missing})
		}
		return string(all)
	})
	if !ok {
		return nil
	}
	return s.withEntity(keys, entity)
}

// causeKeys returns the keys of the pools in which an alert is a cause of a rule; of one that goes via
// the topology, but for the entity.
func (r *rule) causeKeys(labels model.LabelSet) []string {
	s := side{pairs: r.On, loose: r.impact.loose}
	keys, _ := s.keys(labels, func(p Pair) string { return p.Cause }, func(found bool) string {
		if found {
			return string([]byte{present, all})
		}
		return string([]byte{missing, all})
	})
	return keys
}

// keys builds the keys out of the values of the labels that name gives; forms says as what an optional
// one counts. It returns false if a label is missing that has to be there.
func (s *side) keys(labels model.LabelSet, name func(Pair) string, forms func(found bool) string) ([]string, bool) {
	var buf [256]byte
	keys := [][]byte{buf[:0]}
	for _, p := range s.pairs {
		value := string(labels[model.LabelName(name(p))])
		if p.StripPort {
			value = stripPort(value)
		}
		switch {
		case s.loose:
			keys[0] = appendValue(keys[0], value)
		case p.Optional:
			keys = fork(keys, forms(value != ""), value)
		case value == "":
			return nil, false
		default:
			for i := range keys {
				keys[i] = appendValue(keys[i], value)
			}
		}
	}
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = string(k)
	}
	return texts, true
}

// fork goes on with each key in each of the forms.
func fork(keys [][]byte, forms, value string) [][]byte {
	forked := make([][]byte, 0, len(keys)*len(forms))
	for _, k := range keys {
		for i := range len(forms) {
			next := append(append(make([]byte, 0, len(k)+len(value)+4), k...), forms[i])
			if forms[i] == present {
				next = appendValue(next, value)
			}
			forked = append(forked, next)
		}
	}
	return forked
}

// appendValue appends so that no two lists of values give the same.
func appendValue(b []byte, value string) []byte {
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

func (s *side) withEntity(keys []string, entity int) []string {
	if s.via {
		for i := range keys {
			keys[i] = entityKey(keys[i], entity)
		}
	}
	return keys
}

func entityKey(key string, entity int) string {
	return string(binary.AppendUvarint([]byte(key), uint64(entity)))
}

// stripPort leaves the port out of host:port, and the brackets out of [::1]:9100.
func stripPort(value string) string {
	if host, _, err := net.SplitHostPort(value); err == nil && host != "" {
		return host
	}
	return value
}
