package server

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/discovery"
)

func TestSplit(t *testing.T) {
	s := newSplitter(&config.Health{Kubernetes: &config.HealthKubernetes{Cluster: "home"}})
	of := func(clusters ...string) discovery.Cycle {
		c := discovery.Cycle{Agent: "one", Cluster: "home"}
		for _, name := range clusters {
			c.Results = append(c.Results, discovery.Health{Target: discovery.Target{Cluster: name}})
		}
		return c
	}
	counts := func(cycles []discovery.Cycle) map[string]int {
		all := map[string]int{}
		for _, c := range cycles {
			all[c.Cluster] = len(c.Results)
			if c.Gone {
				all[c.Cluster] = -1
			}
		}
		return all
	}
	assert.Equal(t, map[string]int{"home": 0, "a": 2, "b": 1}, counts(s.split(of("a", "a", "b"))))
	assert.Equal(t, map[string]int{"home": 1, "a": -1, "b": 1}, counts(s.split(of("b", "home"))), "what is gone is said to be gone")
	assert.Equal(t, map[string]int{"home": 0, "a": -1, "b": -1}, counts(s.split(of())), "but for the agent in its own cluster")
	blind := of()
	blind.Blind = true
	assert.Equal(t, map[string]int{"home": 0, "a": 0, "b": 0}, counts(s.split(blind)))
}
