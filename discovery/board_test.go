package discovery

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// A world is a board, its clock and what its agents say.
type world struct {
	t     *testing.T
	now   time.Time
	board *Board
}

func newWorld(t *testing.T, opts BoardOptions) *world {
	w := &world{t: t, now: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)}
	opts.Clock = func() time.Time { return w.now }
	var err error
	w.board, err = NewBoard(opts)
	require.NoError(t, err)
	return w
}

// tick lets half a minute pass, after which the agent of a cluster says this: namespace/service=state,
// with a ! behind the namespace if it is passive.
func (w *world) tick(cluster string, services ...string) {
	w.now = w.now.Add(30 * time.Second)
	w.say(cluster, services...)
}

func (w *world) say(cluster string, services ...string) {
	c := Cycle{Agent: "a", Cluster: cluster, At: w.now, Interval: 30 * time.Second}
	for _, s := range services {
		if s == "blind" || s == "incomplete" {
			c.Blind, c.Incomplete = c.Blind || s == "blind", c.Incomplete || s == "incomplete"
			continue
		}
		name, state, _ := strings.Cut(s, "=")
		namespace, service, _ := strings.Cut(name, "/")
		role := Active
		if n, passive := strings.CutSuffix(namespace, "!"); passive {
			namespace, role = n, Passive
		}
		h := Health{Target: Target{Cluster: cluster, Namespace: namespace, Service: service, Activity: Activity{Role: role}}, At: w.now}
		h.Format = Generic
		require.NoError(w.t, h.State.UnmarshalText([]byte(state)))
		if h.State == Fail {
			h.Message = fmt.Sprintf("timeout after %d ms", w.now.Unix()%1000)
		}
		h.Hash = hash(&h.Report)
		c.Results = append(c.Results, h)
	}
	w.board.Observe(w.now, c)
}

// alerts are what fires: name{cluster,namespace,activity,priority} services; unknown are the environments
// and agents that the snapshot says nothing of.
func (w *world) alerts() []string {
	s, err := w.board.Alerts(w.t.Context())
	require.NoError(w.t, err)
	out := []string{}
	for _, a := range s.Alerts {
		require.NoError(w.t, a.Validate())
		l := a.Labels
		if a.Name() == agentDown {
			out = append(out, fmt.Sprintf("%s %s", l["cluster"], "down"))
			continue
		}
		out = append(out, fmt.Sprintf("%s/%s %s %s: %s", l["cluster"], l["namespace"], l["activity"], l["priority"], a.Annotations["services"]))
	}
	return out
}

// held says whether an alert that fired before would be kept as it is.
func (w *world) held(ls model.LabelSet) bool {
	s, err := w.board.Alerts(w.t.Context())
	if err != nil {
		return true
	}
	for _, a := range s.Alerts {
		if a.Labels.Equal(ls) {
			return false
		}
	}
	for _, u := range s.Unknowns {
		if u.Matches(ls) {
			return true
		}
	}
	return false
}

func failingIn(cluster, namespace string) model.LabelSet {
	return model.LabelSet{
		"alertname": "HealthServicesFailing", "cluster": model.LabelValue(cluster), "namespace": model.LabelValue(namespace),
		"environment": model.LabelValue(namespace), "activity": "active", "severity": "critical", "priority": "P1",
	}
}

func down(cluster string) model.LabelSet {
	return model.LabelSet{"alertname": agentDown, "cluster": model.LabelValue(cluster), "agent": "a", "severity": "critical"}
}

func TestFifteenFailingServicesAreOneAlert(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	var services []string
	for i := range 15 {
		services = append(services, fmt.Sprintf("shop/s%02d=fail", i), fmt.Sprintf("spare!/s%02d=fail", i))
	}
	w.tick("eu", append(services, "shop/well=ok", "calm/a=ok", "calm/b=warn", "calm/c=unknown")...)
	names := "s00,s01,s02,s03,s04,s05,s06,s07,s08,s09,s10,s11,s12,s13,s14"
	assert.ElementsMatch(t, []string{"eu/shop active P1: " + names, "eu/spare passive P2: " + names}, w.alerts())
	s, err := w.board.Alerts(t.Context())
	require.NoError(t, err)
	for _, a := range s.Alerts {
		if a.Labels["namespace"] == "shop" {
			assert.Equal(t, "15 of 16 services fail in shop (cluster eu, active): "+strings.ReplaceAll(names, ",", ", "), string(a.Annotations["summary"]))
			assert.Equal(t, failingIn("eu", "shop"), a.Labels)
		}
	}
}

