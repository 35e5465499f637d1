package cachetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/tocsin/tocsin/discovery"
)

// Results returns an answer of each of so many services in so many environments. All of them say the same
// word, in every tier, and so does each document.
func Results(environments, services int, at time.Time, word string, state discovery.State) []discovery.Health {
	var out []discovery.Health
	for e := range environments {
		for s := range services {
			out = append(out, Health(fmt.Sprintf("env-%04d", e), fmt.Sprintf("service-%02d", s), at, word, state))
		}
	}
	return out
}

// Health returns the answer of one service. One namespace in ten is in each cluster.
func Health(namespace, service string, at time.Time, word string, state discovery.State) discovery.Health {
	status, code := "UP", 200
	if state == discovery.Fail {
		status, code = "DOWN", 503
	}
	raw := fmt.Sprintf(`{"status":%q,"components":{"db":{"status":%q,"details":{"error":%q}}}}`, status, status, word)
	h := discovery.Health{
		Target: discovery.Target{
			Cluster: "cluster-" + namespace[len(namespace)-1:], Namespace: namespace, Environment: strings.ToUpper(namespace),
			Service: service, URL: "http://" + service + "." + namespace + "/health",
		},
		At: at, Latency: 3 * time.Millisecond, Raw: []byte(raw), ContentType: "application/json",
	}
	h.Report = discovery.Parse(discovery.Answer{Status: code, ContentType: "application/json", Body: h.Raw})
	h.Version, h.Message = word, word
	copy(h.Hash[:], fmt.Sprintf("%-16s", word+state.String()))
	return h
}

// Cycle is what one agent found.
func Cycle(agent, cluster string, at time.Time, results []discovery.Health) discovery.Cycle {
	c := discovery.Cycle{Agent: agent, Cluster: cluster, At: at, Interval: 30 * time.Second}
	for _, h := range results {
		if h.Target.Cluster == cluster {
			c.Results = append(c.Results, h)
		}
	}
	return c
}
