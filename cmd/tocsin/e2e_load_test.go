package main_test

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// A load is many alerts in batches, pushed by several senders at once, with silences beside them. It
// remembers what was acknowledged.
type load struct {
	t       *testing.T
	senders int
	answers chan error // what came of each push

	mu       sync.Mutex // guards the fields below
	waiting  [][]model.LabelSet
	tried    map[string]bool // fingerprints that were sent at all
	acked    map[string]bool // fingerprints that were acknowledged
	silences map[string]bool // IDs that were acknowledged
}

// newLoad makes alerts of so many groups, whose members are spread over all batches.
func newLoad(t *testing.T, alerts, groups, batch, senders int) *load {
	t.Helper()
	sets := make([]model.LabelSet, alerts)
	for i := range sets {
		sets[i] = model.LabelSet{
			model.AlertNameLabel: "Load",
			"group":              model.LabelValue("g" + strconv.Itoa(i%groups)),
			"n":                  model.LabelValue(strconv.Itoa(i)),
		}
	}
	return &load{
		t: t, senders: senders, waiting: slices.Collect(slices.Chunk(sets, batch)),
		tried: map[string]bool{}, acked: map[string]bool{}, silences: map[string]bool{},
	}
}

// Acknowledged returns the fingerprints of what was acknowledged.
func (l *load) Acknowledged() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	fps := make(map[string]bool, len(l.acked))
	for fp := range l.acked {
		fps[fp] = true
	}
	return fps
}

// Run pushes what was not acknowledged yet, and calls then when so many more batches were. What then
// does to the server ends the pushing, or else the last batch does.
func (l *load) Run(s *server, batches int, then func()) {
	l.t.Helper()
	l.answers = make(chan error, len(l.waiting)+l.senders)
	done := make(chan struct{})
	var senders sync.WaitGroup
	for range l.senders {
		senders.Go(func() { l.send(s) })
	}
	var silencer sync.WaitGroup
	silencer.Go(func() { l.silence(s, done) })
	l.await(batches)
	then()
	senders.Wait()
	close(done)
	silencer.Wait()
}

// await returns when so many batches were acknowledged.
func (l *load) await(batches int) {
	l.t.Helper()
	for range batches {
		select {
		case err := <-l.answers:
			require.NoError(l.t, err)
		case <-time.After(patience):
			l.t.Fatalf("no batch was answered for %s", patience)
		}
	}
}

// send pushes batch after batch until one fails or none is left. Then its batch waits again.
func (l *load) send(s *server) {
	for {
		sets := l.next()
		if sets == nil {
			return
		}
		err := s.push(each(sets, firing))
		l.answers <- err
		if err != nil {
			l.mu.Lock()
			l.waiting = append(l.waiting, sets)
			l.mu.Unlock()
			return
		}
		l.note(l.acked, sets)
	}
}

func (l *load) next() []model.LabelSet {
	l.mu.Lock()
	if len(l.waiting) == 0 {
		l.mu.Unlock()
		return nil
	}
	sets := l.waiting[0]
	l.waiting = l.waiting[1:]
	l.mu.Unlock()
	l.note(l.tried, sets)
	return sets
}

func (l *load) note(in map[string]bool, sets []model.LabelSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for fp := range fingerprints(sets) {
		in[fp] = true
	}
}

// silence posts silences that match nothing, until one fails or done is closed.
func (l *load) silence(s *server, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(5 * time.Millisecond):
		}
		id, err := s.silence(silencing("n", "none", time.Hour))
		if err != nil {
			return
		}
		l.mu.Lock()
		l.silences[id] = true
		l.mu.Unlock()
	}
}

// Verify says whether the server has everything that was acknowledged, and nothing that was never
// sent. Of a batch that was not acknowledged it may have all or a part.
func (l *load) Verify(s *server) error {
	alerts, silences := s.Alerts(`alertname="Load"`), s.Silences()
	l.mu.Lock()
	defer l.mu.Unlock()
	lost, strange, lostSilences := 0, 0, 0
	for fp := range l.acked {
		if _, there := alerts[fp]; !there {
			lost++
		}
	}
	for fp := range alerts {
		if !l.tried[fp] {
			strange++
		}
	}
	for id := range l.silences {
		if silences[id].Status.State != "active" {
			lostSilences++
		}
	}
	if lost+strange+lostSilences == 0 {
		return nil
	}
	return fmt.Errorf("of %d acknowledged alerts %d are not there, of %d acknowledged silences %d are not active, and %d alerts are there that nobody sent",
		len(l.acked), lost, len(l.silences), lostSilences, strange)
}
