package vlogs

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery"
)

// The states of a day without VictoriaLogs, 350 environments with 12 services each 30 s, fit into half of the
// default spool: the other half is for documents that change.
func TestSpoolHoldsADay(t *testing.T) {
	w, err := NewWriter("http://127.0.0.1:1", WriterOptions{})
	require.NoError(t, err)
	c := discovery.Cycle{Agent: "agent-7f9c", Cluster: "eu-1", At: now(), Interval: 30 * time.Second}
	for i := range 4200 {
		h := health(fmt.Sprintf("env-%04d", i/12), fmt.Sprintf("service-%02d", i%12), now().Add(time.Duration(i)*7*time.Millisecond), `{"status":"UP"}`)
		h.Latency = time.Duration(i*104729%90_000_000) * time.Nanosecond
		h.Operations, h.Hash[3] = int64(i)*7919%100_000, byte(i)
		h.Target.URL = fmt.Sprintf("http://service-%02d.env-%04d.svc.cluster.local:8080/health", i%12, i/12)
		h.Target.Workload = &discovery.Workload{Endpoints: 2, ReadyEndpoints: 2, Pods: []discovery.Pod{
			{Name: fmt.Sprintf("service-%02d-7f9c-%05x", i%12, i*7919), Phase: "Running", Ready: true, CPU: int64(i % 97), Memory: int64(i) * 104729},
		}}
		c.Results = append(c.Results, h)
	}
	require.NoError(t, w.Write(t.Context(), c))
	_, size := w.Waiting()
	day := size * 24 * 120
	t.Logf("%d bytes a cycle, %d MiB a day", size, day>>20)
	assert.Less(t, day, int64(1<<30))
}
