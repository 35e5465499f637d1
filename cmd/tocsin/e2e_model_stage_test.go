package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/sqlstore/sqlstoretest"
	"github.com/tocsin/tocsin/cmd/internal/reference"
)

// A stage is what a trace is played on: servers, everything that they speak to, and the model.
type stage struct {
	t       *testing.T
	members []*member
	ledger  *ledger
	source  *listing
	model   *reference.Model
	began   time.Time
	pause   time.Duration // how long a pause lasts at least
	fault   sync.WaitGroup
	muted   map[reference.Mute][]string // IDs of silences, names of windows
	clocks  int
	ids     int

	judged struct{ messages, acts, repeated, faults, pauses int } // so far

	mu   sync.Mutex // guards what follows
	log  []happened
	late int // acts of a leader that was paused in their middle
}

// happened is a line of the log.
type happened struct {
	at   time.Time
	what string
}

// A member is one server, on a line of its own to the database.
type member struct {
	*server
	n         int
	proxy     *sqlstoretest.Proxy // nil: SQLite
	config    func(reference.Variant) string
	processes []*process // all that it ever was
	killed    bool
	paused    time.Time   // zero: it runs
	cutOff    bool        // from the database
	away      atomic.Bool // killed or paused, or about to be
}

// modelConfig is a variant of the configuration. The variant is in resolve_timeout as well, where the API
// shows it.
func modelConfig(v reference.Variant, url, dsn string, source *listing, g *genie) string {
	groupBy, routes := "alertname", ""
	switch v {
	case reference.ByInstance:
		groupBy = "instance"
	case reference.TeamApart:
		routes = `, routes: [{receiver: night, matchers: ['team="db"']}]`
	}
	storage := ""
	if dsn != "" {
		storage = "storage: {dsn: " + strconv.Quote(dsn) + "}"
	}
	return fmt.Sprintf(`
global: {resolve_timeout: %dm}
route: {receiver: ops, group_by: [%s], group_wait: 100ms, group_interval: 500ms, repeat_interval: 24h%s}
receivers:
- {name: ops, webhook_configs: [{url: "%s/webhook/"}]}
- {name: night, webhook_configs: [{url: "%[4]s/webhook/"}]}
tocsin:
  %[5]s
  startup_grace: 1s
  sources: [{name: lab, type: alertmanager, interval: 1s, urls: [%[6]s]}]
  dependencies: [{name: host-explains, cause: ['alertname="NodeDown"'], impact: ['alertname="TargetDown"'], on: [instance], any_severity: true}]
  receivers:
  - {name: ops, opsgenie: %[7]s}
  - {name: night, opsgenie: %[7]s}
  heartbeats: [{url: "%[4]s/heartbeat", interval: 1s}]
`, 30+int(v), groupBy, routes, url, storage, source.URL, g.account("reopen: always"))
}

// newStage starts servers on a database: postgres or mysql, or SQLite if it has no name.
func newStage(t *testing.T, members int, kind string, jsm bool) *stage {
	t.Helper()
	s := &stage{
		t: t, ledger: newLedger(t, jsm), source: newListing(t), model: reference.NewModel(),
		muted: map[reference.Mute][]string{},
	}
	var database *sqlstoretest.Server
	if kind != "" {
		database = newDatabaseServer(t, kind)
	}
	for n := range members {
		m, dsn := &member{n: n}, ""
		if database != nil {
			m.proxy = sqlstoretest.NewProxy(t, database.Address)
			dsn = database.URLAt(m.proxy.Address, "")
		}
		url, g := s.ledger.listen(t, n)
		m.config = func(v reference.Variant) string { return modelConfig(v, url, dsn, s.source, g) }
		m.server = newServer(t, m.config(reference.ByName))
		m.client.Timeout = 15 * time.Second
		s.members = append(s.members, m)
		m.start()
	}
	s.began = time.Now()
	return s
}

func (m *member) start() {
	m.Start()
	m.processes = append(m.processes, m.process)
	m.killed = false
	m.away.Store(false)
}

func (s *stage) note(format string, args ...any) { s.noteAt(time.Now(), format, args...) }

func (s *stage) noteAt(at time.Time, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, happened{at, fmt.Sprintf(format, args...)})
}

// story is all that happened, in order.
func (s *stage) story() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.log, func(a, b happened) int { return a.at.Compare(b.at) })
	var b strings.Builder
	for _, h := range s.log {
		fmt.Fprintf(&b, "%8.3f  %s\n", h.at.Sub(s.began).Seconds(), h.what)
	}
	return b.String()
}

// leader is the server that says that it leads, or the only one, or nil.
func (s *stage) leader() *member {
	for _, m := range s.members {
		if !m.away.Load() && (m.proxy == nil || m.leads()) {
			return m
		}
	}
	return nil
}

