package cache

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is what a search finds.
type Kind string

// The kinds. A service is found once, for all environments that have it.
const (
	ClusterKind     Kind = "cluster"
	EnvironmentKind Kind = "environment"
	ServiceKind     Kind = "service"
)

// A Hit is one thing that was found. Cluster and Namespace are set as far as they tell it apart.
type Hit struct {
	Kind      Kind   `json:"kind"`
	Name      string `json:"name"`
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// A term is "p" and a folded name, or "s" and the end of one, and then what it stands for, each after a
// zero byte. So names that begin with a text are one range of a sorted set, and names that have it within
// are another.
const (
	wholeName = "p"
	nameEnd   = "s"
)

// longest is how many runes of a name can be found from within.
const longest = 64

// String returns the hit as a term of the search index has it.
func (h Hit) String() string {
	return strings.Join([]string{string(h.Kind), h.Cluster, h.Namespace, h.Name}, "\x00")
}

func hitOf(term string) (Hit, bool) {
	parts := strings.Split(term, "\x00")
	if len(parts) != 5 {
		return Hit{}, false
	}
	return Hit{Kind: Kind(parts[1]), Cluster: parts[2], Namespace: parts[3], Name: parts[4]}, true
}

// foldName brings a name or a query to the form in which they are compared.
func foldName(s string) string {
	return strings.ToLower(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", ""))
}

// hits returns all that can be found in a version, sorted.
func (v *version) hits() []Hit {
	var all []Hit
	services := map[string]bool{}
	cluster := ""
	for i := range v.Environments {
		e := &v.Environments[i]
		if i == 0 || e.Cluster != cluster {
			cluster = e.Cluster
			all = append(all, Hit{Kind: ClusterKind, Name: cluster})
		}
		all = append(all, Hit{Kind: EnvironmentKind, Name: e.Name, Cluster: e.Cluster, Namespace: e.Namespace})
		for j := range e.Services {
			if name := e.Services[j].Name; !services[name] {
				services[name] = true
				all = append(all, Hit{Kind: ServiceKind, Name: name})
			}
		}
	}
	slices.SortFunc(all, func(a, b Hit) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return all
}

// searchKey is the key of the index of some hits: as long as nothing comes or goes it stays.
func searchKey(hits []Hit) string {
	sum := sha256.New()
	for _, h := range hits {
		_, _ = sum.Write([]byte(h.String() + "\n"))
	}
	return "search/" + hex.EncodeToString(sum.Sum(nil)[:16])
}

// termsOf returns the sorted set of some hits.
func termsOf(hits []Hit) []string {
	var terms []string
	for _, h := range hits {
		folded := foldName(h.Name)
		tail := "\x00" + h.String()
		terms = append(terms, wholeName+folded+tail)
		for n := 0; len(folded) > 0 && n < longest; n++ {
			_, size := utf8.DecodeRuneInString(folded)
			if folded = folded[size:]; folded != "" {
				terms = append(terms, nameEnd+folded+tail)
			}
		}
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

// A lexical range of a sorted set, as [Index] has it.
type ranger func(prefix, after string, limit int) ([]string, error)

// search returns at most limit hits: first those whose names begin with the query, and then those that have
// it within, each in order.
func search(query string, limit int, in ranger) ([]Hit, error) {
	query = foldName(strings.TrimSpace(query))
	var hits []Hit
	seen := map[Hit]bool{}
	for _, kind := range [...]string{wholeName, nameEnd} {
		if kind == nameEnd && query == "" {
			break // all names begin with nothing
		}
		after := ""
		for len(hits) < limit {
			terms, err := in(kind+query, after, limit+1)
			if err != nil {
				return nil, err
			}
			for _, t := range terms {
				h, ok := hitOf(t)
				if ok && !seen[h] && len(hits) < limit {
					seen[h] = true
					hits = append(hits, h)
				}
				after = t
			}
			if len(terms) <= limit {
				break
			}
		}
	}
	return hits, nil
}

// lexical is a range of sorted terms in memory.
func lexical(terms []string, prefix, after string, limit int) []string {
	at, _ := slices.BinarySearch(terms, max(prefix, after))
	var out []string
	for ; at < len(terms) && len(out) < limit && strings.HasPrefix(terms[at], prefix); at++ {
		if terms[at] > after {
			out = append(out, terms[at])
		}
	}
	return out
}
