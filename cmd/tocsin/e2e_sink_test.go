package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/notify/amreceiver"
)

// A sink is a receiver of webhooks: it keeps every notification in order, and knows what is open.
type sink struct {
	URL string

	mu      sync.Mutex // guards the fields below
	got     []notification
	open    map[string]model.LabelSet // by fingerprint: last told to fire
	told    map[string]int            // how often each was told to fire that was not open
	refused int
	tally   tally
	lean    bool          // keep no notifications
	answer  int           // the status code to answer with
	delay   time.Duration // before the answer
	epoch   int
}

// A notification is one that the sink accepted: Alertmanager's webhook message.
type notification struct {
	Epoch    int             // how many times the test called NextEpoch before
	Key      string          // the header Idempotency-Key
	Receiver string          `json:"receiver"`
	GroupKey string          `json:"groupKey"`
	Alerts   []notifiedAlert `json:"alerts"`
}

type notifiedAlert struct {
	Status      string         `json:"status"`
	Labels      model.LabelSet `json:"labels"`
	Annotations model.LabelSet `json:"annotations"`
	Fingerprint string         `json:"fingerprint"`
	EndsAt      time.Time      `json:"endsAt"`
}

// newSink starts a sink that accepts everything at once.
func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{answer: http.StatusOK, open: map[string]model.LabelSet{}, told: map[string]int{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// ServeHTTP takes one notification. It counts as accepted when it has arrived, for its sender may be
// killed before it learns of that.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n notification
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n.Key = r.Header.Get(amreceiver.IdempotencyHeader)
	answer, delay := s.take(n)
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
		}
	}
	w.WriteHeader(answer)
}

func (s *sink) take(n notification) (answer int, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer/100 != 2 {
		s.refused++
		return s.answer, s.delay
	}
	n.Epoch = s.epoch
	s.tally.take(n)
	if !s.lean {
		s.got = append(s.got, n)
	}
	for _, a := range n.Alerts {
		if a.Status == "resolved" {
			delete(s.open, a.Fingerprint)
			continue
		}
		if s.open[a.Fingerprint] == nil {
			s.told[a.Fingerprint]++
		}
		s.open[a.Fingerprint] = a.Labels
	}
	return s.answer, s.delay
}

// A tally counts notifications, and those that told a group exactly what the one before had told it. Something
// that ended and fires again in between is no repetition. A receiver that keeps the keys of what it has seen
// can drop the repetitions that are keyed.
type tally struct {
	notifications, alerts, again, keyed int
	last                                map[string]notified // by receiver and group
}

type notified struct{ sets, key string }

func (c *tally) take(n notification) {
	if c.last == nil {
		c.last = map[string]notified{}
	}
	key, said := n.Receiver+" "+n.GroupKey, notified{n.sets(), n.Key}
	if c.last[key].sets == said.sets {
		c.again++
	}
	if said.key != "" && c.last[key] == said {
		c.keyed++
	}
	c.last[key] = said
	c.notifications++
	c.alerts += len(n.Alerts)
}

// Tally returns what was counted so far.
func (s *sink) Tally() tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tally
}

// Lean keeps no notifications from now on, for a test that has very many.
func (s *sink) Lean() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lean = true
}

// Answer sets the status code of all answers from now on, and how long they take.
func (s *sink) Answer(code int, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.delay = code, delay
}

// NextEpoch marks what arrives from now on, and returns the mark.
func (s *sink) NextEpoch() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	return s.epoch
}

// Refused is how many notifications were not accepted.
func (s *sink) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Notifications returns what was accepted, in order.
func (s *sink) Notifications() []notification {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// Forget drops what was accepted. What is open is known as before.
func (s *sink) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = nil
}

// About returns the notifications that name an alert with this alertname, as receiver, status of the
// alert: "firing".
func (s *sink) About(alertname string) []string {
	var said []string
	for _, n := range s.Notifications() {
		for _, a := range n.Alerts {
			if string(a.Labels[model.AlertNameLabel]) == alertname {
				said = append(said, a.Status)
			}
		}
	}
	return said
}

// Ended returns when an alert with this alertname ended, as the receiver was told last.
func (s *sink) Ended(alertname string) time.Time {
	var ended time.Time
	for _, n := range s.Notifications() {
		for _, a := range n.Alerts {
			if a.Status == "resolved" && string(a.Labels[model.AlertNameLabel]) == alertname {
				ended = a.EndsAt
			}
		}
	}
	return ended
}

// Open returns the fingerprints of the alerts that were last told to fire.
func (s *sink) Open() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	fps := make(map[string]bool, len(s.open))
	for fp := range s.open {
		fps[fp] = true
	}
	return fps
}

// opened is a check for eventually: exactly these alerts are open.
func (s *sink) opened(want map[string]bool) func() error {
	return func() error {
		open := s.Open()
		if maps.Equal(open, want) {
			return nil
		}
		extra := 0
		for fp := range open {
			if !want[fp] {
				extra++
			}
		}
		return fmt.Errorf("%d alerts are open at the receiver, %d of them should not be; %d should be open", len(open), extra, len(want))
	}
}

// said is a check for eventually: About returns exactly this.
func (s *sink) said(alertname string, want ...string) func() error {
	return func() error {
		if got := s.About(alertname); !slices.Equal(got, want) {
			return fmt.Errorf("of %s the receiver was told %q, and should be %q", alertname, got, want)
		}
		return nil
	}
}

// sets are the alerts of a notification, for comparison: what fires, and what has ended.
func (n notification) sets() string {
	var parts []string
	for _, a := range n.Alerts {
		parts = append(parts, a.Status+" "+a.Fingerprint)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// repeats are the notifications that told a group nothing that it had not been told before, in so
// many words. With a repeat_interval beyond the test's length there is no reason for any.
func repeats(all []notification) []notification {
	var again []notification
	seen := map[string]bool{}
	for _, n := range all {
		key := n.Receiver + " " + n.GroupKey + " " + n.sets()
		if seen[key] {
			again = append(again, n)
		}
		seen[key] = true
	}
	return again
}
