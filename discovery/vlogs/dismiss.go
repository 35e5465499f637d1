package vlogs

import (
	"context"
	"fmt"
	"time"

	"github.com/tocsin/tocsin/discovery"
)

// Dismiss tells all who read from a VictoriaLogs that an agent is gone for good, with all that it had: a cycle in
// its stead says so, which counts until the agent writes a later one. Of the options Client and Header count.
func Dismiss(ctx context.Context, base string, k discovery.AgentKey, opts WriterOptions) error {
	w, err := NewWriter(base, WriterOptions{Client: opts.Client, Header: opts.Header})
	if err != nil {
		return err
	}
	if opts.Client == nil {
		defer w.client.CloseIdleConnections()
	}
	l, err := line(cycleOf(&discovery.Cycle{Cluster: k.Cluster, Agent: k.Agent, At: time.Now().UTC(), Gone: true}))
	if err != nil {
		return err
	}
	if err := w.post(ctx, w.encoder.EncodeAll(l, nil)); err != nil {
		return fmt.Errorf("write that agent %s of cluster %s is gone: %w", k.Agent, k.Cluster, err)
	}
	return nil
}