// Who listens twice hears the same: messages with numbers that change do not change an alert.
func TestSteadyAlertDoesNotChange(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	var first alarm.Snapshot
	for i := range 5 {
		w.tick("eu", "shop/a=fail", "shop/b=fail", "shop/c=ok")
		s, err := w.board.Alerts(t.Context())
		require.NoError(t, err)
		if s.At = (time.Time{}); i == 0 {
			first = s
		}
		assert.Equal(t, first, s)
	}
}

func TestSilenceOfAnAgentIsNotRecovery(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	w.tick("us", "shop/a=fail")
	w.tick("eu", "shop/a=fail", "calm/a=ok")
	require.Len(t, w.alerts(), 2)
	for range 20 { // eu's agent is silent
		w.tick("us", "shop/a=fail")
	}
	assert.ElementsMatch(t, []string{"us/shop active P1: a", "eu down"}, w.alerts())
	assert.True(t, w.held(failingIn("eu", "shop")))
	assert.False(t, w.held(failingIn("eu", "calm")))
	w.tick("eu", "shop/a=fail", "calm/a=ok")
	w.say("us", "shop/a=ok")
	assert.Equal(t, []string{"eu/shop active P1: a"}, w.alerts())
	assert.False(t, w.held(failingIn("us", "shop")), "it recovered")
	assert.False(t, w.held(down("eu")))
}

func TestBlindAgentSaysNothing(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	w.tick("eu", "shop/a=fail", "calm/a=ok")
	w.tick("eu", "blind")
	assert.Equal(t, []string{"eu/shop active P1: a"}, w.alerts(), "one blind cycle changes nothing")
	for range 4 {
		w.tick("eu", "blind")
	}
	assert.Equal(t, []string{"eu down"}, w.alerts(), "blindness is told")
	assert.True(t, w.held(failingIn("eu", "shop")))
	w.tick("eu", "shop/a=ok", "calm/a=ok")
	assert.Empty(t, w.alerts())
	assert.False(t, w.held(failingIn("eu", "shop")))
}

// As long as nobody can be heard, silence says nothing of agents: one alert says so, and not one for each of them.
func TestDeaf(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	w.tick("eu", "shop/a=fail")
	w.tick("us", "shop/a=ok")
	w.board.Deaf(w.now, errors.New("connection refused"))
	assert.Equal(t, []string{"eu/shop active P1: a"}, w.alerts())
	w.now = w.now.Add(2 * time.Minute)
	w.board.Deaf(w.now, errors.New("connection refused"))
	s, err := w.board.Alerts(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Alerts, 1)
	assert.Equal(t, model.LabelSet{"alertname": "TocsinSourceDown", "source": "health", "severity": "critical"}, s.Alerts[0].Labels)
	assert.Contains(t, s.Alerts[0].Annotations["description"], "connection refused")
	assert.True(t, w.held(failingIn("eu", "shop")))
	assert.True(t, w.held(down("eu")), "whether it is down is not known")

	w.board.Hears(w.now)
	assert.Equal(t, []string{"eu/shop active P1: a"}, w.alerts(), "they have some time")
	assert.False(t, w.held(down("eu")))
	w.tick("eu", "shop/a=ok")
	w.now = w.now.Add(61 * time.Second)
	w.say("eu", "shop/a=ok")
	assert.Equal(t, []string{"us down"}, w.alerts(), "silence counts from when it can be heard")
}

