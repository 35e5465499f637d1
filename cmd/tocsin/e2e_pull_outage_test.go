package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// manyIntervals is how many questions to a source an outage lasts: longer than vmalert's pushes hold,
// which is four intervals.
const manyIntervals = 6

// paged are a lab in which a queue is too deep, and servers that told so.
type paged struct {
	*lab
	va   *part
	ways map[string]way
}

// page starts a vmalert and two servers that ask it: to one of them it pushes as well.
func page(t *testing.T, l *lab) paged {
	t.Helper()
	p := paged{lab: l, ways: map[string]way{}}
	address := loopback(t)
	p.va = p.VMAlert(address)
	for name, flags := range map[string][]string{"pull": nil, "both": {"--web.listen-address=" + address}} {
		sink := newSink(t)
		p.ways[name] = way{startServer(t, pulling(sink, asking("vmalert", p.va.URL())), flags...), sink}
	}
	p.Set("mail", 20)
	p.told(t, "firing")
	eventually(t, p.va.lists(2))
	p.asks("ok", 2) // what was pushed and never seen by the source has but its own end
	return p
}

// told waits until the receivers were told exactly this of both alerts.
func (p paged) told(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range p.ways {
		eventually(t, w.sink.said("Deep", want...))
		eventually(t, w.sink.said("DeepFor", want...))
	}
}

// unmoved holds the receivers to have been told that both alerts fire, and nothing since, though all
// that is to be said has been said by now.
func (p paged) unmoved(t *testing.T, clock string) {
	t.Helper()
	for name, w := range p.ways {
		rounds(t, w.s, w.sink, named(clock))
		assert.Equal(t, []string{"firing"}, w.sink.About("Deep"), "%s, %s", name, clock)
		assert.Equal(t, []string{"firing"}, w.sink.About("DeepFor"), "%s, %s", name, clock)
	}
}

// ends has both alerts end, and be told once to have ended.
func (p paged) ends(t *testing.T) {
	t.Helper()
	p.Set("mail", 0)
	p.told(t, "firing", "resolved")
}

// asks waits until so many more questions of each server had this outcome.
func (p paged) asks(outcome string, more float64) {
	p.t.Helper()
	for _, w := range p.ways {
		w.s.asks("lab", outcome, more)
	}
}

// down waits until the receivers were told last that the source is down, or that it no longer is.
func (p paged) down(t *testing.T, status string) {
	t.Helper()
	for _, w := range p.ways {
		eventually(t, w.sink.lastSaid("TocsinSourceDown", status))
	}
}

