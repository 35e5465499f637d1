package cache

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/tocsin/tocsin/discovery"
)

// A listing is what upstream says.
type listing struct {
	cycles []discovery.Cycle

	// whole means that who is not listed is gone, and that agents do not count.
	whole bool
}

// A plan is what one refresh is to do.
type plan struct {
	next    version
	changed []change // environments whose detail is to be built, sorted
}

// A change is an environment whose detail is to be built from the latest answers of its services.
type change struct {
	at     int    // in next.Environments
	before string // key of the detail that it had, if any
	health []discovery.Health
}

// rules are what a plan follows from besides what is known and what is listed.
type rules struct {
	threshold float64
	rebuild   time.Duration
	forget    time.Duration
}

// A found service is an answer, and who brought it.
type found struct {
	health *discovery.Health
	agent  string
}

// makePlan compares what is known with what is listed.
//
//	listed                                             taken over; the detail is built if it changed
//	not listed, and its agent said so in a cycle,
//	or the agent is gone                               gone
//	not listed, and its agent is blind or not heard,
//	or its cycle is incomplete                         lost: unknown, with the detail that it had
//	not listed, and its agent was not heard for forget gone
//
// If too few of the services that were heard before are accounted for, there is no plan but a PartialError.
// Known may be nil; missing are the details of it that are no longer there.
func makePlan(now time.Time, known *version, missing map[string]bool, l listing, r rules) (plan, error) {
	agents := heard(now, known, l, r.forget)
	left := leftOf(l, agents)
	latest := latestOf(l, agents)
	p := plan{next: version{At: now, Agents: agents}}
	if l.whole {
		p.next.Agents = []Agent{}
	}
	got, before := 0, 0
	lost := map[Key][]*Service{}
	if known != nil {
		for i := range known.Environments {
			e := &known.Environments[i]
			for j := range e.Services {
				s := &e.Services[j]
				_, listed := latest[discovery.Key{Cluster: e.Cluster, Namespace: e.Namespace, Service: s.Name}]
				owner, has := agentOf(agents, e.Cluster, s.Agent)
				dismissed := left[discovery.AgentKey{Cluster: e.Cluster, Agent: s.Agent}]
				gone := !listed && (l.whole || dismissed || has && !owner.Lost && !owner.Incomplete)
				if !s.Lost && (has || dismissed || l.whole) { // one whose agent is forgotten is expected no longer
					before++
					got += one(listed || gone && !l.whole)
				}
				if !listed && !gone && has {
					lost[e.Key] = append(lost[e.Key], s)
				}
			}
		}
	}
	if float64(got) < r.threshold*float64(before) {
		return plan{}, &PartialError{Got: got, Known: before}
	}
	p.fill(known, latest, lost)
	p.choose(now, known, missing, r.rebuild)
	return p, nil
}

// heard returns all agents that are known or listed, and says which are lost.
func heard(now time.Time, known *version, l listing, forget time.Duration) []Agent {
	byKey := map[discovery.AgentKey]Agent{}
	if known != nil {
		for _, a := range known.Agents {
			if forget == 0 || now.Sub(a.At) <= forget {
				a.Lost = true
				byKey[discovery.AgentKey{Cluster: a.Cluster, Agent: a.Agent}] = a
			}
		}
	}
	for i := range l.cycles {
		c := &l.cycles[i]
		k := discovery.AgentKey{Cluster: c.Cluster, Agent: c.Agent}
		if a, ok := byKey[k]; ok && a.At.After(c.At) {
			continue
		}
		if c.Gone {
			delete(byKey, k)
			continue
		}
		overdue := now.Sub(c.At) > cmp.Or(3*c.Interval, 90*time.Second)
		byKey[k] = Agent{Cluster: c.Cluster, Agent: c.Agent, At: c.At, Blind: c.Blind, Incomplete: c.Incomplete, Lost: !l.whole && (c.Blind || overdue)}
	}
	agents := make([]Agent, 0, len(byKey))
	for _, a := range byKey {
		agents = append(agents, a)
	}
	slices.SortFunc(agents, func(a, b Agent) int { return compareAgent(a, b.Cluster, b.Agent) })
	return agents
}

