package server

import (
	"maps"
	"slices"

	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/discovery"
)

// A splitter makes one cycle for each cluster out of one for all: what is written names an agent by its
// cluster. Of a cluster of which nothing is left it is said from then on that its agent is gone: after a restart
// nobody would know that it was asked there. In its own cluster an agent stays, for something may come.
type splitter struct {
	home     string
	clusters map[string]bool
}

func newSplitter(h *config.Health) *splitter {
	s := &splitter{clusters: map[string]bool{}}
	if h.Kubernetes != nil {
		s.home = h.Kubernetes.Cluster
		s.clusters[s.home] = true
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
		part.Gone = len(part.Results) == 0 && cluster != s.home && !c.Blind
		all = append(all, part)
	}
	return all
}
