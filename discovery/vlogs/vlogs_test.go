package vlogs

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/vlogs/vlogstest"
)

// now is cut, since a row's time has nanoseconds and a target's JSON has not.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func health(namespace, service string, at time.Time, body string) discovery.Health {
	h := discovery.Health{
		Target:  discovery.Target{Cluster: "eu-1", Namespace: namespace, Environment: namespace, Service: service, URL: "http://" + service},
		At:      at,
		Latency: 12500 * time.Microsecond, Raw: []byte(body), ContentType: "application/json",
	}
	h.Report = discovery.Parse(discovery.Answer{Status: 200, ContentType: "application/json", Body: h.Raw})
	return h
}

func cycle(agent string, at time.Time, results ...discovery.Health) discovery.Cycle {
	return discovery.Cycle{Agent: agent, Cluster: "eu-1", At: at, Interval: 30 * time.Second, Results: results}
}

// A rig is a writer and a reader of one server.
type rig struct {
	*Writer
	*Reader
	server *vlogstest.Server
	t      *testing.T
}

func newRig(t *testing.T, opts WriterOptions) *rig {
	s := vlogstest.Start(t)
	opts.Receipt = -1
	w, err := NewWriter(s.URL, opts)
	require.NoError(t, err)
	r, err := NewReader(s.URL, ReaderOptions{})
	require.NoError(t, err)
	t.Cleanup(r.CloseIdleConnections)
	t.Cleanup(w.client.CloseIdleConnections)
	return &rig{w, r, s, t}
}

// write writes a cycle with its documents, and returns when they can be read.
func (r *rig) write(c discovery.Cycle) {
	r.t.Helper()
	for _, h := range c.Results {
		require.NoError(r.t, r.Document(r.t.Context(), h))
	}
	require.NoError(r.t, r.Write(r.t.Context(), c))
	r.drain()
}

// drain sends what is in the spool.
func (r *rig) drain() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	require.Eventually(r.t, func() bool { n, _ := r.Waiting(); return n == 0 }, 20*time.Second, 10*time.Millisecond)
	cancel()
	require.NoError(r.t, <-ended)
	r.server.Flush()
}

func (r *rig) cycles() []discovery.Cycle {
	r.t.Helper()
	cycles, err := r.Cycles(r.t.Context(), time.Now())
	require.NoError(r.t, err)
	return cycles
}

// What is written is read: states, targets with their pods, and documents by hash.
func TestRoundTrip(t *testing.T) {
	r := newRig(t, WriterOptions{Agent: "agent-1"})
	at := now()
	a := health("env-1", "orders", at, `{"status":"DOWN","components":{"db":{"status":"DOWN","details":{"error":"refused"}}}}`)
	a.Target.Labels = model.LabelSet{"team": "shop"}
	a.Target.Activity = discovery.Activity{Role: discovery.Passive, Life: discovery.Idle}
	a.Activity = a.Target.Activity
	a.Target.Workload = &discovery.Workload{Pods: []discovery.Pod{{Name: "orders-0", Phase: "Running", Restarts: 3, CPU: 5}}, Endpoints: 1}
	b := discovery.NoAnswer(discovery.Target{Cluster: "eu-1", Namespace: "env-2", Service: `a "quoted" \ name`}, at, discovery.WhyTimeout, "no answer in 10 s")
	r.write(cycle("agent-1", at, a, b))
	r.write(discovery.Cycle{Agent: "agent-2", Cluster: "us-1", At: at, Interval: time.Minute, Blind: true})

	got := r.cycles()
	require.Len(t, got, 2)
	assert.Equal(t, discovery.Cycle{Agent: "agent-2", Cluster: "us-1", At: at, Interval: time.Minute, Blind: true}, got[1])
	want := a
	want.Nodes, want.Raw, want.ContentType = nil, nil, ""
	want.RawStatus = ""
	c := cycle("agent-1", at, want, b)
	assert.Equal(t, c, got[0])

	of := []*discovery.Health{&got[0].Results[0], &got[0].Results[1]}
	require.NoError(t, r.Documents(t.Context(), of))
	assert.Equal(t, string(a.Raw), string(of[0].Raw))
	assert.Equal(t, "application/json", of[0].ContentType)
	assert.Empty(t, of[1].Raw)
	require.NoError(t, r.Receipt(t.Context()))

	later := health("env-1", "orders", at.Add(time.Second), `{"status":"UP"}`)
	r.write(cycle("agent-1", at.Add(time.Second), later, b))
	r.write(cycle("agent-1", at.Add(2*time.Second), discovery.NoAnswer(a.Target, at.Add(2*time.Second), discovery.WhyTimeout, "no answer"), b))
	last, err := r.Last(t.Context(), []discovery.Key{a.Target.Key(), b.Target.Key()})
	require.NoError(t, err)
	require.Len(t, last, 1, "one never said anything")
	said := last[a.Target.Key()]
	assert.Equal(t, `{"status":"UP"} `+later.Hash.String(), string(said.Raw)+" "+said.Hash.String(), "the last one")
	assert.True(t, said.At.Equal(later.At))
}