// After a start in deafness, nothing is known; after a while that is told.
func TestDeafSinceTheStart(t *testing.T) {
	w := newWorld(t, BoardOptions{Agents: []AgentKey{{Cluster: "eu", Agent: "a"}}})
	w.board.Deaf(w.now, errors.New("connection refused"))
	_, err := w.board.Alerts(t.Context())
	require.ErrorIs(t, err, ErrNotHeard)
	w.now = w.now.Add(2 * time.Minute)
	assert.Len(t, w.alerts(), 1)
	assert.True(t, w.held(failingIn("eu", "shop")))
	assert.True(t, w.held(failingIn("us", "shop")))
	assert.True(t, w.held(down("eu")))
	assert.True(t, w.held(down("us")))
	w.board.Hears(w.now)
	w.tick("eu", "shop/a=ok")
	assert.Empty(t, w.alerts())
	assert.False(t, w.held(failingIn("eu", "shop")))
}

// An agent that is said to be gone leaves with all that it had, unless it has spoken since; one that comes back is
// there again.
func TestAgentIsGone(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	gone := func(at time.Time) { w.board.Observe(w.now, Cycle{Agent: "a", Cluster: "eu", At: at, Gone: true}) }
	w.tick("eu", "shop/a=fail")
	w.tick("us", "shop/a=ok")
	gone(w.now.Add(-time.Minute))
	assert.Len(t, w.alerts(), 1, "it has spoken since")
	gone(w.now)
	gone(w.now)
	assert.Empty(t, w.alerts())
	assert.False(t, w.held(failingIn("eu", "shop")), "it is no cluster of which nothing is known")
	assert.False(t, w.held(down("eu")))
	assert.Len(t, w.board.Environments(), 1)
	assert.Equal(t, []AgentKey{{Cluster: "us", Agent: "a"}}, w.board.Agents())
	w.tick("eu", "shop/a=ok")
	assert.Len(t, w.board.Environments(), 2)
}

// What an incomplete cycle lacks is neither gone nor recovered; before the first complete one nothing is.
func TestIncompleteCycle(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	w.tick("eu", "shop/a=ok", "incomplete")
	assert.True(t, w.held(failingIn("eu", "lost")), "it may be among what is missing")
	w.tick("eu", "shop/a=fail", "old/a=fail", "calm/a=ok")
	assert.False(t, w.held(failingIn("eu", "lost")))
	w.tick("eu", "calm/a=ok", "shop/a=ok", "incomplete")
	assert.Empty(t, w.alerts())
	assert.True(t, w.held(failingIn("eu", "old")))
	assert.False(t, w.held(failingIn("eu", "shop")), "it is heard")
	w.tick("eu", "calm/a=ok", "incomplete")
	assert.Len(t, w.board.Environments(), 3)
	w.tick("eu", "calm/a=ok")
	assert.False(t, w.held(failingIn("eu", "old")), "it is gone")
	assert.Len(t, w.board.Environments(), 1)
}

func TestUnknownServiceIsNeitherFailedNorRecovered(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	w.tick("eu", "shop/a=fail", "shop/b=fail", "calm/a=ok")
	w.tick("eu", "shop/a=unknown", "shop/b=fail", "calm/a=unknown")
	assert.Equal(t, []string{"eu/shop active P1: b"}, w.alerts())
	w.tick("eu", "shop/a=unknown", "shop/b=ok", "calm/a=unknown")
	assert.Empty(t, w.alerts())
	assert.True(t, w.held(failingIn("eu", "shop")), "a has not recovered")
	assert.False(t, w.held(failingIn("eu", "calm")), "it was well when it was last seen")
	w.tick("eu", "shop/a=warn", "shop/b=ok")
	assert.False(t, w.held(failingIn("eu", "shop")))
}

func TestWhatIsGoneForGoodLeaves(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	w.tick("eu", "shop/a=fail", "shop/b=ok", "old/a=fail")
	w.tick("eu", "shop/a=fail", "shop/b=ok")
	assert.Equal(t, []string{"eu/shop active P1: a"}, w.alerts())
	assert.False(t, w.held(failingIn("eu", "old")))
	assert.Len(t, w.board.Environments(), 1)

	w.tick("eu", "shop/a=fail")
	w.board.Observe(w.now.Add(time.Second), Cycle{Agent: "a", Cluster: "eu", At: w.now.Add(-time.Minute)})
	assert.Equal(t, []string{"eu/shop active P1: a"}, w.alerts(), "a late cycle is ignored")
	w.board.Forget(AgentKey{"eu", "a"})
	assert.Empty(t, w.board.Agents())
	assert.Empty(t, w.board.Environments())
}