// leftOf are the agents of which upstream says that they are gone for good.
func leftOf(l listing, agents []Agent) map[discovery.AgentKey]bool {
	left := map[discovery.AgentKey]bool{}
	for i := range l.cycles {
		c := &l.cycles[i]
		if _, has := agentOf(agents, c.Cluster, c.Agent); c.Gone && !has {
			left[discovery.AgentKey{Cluster: c.Cluster, Agent: c.Agent}] = true
		}
	}
	return left
}

func compareAgent(a Agent, cluster, agent string) int {
	return cmp.Or(strings.Compare(a.Cluster, cluster), strings.Compare(a.Agent, agent))
}

func agentOf(agents []Agent, cluster, agent string) (Agent, bool) {
	at, ok := slices.BinarySearchFunc(agents, agent, func(a Agent, agent string) int { return compareAgent(a, cluster, agent) })
	if !ok {
		return Agent{}, false
	}
	return agents[at], true
}

// latestOf returns the latest answer of each service, from the last cycles of agents that are heard.
func latestOf(l listing, agents []Agent) map[discovery.Key]found {
	latest := map[discovery.Key]found{}
	for i := range l.cycles {
		c := &l.cycles[i]
		if a, _ := agentOf(agents, c.Cluster, c.Agent); a.Lost || !a.At.Equal(c.At) {
			continue
		}
		for j := range c.Results {
			h := &c.Results[j]
			k := h.Target.Key()
			old, twice := latest[k]
			if twice && (old.health.At.After(h.At) || old.health.At.Equal(h.At) && old.agent < c.Agent) {
				continue
			}
			latest[k] = found{health: h, agent: c.Agent}
		}
	}
	return latest
}

