package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tocsin/tocsin/discovery"
)

// agentsFile is the file that names the agents that were heard, so that one that is missed after a restart
// is missed.
const agentsFile = "health-agents.json"

// readAgents returns the agents that were heard, as far as this is known.
func readAgents(folder string) ([]discovery.AgentKey, error) {
	text, err := os.ReadFile(filepath.Join(folder, agentsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var agents []discovery.AgentKey
	if err := json.Unmarshal(text, &agents); err != nil {
		return nil, fmt.Errorf("read %s: %w", agentsFile, err)
	}
	return agents, nil
}

// writeAgents keeps the agents, at once or not at all.
func writeAgents(folder string, agents []discovery.AgentKey) error {
	text, err := json.Marshal(agents)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, agentsFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
