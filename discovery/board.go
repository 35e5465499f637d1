package discovery

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// ErrNotHeard is returned by [Board.Alerts] until the first agent was heard: then nothing is known, and
// what fired before the start is held.
var ErrNotHeard = errors.New("no health agent was heard since the start")

// BoardOptions configure a [Board]. The zero value works.
type BoardOptions struct {
	// Agents are those that are expected, as [Board.Agents] gave them before a restart or as they are
	// configured. One that is not heard in time is down, and its cluster unknown.
	Agents []AgentKey

	// Overdue is how long an agent may be silent. Zero means three of its own intervals, and 90 s for an
	// agent that was never heard. Defaults to 0.
	Overdue time.Duration

	// Alert is the name of the alerts about failing services. Defaults to HealthServicesFailing.
	Alert string

	// Active and Passive are the labels that alerts about environments of each kind have beside their own.
	// The default of Active is severity="critical", priority="P1"; that of Passive severity="warning",
	// priority="P2".
	Active, Passive model.LabelSet

	// Warn makes degraded services count as failing. Defaults to false.
	Warn bool

	// Source is the name of the board among the sources of alarms: in the alert TocsinSourceDown, which it raises
	// when nobody could be heard for so long that agents would be overdue. Defaults to health.
	Source string

	// Aliases are names that mean the same in the topology. Defaults to none.
	Aliases Aliases

	// TreesApart means that answers come without the trees of their documents, and [Board.SetTree] says what
	// services depend on. Defaults to false.
	TreesApart bool

	// Clock tells the time to Alerts. Defaults to time.Now.
	Clock func() time.Time
}

// An AgentKey names an agent.
type AgentKey struct {
	Cluster string `json:"cluster"`
	Agent   string `json:"agent"`
}

func (k AgentKey) compare(other AgentKey) int {
	return cmp.Or(strings.Compare(k.Cluster, other.Cluster), strings.Compare(k.Agent, other.Agent))
}

// A Board holds the latest health of every service, as far as alarms need it, and is an [alarm.Source]:
// one alert for each cluster, namespace and role in which services fail, and TocsinAgentDown for each agent
// that is overdue. It may be used by several goroutines.
type Board struct {
	opts    BoardOptions
	start   time.Time
	changed chan struct{}

	mu           sync.Mutex // guards what is below
	agents       map[AgentKey]*agent
	services     map[Key]*service
	environments map[environmentKey]*environment
	sorted       []environmentKey // of environments; nil after one came or went
	left         map[string]bool  // clusters of which an agent is gone for good
	deaf         time.Time        // since when nobody can be heard; zero: they can
	deafWhy      string
	hears        time.Time // since when they can, after they could not
}

type agent struct {
	heard    time.Time       // by our clock; zero: not since the start
	whole    bool            // all that it found arrived, once at least since the start
	seeing   time.Time       // when it was last heard and not blind
	services []*service      // of its last cycle; some may be another's by now
	clusters map[string]bool // of which it ever had services: one agent may have several
	at       time.Time       // by its own clock
	interval time.Duration
}

func newAgent() *agent { return &agent{clusters: map[string]bool{}} }

type environmentKey struct{ cluster, namespace string }

// An environment is the services of one namespace.
type environment struct {
	name     string
	services []*service // sorted by name
	queried  Activity   // what a query said
}

// A service is what a Board keeps of one.
type service struct {
	key      Key
	owner    AgentKey
	seen     time.Time // the cycle in which it was seen last
	activity Activity
	state    State // of the last answer
	at       time.Time

	// What was believed last: whether it fails is not changed by an answer that says nothing.
	known   bool
	failing bool
	since   time.Time // it fails since
	message string    // of the first answer of its kind, so that changing numbers change no annotation
	hash    Hash

	part part // of the topology
	tree Hash // of the answer that part is from
	read bool // a document was read since the start
}

var _ alarm.Topology = (*Board)(nil)

var _ alarm.Changer = (*Board)(nil)

// NewBoard returns a Board that knows nothing yet but whom to expect.
func NewBoard(opts BoardOptions) (*Board, error) {
	if opts.Overdue < 0 {
		return nil, errors.New("overdue is negative: 0 means three intervals of the agent")
	}
	if opts.Alert == "" {
		opts.Alert = "HealthServicesFailing"
	}
	opts.Source = cmp.Or(opts.Source, "health")
	if opts.Active == nil {
		opts.Active = model.LabelSet{"severity": "critical", "priority": "P1"}
	}
	if opts.Passive == nil {
		opts.Passive = model.LabelSet{"severity": "warning", "priority": "P2"}
	}
	for _, ls := range []model.LabelSet{opts.Active, opts.Passive} {
		if err := ls.Validate(); err != nil {
			return nil, err
		}
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	b := &Board{
		opts: opts, start: opts.Clock(), changed: make(chan struct{}, 1),
		agents: map[AgentKey]*agent{}, services: map[Key]*service{}, environments: map[environmentKey]*environment{}, left: map[string]bool{},
	}
	for _, k := range opts.Agents {
		b.agents[k] = newAgent()
	}
	return b, nil
}

// Observe takes what an agent found. Now is when it was heard.
func (b *Board) Observe(now time.Time, c Cycle) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := AgentKey{c.Cluster, c.Agent}
	a := b.agents[key]
	if c.Gone {
		if a == nil || c.At.After(a.at) {
			b.forget(key)
		}
		return
	}
	if a == nil {
		a = newAgent()
		b.agents[key] = a
	}
	if !a.at.IsZero() && !c.At.After(a.at) {
		return
	}
	a.heard, a.at, a.interval = now, c.At, c.Interval
	if !c.Blind {
		a.seeing, a.whole = now, a.whole || !c.Incomplete
		before := a.services
		a.services = make([]*service, len(c.Results))
		for i := range c.Results {
			h := &c.Results[i]
			s := b.service(h.Target.Key(), &h.Target)
			s.observe(key, h, b.opts.Warn, b.opts.TreesApart)
			s.seen = c.At
			a.clusters[s.key.Cluster] = true
			a.services[i] = s
		}
		for _, s := range before {
			switch {
			case s.owner != key || s.seen.Equal(c.At):
			case c.Incomplete: // it is not known to be gone
				s.state = Unknown
				a.services = append(a.services, s)
			default:
				b.remove(s)
			}
		}
	}
	b.wake()
}