// of is a check for eventually: a metric of the source has this value at each server.
func (p paged) of(metric string, want float64) func() error {
	return func() error {
		for _, w := range p.ways {
			if err := w.s.of("lab", metric, want)(); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestPullVMAlertKilled kills a vmalert for many intervals, and restarts it again between two.
func TestPullVMAlertKilled(t *testing.T) { eachVMAlert(t, pullVMAlertKilled) }

func pullVMAlertKilled(t *testing.T, l *lab) {
	p := page(t, l)
	p.va.Kill()
	p.down(t, "firing")
	p.asks("error", manyIntervals)
	require.NoError(t, p.of("tocsin_source_stale", 1)())
	p.unmoved(t, "Away")

	p.va.Start()
	p.down(t, "resolved")
	eventually(t, p.va.lists(2))
	p.asks("ok", 2)
	require.NoError(t, p.of("tocsin_source_stale", 0)())
	p.unmoved(t, "Back")

	p.va.Kill()
	p.va.Start()
	eventually(t, p.va.lists(2))
	p.asks("ok", 2)
	p.unmoved(t, "Restarted")
	p.ends(t)
}

// TestPullDatasourceKilled has the API of vmalert answer, with what was true before: nobody knows what
// fires, and that is told.
func TestPullDatasourceKilled(t *testing.T) { eachVMAlert(t, pullDatasourceKilled) }

func pullDatasourceKilled(t *testing.T, l *lab) {
	p := page(t, l)
	p.vm.Kill()
	eventually(t, p.of("tocsin_source_rules_unknown", 2))
	p.down(t, "firing")
	p.asks("ok", manyIntervals)
	p.unmoved(t, "Away")
	require.NoError(t, p.of("tocsin_source_stale", 0)(), "it answers")
	for name, w := range p.ways {
		assert.Equal(t, []string{"firing"}, w.sink.About("TocsinSourceDown"), name)
		assert.Len(t, w.s.Alerts(`alertname="TocsinSourceDown"`, `source="lab"`), 1, name)
		assert.Len(t, w.s.Alerts(`queue="mail"`), 2, "%s: they are held", name)
		assert.Contains(t, w.s.stderr.String(), "the alerts concerned are kept as they were", name)
		assert.Contains(t, w.s.page("/"), "Source lab: Not everything is known", name)
	}

	p.vm.Start()
	eventually(t, p.of("tocsin_source_rules_unknown", 0))
	p.down(t, "resolved")
	p.asks("ok", 2)
	p.unmoved(t, "Back")
	p.ends(t)
}

// TestPullOneOfPairKilled has nobody told of it: the other one knows everything.
func TestPullOneOfPairKilled(t *testing.T) { eachVMAlert(t, pullOneOfPairKilled) }

func pullOneOfPairKilled(t *testing.T, l *lab) {
	sink := newSink(t)
	a, b := l.VMAlert(), l.VMAlert()
	s := startServer(t, pulling(sink, asking("vmalert", a.URL(), b.URL())))
	p := paged{lab: l, ways: map[string]way{"pull": {s, sink}}}
	l.Set("mail", 20)
	p.told(t, "firing")

	a.Kill()
	eventually(t, p.of("tocsin_source_servers_failing", 1))
	p.asks("error", manyIntervals)
	require.NoError(t, p.of("tocsin_source_stale", 0)())
	assert.Contains(t, s.stderr.String(), "one of the servers of a source does not answer well")
	assert.Contains(t, s.page("/"), "Source lab: 1 of its 2 servers does not answer well")
	p.unmoved(t, "Away")

	a.Start()
	eventually(t, p.of("tocsin_source_servers_failing", 0))
	eventually(t, a.lists(2))
	p.asks("ok", 4)
	p.unmoved(t, "Back")
	b.Kill()
	assert.Empty(t, sink.About("TocsinSourceDown"))
	p.ends(t) // what ends meanwhile, ends
}

// A witness stands between the server and a vmalert, and notes which answers lacked a rule.
type witness struct {
	*httptest.Server

	mu    sync.Mutex  // guards lacks
	lacks []time.Time // when the questions were asked whose answers had no rule Deep
}

func newWitness(t *testing.T, va *part) *witness {
	t.Helper()
	w := &witness{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		began := time.Now()
		text, err := fetch(va.URL() + r.URL.RequestURI())
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		if !strings.Contains(text, `"name":"Deep"`) {
			w.mu.Lock()
			w.lacks = append(w.lacks, began)
			w.mu.Unlock()
		}
		_, _ = rw.Write([]byte(text))
	}))
	t.Cleanup(w.Close)
	return w
}

// Lacking returns when the questions were asked whose answers had no rule Deep.
func (w *witness) Lacking() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lacks)
}

// TestPullRuleDeleted has an alert closed whose rule is gone, when the source says so and no earlier:
// vmalert itself never says that it has ended.
func TestPullRuleDeleted(t *testing.T) { eachVMAlert(t, pullRuleDeleted) }

func pullRuleDeleted(t *testing.T, l *lab) {
	sink := newSink(t)
	va := l.VMAlert()
	w := newWitness(t, va)
	s := startServer(t, pulling(sink, asking("vmalert", w.URL)))
	p := paged{lab: l, ways: map[string]way{"pull": {s, sink}}}
	l.Set("mail", 20)
	p.told(t, "firing")

	l.Rules(deepForRule)
	_, err := fetch(va.URL() + "/-/reload")
	require.NoError(t, err)
	eventually(t, sink.said("Deep", "firing", "resolved"))
	eventually(t, func() error {
		if n := len(w.Lacking()); n < 3 {
			return fmt.Errorf("%d answers had no such rule", n)
		}
		return nil
	})
	asked, ended := w.Lacking(), sink.Ended("Deep")
	assert.True(t, ended.After(asked[0]), "it ended at %s, and the first question that was answered without it was asked at %s", ended, asked[0])
	assert.True(t, ended.Before(asked[2]), "it ended at %s, and there were two intervals before %s", ended, asked[2])
	rounds(t, s, sink, named("Clock"))
	assert.Equal(t, []string{"firing"}, sink.About("DeepFor"), "its rule is still there")
}