// ask asks one server after another until one has done what it is to do.
func (s *stage) ask(dice uint64, what string, do func(m *member) error) {
	s.t.Helper()
	deadline := time.Now().Add(2 * patience)
	for n := 0; ; n++ {
		up := slices.DeleteFunc(slices.Clone(s.members), func(m *member) bool { return m.away.Load() })
		if len(up) == 0 {
			s.heal(false)
			continue
		}
		m := up[int((dice%uint64(len(up)))+uint64(n))%len(up)]
		err := do(m)
		if err == nil {
			s.note("%s: server %d acknowledged", what, m.n)
			return
		}
		if time.Now().After(deadline) {
			s.fail("nobody does what is asked: %s: %v", what, err)
		}
		if n < 5 {
			s.note("%s: server %d: %v", what, m.n, err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// fail ends the test, with all that happened.
func (s *stage) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\nWhat happened, in seconds:\n%s", fmt.Sprintf(format, args...), s.story())
}

// terms says who led, in order, as the servers logged it.
func (s *stage) terms() []term {
	var all []term
	for _, m := range s.members {
		for _, p := range m.processes {
			for _, line := range leadingLine.FindAllStringSubmatch(p.stderr.String(), -1) {
				at, err := time.Parse(time.RFC3339Nano, line[1])
				require.NoError(s.t, err)
				generation, err := strconv.Atoi(line[2])
				require.NoError(s.t, err)
				all = append(all, term{generation, m.n, at})
			}
		}
	}
	slices.SortFunc(all, func(a, b term) int { return a.generation - b.generation })
	return all
}

// A term is the time in which a server led, from at until the next one.
type term struct {
	generation, server int
	at                 time.Time
}

var leadingLine = regexp.MustCompile(`time=(\S+) .*msg=leading generation=([0-9]+)`)

// usurped returns what was done by servers that did not lead any more.
func usurped(terms []term, acts []act) (found []act) {
	for _, a := range acts {
		leader := -1
		for _, t := range terms {
			if !t.at.After(a.at.Add(-time.Millisecond)) { // the log has no more digits
				leader = t.server
			}
		}
		if leader >= 0 && leader != a.server {
			found = append(found, a)
		}
	}
	return found
}

// heal makes all whole, but for what the source and the webhooks do. If it is to wait, a server that is cut
// off stays so until another one leads.
func (s *stage) heal(wait bool) {
	s.fault.Wait()
	for _, m := range s.members {
		s.cont(m)
		if m.cutOff {
			if wait {
				s.awaitOther(m)
			}
			s.note("server %d has the database back", m.n)
			m.cutOff = false
			m.proxy.Admit()
			m.proxy.Thaw()
		}
	}
	for _, m := range s.members {
		if m.killed {
			s.note("server %d starts", m.n)
			m.start()
		}
	}
}

// cont lets a server go on, when another leads if one can.
func (s *stage) cont(m *member) {
	if m.paused.IsZero() {
		return
	}
	s.awaitOther(m)
	<-time.After(s.pause - time.Since(m.paused))
	s.note("server %d goes on after %s", m.n, time.Since(m.paused).Round(time.Millisecond))
	m.Signal(syscall.SIGCONT)
	m.paused = time.Time{}
	m.away.Store(false)
}

// awaitOther returns when another server leads, if one can.
func (s *stage) awaitOther(m *member) {
	if !slices.ContainsFunc(s.members, func(o *member) bool { return o != m && !o.away.Load() }) {
		return
	}
	s.eventually(func() error {
		if leader := s.leader(); leader == nil || leader == m {
			return fmt.Errorf("nobody leads in place of server %d", m.n)
		}
		return nil
	})
}

// observe looks at everything.
func (s *stage) observe() (reference.Observation, error) {
	o := reference.Observation{Open: s.ledger.Open(), Tickets: map[reference.Ticket]reference.Opened{}}
	tickets, others := s.ledger.Tickets()
	for t, a := range tickets {
		o.Tickets[t] = reference.Opened{ID: a.ID, AckedBy: a.AcknowledgedBy}
		if !a.Acknowledged {
			o.Tickets[t] = reference.Opened{ID: a.ID}
		}
	}
	if len(others) > 0 {
		return o, fmt.Errorf("open besides: %q", others)
	}
	for _, m := range s.members {
		listed, err := m.listed()
		if err != nil {
			return o, fmt.Errorf("server %d: %w", m.n, err)
		}
		o.Listed = append(o.Listed, listed)
	}
	return o, nil
}

// listed is the state of each alert of the model, as the API has it.
func (m *member) listed() (map[reference.Alert]string, error) {
	code, body, err := m.get("/api/v2/alerts")
	if err != nil || code != http.StatusOK {
		return nil, fmt.Errorf("GET alerts: %d %s %w", code, body, err)
	}
	var list []gettableAlert
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		return nil, err
	}
	states := map[reference.Alert]string{}
	for _, a := range list {
		if known, ok := modelAlerts[a.Fingerprint]; ok {
			states[known] = a.Status.State
		} else {
			return nil, fmt.Errorf("%s is there", a.Labels)
		}
	}
	return states, nil
}

// clock is an alert that nothing mutes.
func (s *stage) clock() model.LabelSet {
	s.clocks++
	name := "Clock" + strconv.Itoa(s.clocks)
	return model.LabelSet{model.AlertNameLabel: model.LabelValue(name), "instance": model.LabelValue(name)}
}

// modelSeed is that of TOCSIN_SEED, or the one that is given.
func modelSeed(otherwise uint64) uint64 {
	if seed, err := strconv.ParseUint(os.Getenv("TOCSIN_SEED"), 10, 64); err == nil {
		return seed
	}
	return otherwise
}

func freshSeed() uint64 { return rand.Uint64() >> 32 }
