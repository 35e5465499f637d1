package server

import (
	"maps"
	"slices"

	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/discovery"
)

// A splitter makes one cycle for each cluster out of one for all: what is written names an agent by its
// cluster. A cluster of which nothing is left has an empty cycle from then on, which says so.
type splitter struct{ clusters map[string]bool }

func newSplitter(h *config.Health) *splitter {
	s := &splitter{clusters: map[string]bool{}}
	if h.Kubernetes != nil {
		s.clusters[h.Kubernetes.Cluster] = true
	}
	return s
}

func (s *splitter) split(c discovery.Cycle) []discovery.Cycle {
	results := map[string][]discovery.Health{}
	for _, h := range c.Results {
		cluster := h.Target.Cluster
		s.clusters[cluster] = true
		results[cluster] = append(results[cluster], h)
	}
	var all []discovery.Cycle
	for _, cluster := range slices.Sorted(maps.Keys(s.clusters)) {
		part := c
		part.Cluster, part.Results = cluster, results[cluster]
		all = append(all, part)
	}
	return all
}