// After a start nothing is known of those that were not heard yet: what fired before is held.
func TestStart(t *testing.T) {
	w := newWorld(t, BoardOptions{Agents: []AgentKey{{"eu", "a"}, {"us", "a"}}})
	_, err := w.board.Alerts(t.Context())
	require.ErrorIs(t, err, ErrNotHeard)
	w.tick("eu", "shop/a=ok")
	assert.False(t, w.held(failingIn("eu", "shop")))
	assert.False(t, w.held(failingIn("eu", "gone")), "its agent knows it no more")
	assert.True(t, w.held(failingIn("us", "shop")))
	assert.True(t, w.held(failingIn("unheard-of", "shop")))
	assert.True(t, w.held(down("us")))
	assert.True(t, w.held(down("unheard-of")))
	assert.False(t, w.held(down("eu")))
	w.tick("eu", "blind")
	w.say("us", "blind")
	assert.True(t, w.held(failingIn("us", "shop")), "heard, and it sees nothing")
	for range 4 {
		w.tick("eu", "shop/a=ok")
	}
	assert.Equal(t, []string{"us down"}, w.alerts())
	assert.True(t, w.held(failingIn("us", "shop")))
	assert.Equal(t, []AgentKey{{"eu", "a"}, {"us", "a"}}, w.board.Agents())
}

// One agent may report for many clusters: then they are heard.
func TestOneAgentForAll(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	say := func(state State) {
		w.now = w.now.Add(30 * time.Second)
		h := Health{Target: Target{Cluster: "eu", Namespace: "shop", Service: "a"}, At: w.now, Report: Report{Format: Generic, State: state}}
		w.board.Observe(w.now, Cycle{Agent: "all", At: w.now, Interval: 30 * time.Second, Results: []Health{h}})
	}
	say(Fail)
	assert.Equal(t, []string{"eu/shop active P1: a"}, w.alerts())
	say(OK)
	assert.False(t, w.held(failingIn("eu", "shop")), "it recovered")
	assert.True(t, w.held(failingIn("us", "shop")))
	w.board.Observe(w.now, Cycle{Agent: "all", At: w.now.Add(time.Second), Results: nil})
	assert.False(t, w.held(failingIn("eu", "shop")), "gone, and known to be")
}

func TestActivityOfEnvironments(t *testing.T) {
	w := newWorld(t, BoardOptions{})
	w.tick("eu", "shop!/a=fail", "shop!/b=ok")
	assert.Equal(t, []string{"eu/shop passive P2: a"}, w.alerts())
	w.tick("eu", "shop!/a=fail", "shop/b=ok")
	assert.Equal(t, []string{"eu/shop active P1: a"}, w.alerts(), "one active service makes it active")
	w.board.SetActivity("eu", "shop", Activity{Role: Passive, Life: Idle})
	assert.Equal(t, []string{"eu/shop active P1: a"}, w.alerts(), "a query comes last")
	assert.Equal(t, []Environment{{
		Cluster: "eu", Namespace: "shop", Name: "shop", Activity: Activity{Active, Idle}, Services: 2, Failing: 1,
	}}, w.board.Environments())
	<-w.board.Changed()
}

