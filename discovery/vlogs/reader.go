package vlogs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	"github.com/tocsin/tocsin/discovery"
)

// ReaderOptions configure a [Reader]. The zero value works.
type ReaderOptions struct {
	// Window is how far back the latest states are looked for: some cycles. An agent that wrote nothing
	// in it is not heard. Defaults to 2 min.
	Window time.Duration

	// Lookback is how far back documents are looked for. It must be longer than twice the Documents of the
	// writers. Defaults to 30 min.
	Lookback time.Duration

	// Timeout bounds the question for the latest states. Defaults to 30 s.
	Timeout time.Duration

	// Recall is how far back Last looks for what services said that do not answer. Defaults to 6 h.
	Recall time.Duration

	// Bytes bounds one answer. Defaults to 256 MiB.
	Bytes int64

	// Together is how many documents are asked for at once. Defaults to 100.
	Together int

	// Client sends the requests. Defaults to one with a timeout of 60 s.
	Client *http.Client

	// Header is sent with each request: a tenant's AccountID and ProjectID, or Authorization.
	Header http.Header
}

// A Reader reads what Writers wrote. It may be used by several goroutines.
type Reader struct {
	asker
	opts ReaderOptions
}

// NewReader returns a Reader of the VictoriaLogs at a URL such as http://victorialogs:9428.
func NewReader(base string, opts ReaderOptions) (*Reader, error) {
	u, err := parseURL(base)
	if err != nil {
		return nil, err
	}
	opts.Window = cmp.Or(opts.Window, 2*time.Minute)
	opts.Lookback = cmp.Or(opts.Lookback, 30*time.Minute)
	opts.Recall = cmp.Or(opts.Recall, 6*time.Hour)
	opts.Timeout = cmp.Or(opts.Timeout, 30*time.Second)
	opts.Bytes = cmp.Or(opts.Bytes, 256<<20)
	opts.Together = cmp.Or(opts.Together, 100)
	if opts.Window < 0 || opts.Timeout < 0 || opts.Lookback < 0 || opts.Recall < 0 || opts.Bytes < 0 || opts.Together < 0 {
		return nil, errors.New("an option is negative: leave it out for its default")
	}
	client := opts.Client
	if client == nil {
		client = &http.Client{Timeout: 60 * time.Second, Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	return &Reader{
		asker: asker{url: u, client: client, header: opts.Header, limit: opts.Bytes}, opts: opts,
	}, nil
}

// CloseIdleConnections closes the connections that nobody uses.
func (r *Reader) CloseIdleConnections() { r.client.CloseIdleConnections() }

// ahead is how far the clock of an agent may be before ours.
const ahead = time.Minute

// latest is the last row of each service, and of each agent's cycle. It names its columns, so that documents
// are never touched; the agent is among what it groups by, since two may have one service for a while. It is the
// cycle that is compared: by _time, row_max takes the first row of a block of rows and not the last (v1.121.0).
const latest = `{kind in ("state","cycle")} | stats by (kind, cluster, namespace, service, agent) row_max(cycle, _time, cycle, ` +
	`environment, status, why, reason, http, format, hash, latency_ms, failing, operations, failed_operations, role, life, version, target, ` +
	`contradicts, interval_ms, services, blind, gone) as row`

// A read is what a latest answer says of one agent.
type read struct {
	cycle    discovery.Cycle
	services int
	results  []discovery.Health
	of       []int64 // the cycle of each result
}

// Cycles returns the last cycle of each agent that wrote one in the window, sorted by cluster and agent. A
// service that its agent does not have any more is not in it. If rows of a cycle are missing, nobody knows
// which: it is incomplete then, and has those of the cycle before instead. What was written of a cycle that has
// not ended is in the one before.
func (r *Reader) Cycles(ctx context.Context, now time.Time) ([]discovery.Cycle, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	agents := map[discovery.AgentKey]*read{}
	var parser, inner fastjson.Parser
	err := r.ask(ctx, latest, now.Add(-r.opts.Window), now.Add(ahead), func(line []byte) error {
		outer, err := parser.ParseBytes(line)
		if err != nil {
			return fmt.Errorf("read %.100q: %w", line, err)
		}
		fields, err := inner.ParseBytes(outer.GetStringBytes("row"))
		if err != nil {
			return fmt.Errorf("read %.100q: %w", line, err)
		}
		k := discovery.AgentKey{Cluster: str(outer, "cluster"), Agent: str(outer, "agent")}
		if agents[k] == nil {
			agents[k] = &read{}
		}
		return agents[k].take(outer, fields)
	})
	if err != nil {
		return nil, fmt.Errorf("read the latest states: %w", err)
	}
	var cycles []discovery.Cycle
	for k, a := range agents {
		if a.cycle.At.IsZero() {
			continue // its first cycle has not ended
		}
		a.cycle.Cluster, a.cycle.Agent = k.Cluster, k.Agent
		a.complete()
		cycles = append(cycles, a.cycle)
	}
	slices.SortFunc(cycles, func(a, b discovery.Cycle) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Agent, b.Agent))
	})
	return cycles, nil
}

