package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cmd/internal/reference"
)

// settle waits until all is whole and it is as the model has it, and holds everything that was told since
// the last time to it.
func (s *stage) settle(dice uint64) {
	s.ledger.Refuse(false)
	s.note("all is whole")
	s.eventually(func() error {
		for _, m := range s.members {
			if err := m.whole(s.model.Variant()); err != nil {
				return fmt.Errorf("server %d: %w", m.n, err)
			}
		}
		if s.leader() == nil {
			return errors.New("nobody leads")
		}
		return nil
	})
	s.sourceBack(dice)
	asked := s.source.asked.Load()
	s.eventually(func() error { return atLeast(int(s.source.asked.Load()-asked), 2) })
	s.eventually(func() error { return s.agree() })
	// Whatever is still to be said is said by now, and by the time that these are through.
	lists := s.ledger.Lists()
	s.round()
	s.round()
	s.eventually(func() error { return atLeast(s.ledger.Lists(), lists+2) })
	s.eventually(func() error { _, err := s.observe(); return err }) // the clocks are gone
	if err := s.agree(); err != nil {
		s.fail("it was as it should be, and is no longer: %v", err)
	}
	s.judge()
	o, err := s.observe()
	require.NoError(s.t, err)
	s.acknowledged(o)
	s.model.Settle(o)
	s.note("settled: %d alerts fire, variant %d", len(s.model.Firing()), s.model.Variant())
}

// eventually is eventually, with all that happened.
func (s *stage) eventually(check func() error) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.judge()
			s.fail("still so after %s: %v", patience, err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// whole says what keeps a server from being ready and up to date.
func (m *member) whole(v reference.Variant) error {
	code, body, err := m.get("/-/ready")
	if err != nil || code != http.StatusOK {
		return fmt.Errorf("not ready: %d %s %w", code, body, err)
	}
	code, body, err = m.get("/api/v2/status")
	if want := fmt.Sprintf("resolve_timeout: %dm", 30+int(v)); err != nil || code != http.StatusOK || !strings.Contains(body, want) {
		return fmt.Errorf("the configuration in force is another: %d %w", code, err)
	}
	return nil
}

// agree says what differs from the model.
func (s *stage) agree() error {
	o, err := s.observe()
	if err != nil {
		return err
	}
	if wrong := s.model.Check(o); len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

// round has a clock tell that it fires and that it ended: what others had to tell is told meanwhile.
func (s *stage) round() {
	labels := s.clock()
	told := func(want string) func() error {
		return func() error {
			for _, n := range slices.Backward(s.ledger.Said(0)) {
				for _, a := range n.Alerts {
					if a.Labels[model.AlertNameLabel] == labels[model.AlertNameLabel] && a.Status == want {
						return nil
					}
				}
			}
			return fmt.Errorf("of %s nobody was told that it is %s", labels, want)
		}
	}
	s.ask(uint64(s.clocks), "clock", func(m *member) error { return m.push([]alert{firing(labels)}) })
	s.eventually(told("firing"))
	s.ask(uint64(s.clocks), "clock", func(m *member) error { return m.push([]alert{ended(labels)}) })
	s.eventually(told("resolved"))
}

// judge holds what was told and done since the last time to the model and to who led.
func (s *stage) judge() {
	all := s.ledger.Said(s.judged.messages)
	s.judged.messages += len(all)
	var messages []reference.Message
	for i := range all {
		messages = append(messages, all[i].message())
		s.noteAt(all[i].at, "%s", all[i].words())
	}
	repeated, wrong := s.model.CheckTold(messages)
	s.judged.repeated += repeated
	acts := s.ledger.Acts(s.judged.acts)
	s.judged.acts += len(acts)
	if len(s.members) > 1 {
		for _, a := range usurped(s.terms(), acts) {
			s.late++
			if a.strict || s.late > s.judged.pauses {
				wrong = append(wrong, fmt.Sprintf("server %d did not lead any more at %.3f: %s", a.server, a.at.Sub(s.began).Seconds(), a.what))
			}
		}
	}
	if len(wrong) > 0 {
		s.fail("%s", strings.Join(wrong, "\n"))
	}
}

// acknowledged holds a server to show who acknowledged what.
func (s *stage) acknowledged(o reference.Observation) {
	for t, in := range o.Tickets {
		s.eventually(func() error {
			m := s.leader()
			if m == nil {
				return errors.New("nobody leads")
			}
			code, body, err := m.get("/api/v1/explain?fingerprint=" + t.Alert.Labels().Fingerprint().String())
			if err != nil || code != http.StatusOK {
				return fmt.Errorf("explain: %d %w", code, err)
			}
			if shown := strings.Contains(body, person); in.AckedBy != "" && !shown {
				return fmt.Errorf("%s is acknowledged by %s, and that is not shown: %s", t, in.AckedBy, body)
			}
			return nil
		})
	}
}