func TestTopology(t *testing.T) {
	target := func(service string) Target {
		return Target{Cluster: "eu", Namespace: "shop", Service: service, Workload: &Workload{Pods: []Pod{{Name: service + "-1", Node: "n1"}}}}
	}
	health := func(service, body string) Health {
		return Health{Target: target(service), Report: Parse(Answer{Status: 200, Body: []byte(body)})}
	}
	results := []Health{
		health("orders", `{"status":"UP","components":{"billing":{"status":"UP"},"pay":{"status":"UP","details":{"url":"http://billing.shop.svc:80/x"}},
			"db":{"status":"UP","details":{"host":"pg.example.org:5432"}},"disk":{"status":"UP"},"self":{"status":"UP","details":{"address":"orders"}}}}`),
		health("billing", `{"status":"UP"}`),
	}
	results[1].Target.Workload.Pods = append(results[1].Target.Workload.Pods, Pod{Name: "billing-2", Node: "n2"})
	got := Topology(results)
	var lines []string
	for _, e := range got {
		lines = append(lines, fmt.Sprintf("%s %s %v", e.Name, e.Labels, e.DependsOn))
	}
	assert.Equal(t, []string{
		`address/eu/pg.example.org {address="pg.example.org", cluster="eu"} []`,
		`dependency/eu/shop/orders/disk {cluster="eu", dependency="disk", namespace="shop", service="orders"} []`,
		`node/eu/n1 {cluster="eu", node="n1"} []`,
		`node/eu/n2 {cluster="eu", node="n2"} []`,
		`pod/eu/shop/billing-1 {cluster="eu", namespace="shop", pod="billing-1"} [node/eu/n1]`,
		`pod/eu/shop/billing-2 {cluster="eu", namespace="shop", pod="billing-2"} [node/eu/n2]`,
		`pod/eu/shop/orders-1 {cluster="eu", namespace="shop", pod="orders-1"} [node/eu/n1]`,
		`service/eu/shop/billing {cluster="eu", namespace="shop", service="billing"} []`,
		`service/eu/shop/orders {cluster="eu", namespace="shop", service="orders"} [address/eu/pg.example.org dependency/eu/shop/orders/disk node/eu/n1 service/eu/shop/billing]`,
	}, lines)

	w := newWorld(t, BoardOptions{})
	w.board.Observe(w.now, Cycle{Agent: "a", Cluster: "eu", At: w.now, Results: results})
	assert.Equal(t, []alarm.Entity(got), w.board.Entities())
	lost := NoAnswer(results[0].Target, w.now, WhyTimeout, "timeout")
	w.board.Observe(w.now, Cycle{Agent: "a", Cluster: "eu", At: w.now.Add(time.Minute), Results: []Health{results[1], Carry(&results[0], lost)}})
	assert.Equal(t, []alarm.Entity(got), w.board.Entities(), "a service that does not answer depends on what it did")

	var names []string
	for _, e := range w.board.Topology(true, false) {
		names = append(names, e.Name)
	}
	assert.Equal(t, []string{"address/eu/pg.example.org", "dependency/eu/shop/orders/disk", "service/eu/shop/billing", "service/eu/shop/orders"}, names)
	assert.Len(t, w.board.Topology(false, true), 7, "nodes, pods and services")

	apart := newWorld(t, BoardOptions{TreesApart: true, Agents: []AgentKey{{"eu", "a"}, {"us", "b"}}})
	assert.False(t, apart.board.Complete())
	bare := Health{Target: results[0].Target, At: apart.now, Report: Report{Format: Spring3, State: OK, Hash: results[0].Hash}}
	apart.board.Observe(apart.now, Cycle{Agent: "a", Cluster: "eu", At: apart.now, Results: []Health{bare}})
	apart.board.SetTree(bare.Target.Key(), results[0].Nodes)
	before := apart.board.Entities()
	assert.Contains(t, fmt.Sprint(before), "pg.example.org")
	bare.Hash[0]++
	apart.board.Observe(apart.now, Cycle{Agent: "a", Cluster: "eu", At: apart.now.Add(time.Minute), Results: []Health{bare}})
	assert.Equal(t, before, apart.board.Entities(), "until the next tree comes")
	assert.False(t, apart.board.Complete(), "one agent was not heard")
	apart.board.Observe(apart.now, Cycle{Agent: "b", Cluster: "us", At: apart.now})
	assert.True(t, apart.board.Complete())

	named := newWorld(t, BoardOptions{Aliases: Aliases{"Billing": "bill", "billing": "bill", "disk": "Disk"}})
	results[0].Nodes = append(results[0].Nodes[:0:0], Node{Name: "Billing"}, Node{Name: "disk"})
	named.board.Observe(named.now, Cycle{Agent: "a", Cluster: "eu", At: named.now, Results: results})
	entities := named.board.Topology(true, false)
	assert.Equal(t, []string{"dependency/eu/shop/orders/Disk", "service/eu/shop/billing"}, entities[len(entities)-1].DependsOn)
}