// complete gives the last cycle its results. A row of an earlier one is of a service that is gone, or whose row
// is missing: the cycle says how many there should be. Rows that come together need not be visible together, so
// that as long as some are missing those of the cycle before stand in.
func (a *read) complete() {
	if a.cycle.Blind || a.cycle.Gone {
		return
	}
	at := a.cycle.At.UnixNano()
	current := 0
	for _, of := range a.of {
		current += one(of >= at)
	}
	if a.cycle.Incomplete = current < a.services; a.cycle.Incomplete {
		at -= int64(2 * a.cycle.Interval)
	}
	for i, h := range a.results {
		if a.of[i] >= at {
			a.cycle.Results = append(a.cycle.Results, h)
		}
	}
	slices.SortFunc(a.cycle.Results, func(a, b discovery.Health) int { return a.Target.Key().Compare(b.Target.Key()) })
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (a *read) take(outer, fields *fastjson.Value) error {
	cycle := integer(fields, "cycle", 0)
	if str(outer, "kind") == kindCycle {
		a.cycle.At = time.Unix(0, cycle).UTC()
		a.cycle.Interval = time.Duration(integer(fields, "interval_ms", 0)) * time.Millisecond
		a.cycle.Blind = str(fields, "blind") == "true"
		a.cycle.Gone = str(fields, "gone") == "true"
		a.services = int(integer(fields, "services", 0))
		return nil
	}
	h, err := healthOf(outer, fields)
	if err != nil {
		return err
	}
	a.results, a.of = append(a.results, h), append(a.of, cycle)
	return nil
}

// healthOf is a health without its dependencies and its document.
func healthOf(outer, fields *fastjson.Value) (discovery.Health, error) {
	t := discovery.Target{
		Cluster: str(outer, "cluster"), Namespace: str(outer, "namespace"), Service: str(outer, "service"), Environment: str(fields, "environment"),
	}
	h := discovery.Health{Latency: discovery.NotGiven}
	at, err := time.Parse(time.RFC3339Nano, str(fields, "_time"))
	if err != nil {
		return h, fmt.Errorf("the state of %s: %w", t.Key(), err)
	}
	h.At = at
	if err := targetOf(&t, fields.GetStringBytes("target")); err != nil {
		return h, fmt.Errorf("the state of %s: %w", t.Key(), err)
	}
	_ = h.Activity.Role.UnmarshalText(fields.GetStringBytes("role"))
	_ = h.Activity.Life.UnmarshalText(fields.GetStringBytes("life"))
	t.Activity = h.Activity
	h.Target = t
	h.Report = discovery.Report{
		Format: discovery.Format(str(fields, "format")), HTTPStatus: int(integer(fields, "http", 0)), Why: discovery.Why(str(fields, "why")),
		Message: str(fields, "reason"), Version: str(fields, "version"), Duration: discovery.NotGiven, Contradicts: str(fields, "contradicts") == "true",
		Operations:       integer(fields, "operations", discovery.NotGiven),
		FailedOperations: integer(fields, "failed_operations", discovery.NotGiven),
	}
	if err := h.State.UnmarshalText(fields.GetStringBytes("status")); err != nil {
		return h, fmt.Errorf("the state of %s: %w", t.Key(), err)
	}
	if err := h.Hash.UnmarshalText(fields.GetStringBytes("hash")); err != nil {
		return h, fmt.Errorf("the state of %s: %w", t.Key(), err)
	}
	if ms, err := strconv.ParseFloat(str(fields, "latency_ms"), 64); err == nil {
		h.Latency = time.Duration(ms * 1e6)
	}
	return h, nil
}

// str returns a field; what VictoriaLogs does not have it leaves out.
func str(v *fastjson.Value, name string) string { return string(v.GetStringBytes(name)) }

func integer(v *fastjson.Value, name string, otherwise int64) int64 {
	n, err := strconv.ParseInt(str(v, name), 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}
