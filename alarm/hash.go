package alarm

import (
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/common/model"
)

// Hash is the hash that Alertmanager's notification log identifies an alert by: 64-bit xxHash over
// the labels sorted by name, each as name 0xFF value 0xFF. What was told is kept in this form, so
// that an imported notification log matches.
func Hash(ls model.LabelSet) uint64 {
	var names [32]string
	var buf [1024]byte
	b := buf[:0]
	for _, name := range sortedNames(ls, names[:0]) {
		b = append(b, name...)
		b = append(b, 0xff)
		b = append(b, ls[model.LabelName(name)]...)
		b = append(b, 0xff)
	}
	return xxhash.Sum64(b)
}

// fingerprint is model.LabelSet.Fingerprint without its allocations: 64-bit FNV-1a.
func fingerprint(ls model.LabelSet) model.Fingerprint {
	const offset, prime = 14695981039346656037, 1099511628211
	var names [32]string
	h := uint64(offset)
	for _, name := range sortedNames(ls, names[:0]) {
		for _, s := range [...]string{name, string(ls[model.LabelName(name)])} {
			for i := range len(s) {
				h = (h ^ uint64(s[i])) * prime
			}
			h = (h ^ 0xff) * prime
		}
	}
	return model.Fingerprint(h)
}

// sortedNames appends the names of the labels to a slice that is empty, sorted.
func sortedNames(ls model.LabelSet, names []string) []string {
	for name := range ls {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names
}