func (b *Board) wake() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// service returns the service with a key, made if need be.
func (b *Board) service(k Key, t *Target) *service {
	ek := environmentKey{k.Cluster, k.Namespace}
	e := b.environments[ek]
	if e == nil {
		e = &environment{}
		b.environments[ek] = e
		b.sorted = nil
	}
	e.name = cmp.Or(t.Environment, k.Namespace)
	s := b.services[k]
	if s == nil {
		s = &service{key: k}
		b.services[k] = s
		e.services = slices.Insert(e.services, e.find(k.Service), s)
	}
	return s
}

// find returns where a service is among the sorted ones, or would be.
func (e *environment) find(name string) int {
	at, _ := slices.BinarySearchFunc(e.services, name, func(s *service, name string) int { return strings.Compare(s.key.Service, name) })
	return at
}

func (b *Board) remove(s *service) {
	if b.services[s.key] != s {
		return // it is gone already
	}
	delete(b.services, s.key)
	ek := environmentKey{s.key.Cluster, s.key.Namespace}
	e := b.environments[ek]
	at := e.find(s.key.Service)
	e.services = slices.Delete(e.services, at, at+1)
	if len(e.services) == 0 {
		delete(b.environments, ek)
		b.sorted = nil
	}
}

// order returns the environments, sorted.
func (b *Board) order() []environmentKey {
	if b.sorted == nil {
		b.sorted = slices.SortedFunc(maps.Keys(b.environments), environmentKey.compare)
	}
	return b.sorted
}

func (s *service) observe(owner AgentKey, h *Health, warn, apart bool) {
	s.owner, s.state, s.at = owner, h.State, h.At
	switch {
	case s.part.key == (Key{}):
		s.part, s.tree = partOf(h), h.Hash
	case apart: // SetTree says so
	case h.Format != NoFormat && s.tree != h.Hash:
		s.part, s.tree = partOf(h), h.Hash
	}
	s.read = s.read || !apart && h.Format != NoFormat
	s.part.pods = podsOf(&h.Target)
	s.activity = h.Activity.Or(h.Target.Activity).Or(s.keptActivity(h))
	if h.State == Unknown || h.State == None {
		return
	}
	failing := h.State == Fail || warn && h.State == Warn
	if failing && (!s.known || !s.failing) {
		s.since = h.At
	}
	if !s.known || s.failing != failing || s.hash != h.Hash {
		s.message, s.hash = h.Message, h.Hash
	}
	s.known, s.failing = true, failing
}

// keptActivity is what was known before, if the answer could not say: there is no document.
func (s *service) keptActivity(h *Health) Activity {
	if h.Format == NoFormat {
		return s.activity
	}
	return Activity{}
}

// SetActivity says what a query knows of the activity of a namespace. What labels and documents say comes
// first. It is forgotten when the namespace is.
func (b *Board) SetActivity(cluster, namespace string, a Activity) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.environments[environmentKey{cluster, namespace}]; e != nil && e.queried != a {
		e.queried = a
		b.wake()
	}
}

// Forget takes an agent off the board that is gone for good, with the services that it has.
func (b *Board) Forget(k AgentKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(k)
}

func (b *Board) forget(k AgentKey) {
	if a := b.agents[k]; a != nil {
		for _, s := range a.services {
			if s.owner == k {
				b.remove(s)
			}
		}
	}
	delete(b.agents, k)
	b.left[k.Cluster] = true
	b.wake()
}

// Deaf says that no agent can be heard at present, and why: their silence says nothing. What is overdue is unknown,
// and nobody is told that agents are down.
func (b *Board) Deaf(now time.Time, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.deaf.IsZero() {
		b.deaf = now
	}
	b.deafWhy = why.Error()
	b.wake()
}

// Hears ends what Deaf began: the silence of agents counts from now.
func (b *Board) Hears(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.deaf.IsZero() {
		b.deaf, b.deafWhy, b.hears = time.Time{}, "", now
		b.wake()
	}
}

// Agents returns the agents that are known, sorted: keep them, and give them to the next Board.
func (b *Board) Agents() []AgentKey {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Keys(b.agents), AgentKey.compare)
}

// Complete says whether every agent was heard since the start, and saw something: what is not on the board then
// is not there.
func (b *Board) Complete() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.agents {
		if a.seeing.IsZero() {
			return false
		}
	}
	return len(b.agents) > 0
}

// Changed delivers a value when Alerts may answer something new.
func (b *Board) Changed() <-chan struct{} { return b.changed }

// Alerts says which environments have failing services, which agents are overdue, and what is unknown. It
// returns [ErrNotHeard] as long as no agent was heard.
func (b *Board) Alerts(context.Context) (alarm.Snapshot, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.snapshot(b.opts.Clock())
}