// fill makes the environments out of what is listed and what is lost.
func (p *plan) fill(known *version, latest map[discovery.Key]found, lost map[Key][]*Service) {
	keys := make([]discovery.Key, 0, len(latest))
	for k := range latest {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, discovery.Key.Compare)
	at := map[Key]int{}
	for _, k := range keys {
		ek := Key{k.Cluster, k.Namespace}
		i, ok := at[ek]
		if !ok {
			i = len(p.next.Environments)
			at[ek] = i
			p.next.Environments = append(p.next.Environments, Environment{Key: ek})
			p.changed = append(p.changed, change{at: i})
		}
		f := latest[k]
		e := &p.next.Environments[i]
		e.Name = cmp.Or(f.health.Target.Environment, k.Namespace)
		e.Activity = roleOf(e.Activity, f.health)
		var before *Service
		if old := known.environment(ek); old != nil {
			before = old.Service(k.Service)
		}
		e.Services = append(e.Services, serviceOf(before, f))
		p.changed[i].health = append(p.changed[i].health, *f.health)
	}
	for ek, services := range lost {
		i, ok := at[ek]
		if !ok {
			i = len(p.next.Environments)
			old := known.environment(ek)
			p.next.Environments = append(p.next.Environments, Environment{Key: ek, Name: old.Name, Activity: old.Activity})
			p.changed = append(p.changed, change{at: i})
		}
		e := &p.next.Environments[i]
		for _, s := range services {
			gone := *s
			gone.State, gone.Lost = discovery.Unknown, true
			e.Services = append(e.Services, gone)
		}
		slices.SortFunc(e.Services, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
	}
	slices.SortFunc(p.changed, func(a, b change) int {
		return p.next.Environments[a.at].Compare(p.next.Environments[b.at].Key)
	})
	slices.SortFunc(p.next.Environments, func(a, b Environment) int { return a.Compare(b.Key) })
	for i := range p.changed {
		p.changed[i].at = i
	}
}

// choose takes over the details that did not change, and leaves in changed what is to be built: what
// changed or is missing, and a twentieth of what is older than rebuild.
func (p *plan) choose(now time.Time, known *version, missing map[string]bool, rebuild time.Duration) {
	again := (len(p.next.Environments) + 19) / 20
	var old []int // that are old enough to be built anew
	build := make([]bool, len(p.changed))
	for i := range p.changed {
		e := &p.next.Environments[i]
		e.Hash = hashOf(e)
		before := known.environment(e.Key)
		if before != nil {
			p.changed[i].before = before.Detail
		}
		if before == nil || before.Hash != e.Hash || missing[before.Detail] || before.Detail == "" {
			build[i] = true
			continue
		}
		e.Detail, e.Built = before.Detail, before.Built
		if now.Sub(e.Built) >= rebuild && len(p.changed[i].health) > 0 {
			old = append(old, i)
		}
	}
	slices.SortStableFunc(old, func(a, b int) int { return p.next.Environments[a].Built.Compare(p.next.Environments[b].Built) })
	for _, i := range old[:min(len(old), again)] {
		build[i] = true
	}
	var changed []change
	for i, c := range p.changed {
		if build[i] {
			p.next.Environments[i].Built = now
			changed = append(changed, c)
		}
	}
	p.changed = changed
}

// roleOf is what is known of an environment's activity: one active or live service makes it so.
func roleOf(a discovery.Activity, h *discovery.Health) discovery.Activity {
	more := h.Activity.Or(h.Target.Activity)
	if a.Role == discovery.RoleUnknown || more.Role == discovery.Active {
		a.Role = cmp.Or(more.Role, a.Role)
	}
	if a.Life == discovery.LifeUnknown || more.Life == discovery.Live {
		a.Life = cmp.Or(more.Life, a.Life)
	}
	return a
}

// serviceOf is what the next version says of a service. Before may be nil.
func serviceOf(before *Service, f found) Service {
	h := f.health
	s := Service{
		Name: h.Target.Service, State: h.State, Why: h.Why, Message: h.Message, Version: cmp.Or(h.Version, h.Release),
		At: h.At, Latency: h.Latency, Agent: f.agent, Operations: h.Operations, FailedOperations: h.FailedOperations,
		Hash: h.Hash, Content: contentOf(h),
	}
	if before == nil {
		before = &Service{}
	}
	switch h.State {
	case discovery.Fail:
		s.Failing, s.FirstSeen, s.FailCount = true, h.At, 1
		if before.Failing {
			s.FirstSeen, s.FailCount = before.FirstSeen, before.FailCount+one(h.At.After(before.At))
		}
	case discovery.Unknown, discovery.None:
		s.Failing, s.FirstSeen, s.FailCount = before.Failing, before.FirstSeen, before.FailCount
	}
	return s
}

// A digest hashes fields, each with its length before it.
type digest struct {
	sum xxhash.Digest
	buf [8]byte
}

func (d *digest) text(words ...string) {
	for _, w := range words {
		d.number(int64(len(w)))
		_, _ = d.sum.WriteString(w)
	}
}

func (d *digest) number(n int64) {
	binary.BigEndian.PutUint64(d.buf[:], uint64(n))
	_, _ = d.sum.Write(d.buf[:])
}

func (d *digest) String() string { return strconv.FormatUint(d.sum.Sum64(), 16) }

// contentOf is the hash of what a detail holds of a service, without what changes at each probe: the use of
// resources, the latency, and when it was asked.
func contentOf(h *discovery.Health) string {
	var d digest
	d.sum.Reset()
	t := &h.Target
	_, _ = d.sum.Write(h.Hash[:])
	d.text(t.URL, t.Environment, string(t.Format))
	for _, n := range [...]int64{
		int64(h.State), int64(h.Activity.Role), int64(h.Activity.Life), int64(t.Activity.Role), int64(t.Activity.Life), h.Stale.Unix(),
		int64(len(t.Labels)), int64(len(t.Expect)),
	} {
		d.number(n)
	}
	if len(t.Labels) > 0 {
		d.number(int64(t.Labels.Fingerprint()))
	}
	for _, code := range t.Expect {
		d.number(int64(code))
	}
	if w := t.Workload; w != nil {
		d.number(int64(w.ReadyEndpoints))
		d.number(int64(w.Endpoints))
		for i := range w.Pods {
			p := &w.Pods[i]
			d.text(p.Name, p.Phase, p.Waiting, p.Last, p.Node, p.Owner)
			d.number(int64(p.Restarts))
			d.number(int64(one(p.Ready)))
		}
		if w.HPA != nil {
			d.text("hpa", fmt.Sprint(*w.HPA))
		}
	}
	return d.String()
}

// hashOf is the hash of what an environment's detail holds.
func hashOf(e *Environment) string {
	var d digest
	d.sum.Reset()
	d.text(e.Name, e.Cluster, e.Namespace)
	for i := range e.Services {
		d.text(e.Services[i].Name, e.Services[i].Content)
	}
	return d.String()
}
