package server

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/discovery"
)

// healthPart and agentsKey are where the agents that were heard are stored, so that one that is missed after a
// restart or a take-over is missed, and none is that another server was told to forget.
const (
	healthPart = "health"
	agentsKey  = "agents"
)

// restore takes what is stored of health, once, and returns what is known of the topology. The engine calls it
// before it decides anything.
func (h *healthKeeper) restore(s *alarm.Stored) alarm.Entities {
	h.once.Do(func() {
		at := slices.IndexFunc(s.Rows, func(r alarm.Row) bool { return r.Part == healthPart && r.Key == agentsKey })
		if at >= 0 {
			if err := json.Unmarshal(s.Rows[at].Value, &h.agents); err != nil {
				h.log.Error("the names of agents are damaged: one that is missed is not noticed", "err", err)
			}
		}
		close(h.restored)
	})
	return h.topology.at(s)
}

// keepAgents stores which agents are known, if they are others than before.
func (r *healthRun) keepAgents(ctx context.Context, agents []discovery.AgentKey) {
	if slices.Equal(agents, *r.agents) {
		return
	}
	text, err := json.Marshal(agents)
	if err == nil {
		err = r.silences.Submit(ctx, alarm.Input{Rows: []alarm.Row{{Part: healthPart, Key: agentsKey, Value: text}}})
	}
	if err == nil {
		*r.agents = agents
	} else if ctx.Err() == nil {
		r.log.Error("the names of agents were not kept", "err", err)
	}
}