// The latest counts, though rows come late, twice and out of order; who left is gone, and a row that is
// missing is not.
func TestLatest(t *testing.T) {
	r := newRig(t, WriterOptions{})
	at := now().Add(-90 * time.Second)
	up := func(service string, at time.Time) discovery.Health {
		return health("env-1", service, at, `{"status":"UP"}`)
	}
	first := cycle("a", at, up("basket", at), up("orders", at), up("search", at))
	last := cycle("a", at.Add(30*time.Second), up("basket", at.Add(30*time.Second)), up("orders", at.Add(30*time.Second)))
	r.write(last)
	r.write(first)
	r.write(last)
	got := r.cycles()
	require.Len(t, got, 1)
	assert.Equal(t, last.At, got[0].At)
	assert.Equal(t, []string{"basket", "orders"}, services(got[0]), "search is gone: its agent said so")

	// Two of three rows are lost on the way; one of them was never seen.
	later := at.Add(61 * time.Second)
	h := up("basket", later)
	require.NoError(t, r.encode(must(stateOf(&discovery.Cycle{At: later, Agent: "a"}, &h))))
	end := cycleRow{row: row{Time: later.Add(1), Message: kindCycle, Kind: kindCycle, Cluster: "eu-1", Agent: "a"}, Cycle: later.UnixNano(), Interval: 30000, Services: 3}
	require.NoError(t, r.encode(end))
	require.NoError(t, r.cut())
	r.drain()
	got = r.cycles()
	assert.True(t, got[0].Incomplete, "nobody knows who is missing")
	assert.Equal(t, []string{"basket", "orders"}, services(got[0]), "those of the cycle before stand in; what left before that does not come back")
}

func services(c discovery.Cycle) []string {
	var names []string
	for _, h := range c.Results {
		names = append(names, h.Target.Service)
	}
	return names
}

// An agent that is dismissed is gone for all who read, until it writes again.
func TestDismiss(t *testing.T) {
	r := newRig(t, WriterOptions{})
	at := now().Add(-time.Minute)
	r.write(cycle("a", at, health("env-1", "basket", at, "{}")))
	require.Len(t, r.cycles(), 1)
	require.NoError(t, Dismiss(t.Context(), r.url, discovery.AgentKey{Cluster: "eu-1", Agent: "a"}, WriterOptions{}))
	r.drain()
	c := r.cycles()
	require.Len(t, c, 1)
	assert.True(t, c[0].Gone)
	assert.Empty(t, c[0].Results)
	at = time.Now().UTC()
	r.write(cycle("a", at, health("env-1", "basket", at, "{}")))
	c = r.cycles()
	assert.False(t, c[0].Gone)
	assert.Len(t, c[0].Results, 1)
}

// The latest counts among rows that came in one request, and so are in one block, too.
func TestLatestInOneBlock(t *testing.T) {
	r := newRig(t, WriterOptions{Spool: t.TempDir()})
	at := now().Add(-100 * time.Second)
	for i := range 20 {
		at := at.Add(time.Duration(i) * 5 * time.Second)
		h := health("env-1", "a", at, `{"status":"UP"}`)
		h.Message = fmt.Sprint("cycle ", i)
		for _, row := range []any{must(stateOf(&discovery.Cycle{At: at, Agent: "a"}, &h)), cycleRow{
			row: row{Time: at, Message: kindCycle, Kind: kindCycle, Cluster: "eu-1", Agent: "a"}, Cycle: at.UnixNano(), Services: 1,
		}} {
			require.NoError(t, r.encode(row))
		}
	}
	require.NoError(t, r.cut())
	r.drain()
	c := r.cycles()
	require.Len(t, c, 1)
	assert.Equal(t, at.Add(95*time.Second), c[0].At)
	assert.Equal(t, "cycle 19", c[0].Results[0].Message)
}

func must(s stateRow, err error) stateRow {
	if err != nil {
		panic(err)
	}
	return s
}

