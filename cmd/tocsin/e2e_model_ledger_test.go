package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/cmd/internal/reference"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

// A ledger has everything that servers said, and which of them said it: each has addresses of its own.
type ledger struct {
	genie *genie

	mu       sync.Mutex // guards the fields below
	refuse   bool       // the webhooks do
	messages []said     // that a webhook accepted
	acts     []act      // everything that must come from the leader
	lists    int        // how often the service was asked what is open
}

// said is a message to a webhook.
type said struct {
	server int
	at     time.Time
	notification
}

// An act is what only the leader is to do.
type act struct {
	server int
	at     time.Time
	what   string
	strict bool // there is no excuse
}

func newLedger(t *testing.T, jsm bool) *ledger {
	t.Helper()
	g := &genie{Server: opsgenietest.New(opsgenietest.Options{JSM: jsm, Delay: 60 * time.Millisecond}), t: t, jsm: jsm}
	return &ledger{genie: g}
}

// listen returns where one server is to say things, and the service as it sees it.
func (l *ledger) listen(t *testing.T, server int) (url string, g *genie) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/webhook/", func(w http.ResponseWriter, r *http.Request) { l.webhook(w, r, server) })
	mux.HandleFunc("/heartbeat", func(http.ResponseWriter, *http.Request) { l.act(server, "heartbeat", true) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			l.act(server, r.Method+" "+r.URL.Path, false)
		} else if strings.HasSuffix(r.URL.Path, "/alerts") {
			l.mu.Lock()
			l.lists++
			l.mu.Unlock()
		}
		l.genie.ServeHTTP(w, r)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	seen := *l.genie
	seen.url = srv.URL
	return srv.URL, &seen
}

func (l *ledger) act(server int, what string, strict bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acts = append(l.acts, act{server, time.Now(), what, strict})
}

func (l *ledger) webhook(w http.ResponseWriter, r *http.Request, server int) {
	n := said{server: server, at: time.Now()}
	if err := json.NewDecoder(r.Body).Decode(&n.notification); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.act(server, "webhook "+n.Receiver+" "+n.GroupKey+" "+n.sets(), false)
	if !l.accept(n) {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	// It counts as told, for its sender may be killed before it learns of that: it has some time for it.
	select {
	case <-time.After(time.Duration(rand.IntN(150)) * time.Millisecond):
	case <-r.Context().Done():
	}
}

func (l *ledger) accept(n said) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.refuse {
		l.messages = append(l.messages, n)
	}
	return !l.refuse
}

// Refuse has the webhooks do so from now on, or accept.
func (l *ledger) Refuse(refuse bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = refuse
}

// Said returns what the webhooks accepted after the first so many messages.
func (l *ledger) Said(from int) []said {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]said(nil), l.messages[from:]...)
}

// Acts returns what only the leader is to do, after the first so many.
func (l *ledger) Acts(from int) []act {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]act(nil), l.acts[from:]...)
}

// Lists is how often the service was asked what is open.
func (l *ledger) Lists() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lists
}

// modelAlerts finds an alert of the model by its fingerprint.
var modelAlerts = func() map[string]reference.Alert {
	byFingerprint := map[string]reference.Alert{}
	for _, a := range reference.Alerts() {
		byFingerprint[a.Labels().Fingerprint().String()] = a
	}
	return byFingerprint
}()

// message is what the model is to know of a message.
func (n *said) message() reference.Message {
	m := reference.Message{Receiver: n.Receiver, Group: n.GroupKey, Sets: n.sets()}
	for _, a := range n.Alerts {
		known, ok := modelAlerts[a.Fingerprint]
		switch {
		case !ok: // tocsin's own, or the clock
		case a.Status == "resolved":
			m.Resolved = append(m.Resolved, known)
		default:
			m.Firing = append(m.Firing, known)
		}
	}
	return m
}

// words writes a message for people.
func (n *said) words() string {
	var parts []string
	for _, a := range n.Alerts {
		parts = append(parts, fmt.Sprintf("%s %s/%s", a.Status, a.Labels["alertname"], a.Labels["instance"]))
	}
	return fmt.Sprintf("server %d told %s %s: %s", n.server, n.Receiver, n.GroupKey, strings.Join(parts, ", "))
}

// Open says what the webhooks were told last of each alert in each group.
func (l *ledger) Open() map[reference.Place]bool {
	open := map[reference.Place]bool{}
	for _, n := range l.Said(0) {
		m := n.message()
		for _, a := range m.Firing {
			open[reference.Place{Receiver: n.Receiver, Group: n.GroupKey, Alert: a}] = true
		}
		for _, a := range m.Resolved {
			delete(open, reference.Place{Receiver: n.Receiver, Group: n.GroupKey, Alert: a})
		}
	}
	return open
}

// Tickets returns the open incidents of the model's alerts, and the names of others of ours.
func (l *ledger) Tickets() (open map[reference.Ticket]opsgenietest.Alert, others []string) {
	open = map[reference.Ticket]opsgenietest.Alert{}
	for _, a := range l.genie.Open() {
		parts := strings.Split(a.Alias, "/") // instance, receiver, fingerprint
		known, ok := modelAlerts[parts[len(parts)-1]]
		if !ok || len(parts) != 3 {
			others = append(others, a.Message)
			continue
		}
		open[reference.Ticket{Receiver: parts[1], Alert: known}] = a
	}
	return open, others
}

// A listing is a source of type alertmanager.
type listing struct {
	URL   string
	asked atomic.Int64 // and answered well
	vain  atomic.Int64 // asked in vain

	mu     sync.Mutex // guards the fields below
	down   bool
	firing map[reference.Alert]time.Time // since when
}

func newListing(t *testing.T) *listing {
	t.Helper()
	s := &listing{firing: map[reference.Alert]time.Time{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// Down has it fail from now on, or no more.
func (s *listing) Down(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// IsDown says whether it fails.
func (s *listing) IsDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// Set says whether it lists an alert.
func (s *listing) Set(a reference.Alert, fires bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.firing[a]; fires && !there {
		s.firing[a] = time.Now()
	} else if !fires {
		delete(s.firing, a)
	}
}

// ServeHTTP lists what fires.
func (s *listing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		http.Error(w, "out of order", http.StatusInternalServerError)
		s.vain.Add(1)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/status") {
		fmt.Fprint(w, `{"uptime": "2026-01-01T00:00:00Z"}`)
		s.asked.Add(1)
		return
	}
	type listed struct {
		Labels      model.LabelSet    `json:"labels"`
		Annotations model.LabelSet    `json:"annotations"`
		StartsAt    time.Time         `json:"startsAt"`
		EndsAt      time.Time         `json:"endsAt"`
		UpdatedAt   time.Time         `json:"updatedAt"`
		Fingerprint string            `json:"fingerprint"`
		Receivers   []string          `json:"receivers"`
		Status      map[string]string `json:"status"`
	}
	all := []listed{}
	for a, since := range s.firing {
		labels := a.Labels()
		all = append(all, listed{
			Labels: labels, Annotations: model.LabelSet{}, StartsAt: since, EndsAt: time.Now().Add(time.Hour), UpdatedAt: time.Now(),
			Fingerprint: labels.Fingerprint().String(), Receivers: []string{}, Status: map[string]string{"state": "active"},
		})
	}
	_ = json.NewEncoder(w).Encode(all) // an error means that the client went away
}