// A cycle whose rows are missing says so; one that is just being written takes nothing from the one before.
func TestComplete(t *testing.T) {
	at := now()
	a, b := health("env-1", "a", at, "{}"), health("env-1", "b", at, "{}")
	for name, test := range map[string]struct {
		services   int
		of         []int64 // the cycles of b and a, from that of the last cycle
		want       []string
		incomplete bool
	}{
		"complete":                  {2, []int64{0, 0}, []string{"a", "b"}, false},
		"b is not visible yet":      {2, []int64{-1, 0}, []string{"a", "b"}, true},
		"b's row is missing":        {2, []int64{-3, 0}, []string{"a"}, true},
		"all rows are missing":      {2, []int64{-3, -3}, nil, true},
		"b is gone":                 {1, []int64{-1, 0}, []string{"a"}, false},
		"the next is being written": {2, []int64{1, 0}, []string{"a", "b"}, false},
	} {
		r := read{cycle: discovery.Cycle{At: at, Interval: time.Minute}, services: test.services, results: []discovery.Health{b, a}}
		for _, of := range test.of {
			r.of = append(r.of, at.Add(time.Duration(of)*time.Minute).UnixNano())
		}
		r.complete()
		assert.Equal(t, test.want, services(r.cycle), name)
		assert.Equal(t, test.incomplete, r.cycle.Incomplete, name)
	}
}

// Documents that VictoriaLogs would drop with a 200 arrive whole: long lines, many fields, broken UTF-8,
// names that are there twice; and so do their neighbours in the same request.
func TestHostileDocuments(t *testing.T) {
	r := newRig(t, WriterOptions{})
	at := now()
	many := &strings.Builder{}
	many.WriteString(`{"status":"UP","components":{`)
	for i := range 2500 {
		fmt.Fprintf(many, `"%s dependency number %d":{"status":"UP"},`, strings.Repeat("long ", 30), i)
	}
	many.WriteString(`"last":{"status":"UP"}}}`)
	bodies := map[string]string{
		"a-small":     `{"status":"UP"}`,
		"b-long":      `{"status":"UP","x":"` + strings.Repeat("é", 150_000) + `"}`,
		"c-longest":   `{"status":"UP","x":"` + strings.Repeat("\x01", 1<<20-100) + `"}`,
		"d-fields":    many.String(),
		"e-twice":     `{"status":"UP","status":"DOWN","":1}`,
		"f-neighbour": `{"status":"UP"}`,
	}
	var results []discovery.Health
	for _, name := range []string{"a-small", "b-long", "c-longest", "d-fields", "e-twice", "f-neighbour"} {
		results = append(results, health("env-1", name, at, bodies[name]))
	}
	broken := health("env-\xff", "broken \xc3\x28", at, "{\"status\":\"UP\",\"x\":\"\xff\xfe\"}")
	broken.Message = "\xff"
	r.write(cycle("a", at, append(results, broken)...))
	cycles := r.cycles()
	require.Len(t, cycles, 1)
	require.Len(t, cycles[0].Results, 7)
	var of []*discovery.Health
	for i := range cycles[0].Results {
		of = append(of, &cycles[0].Results[i])
	}
	require.NoError(t, r.Documents(t.Context(), of))
	for _, h := range of[:6] {
		assert.True(t, bytes.Equal([]byte(bodies[h.Target.Service]), h.Raw), "%s: %d bytes", h.Target.Service, len(h.Raw))
	}
	assert.Equal(t, "{\"status\":\"UP\",\"x\":\"\uFFFD\uFFFD\"}", string(of[6].Raw))
}

// A tenant's rows are its own.
func TestTenant(t *testing.T) {
	r := newRig(t, WriterOptions{Header: map[string][]string{"accountid": {"7"}}})
	at := now()
	r.write(cycle("a", at, health("env-1", "a", at, "{}")))
	assert.Empty(t, r.cycles())
	r.header = map[string][]string{"AccountID": {"7"}}
	assert.Len(t, r.cycles(), 1)
	require.NoError(t, r.Receipt(t.Context()))
}

// A document is written again only if its hash is new, or after some time, and not at all for that reason
// while VictoriaLogs is away.
func TestDocumentsAreWrittenOnce(t *testing.T) {
	w, err := NewWriter("http://127.0.0.1:1", WriterOptions{})
	require.NoError(t, err)
	ctx, at := t.Context(), now()
	size := func(h discovery.Health) int {
		before := len(w.buf)
		require.NoError(t, w.Document(ctx, h))
		return len(w.buf) - before
	}
	up, down := `{"status":"UP"}`, `{"status":"DOWN"}`
	assert.NotZero(t, size(health("e", "a", at, up)))
	assert.Zero(t, size(health("e", "a", at.Add(time.Minute), up)))
	assert.NotZero(t, size(health("e", "b", at.Add(time.Minute), up)))
	assert.NotZero(t, size(health("e", "a", at.Add(2*time.Minute), down)))
	assert.NotZero(t, size(health("e", "a", at.Add(12*time.Minute), down)))
	for i := range 3 {
		require.NoError(t, w.Write(ctx, cycle("a", at.Add(time.Duration(i)))))
	}
	assert.Zero(t, size(health("e", "a", at.Add(time.Hour), down)))
	assert.NotZero(t, size(health("e", "a", at.Add(time.Hour), up)))
}
