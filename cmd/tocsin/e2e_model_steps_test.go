package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tocsin/tocsin/cmd/internal/reference"
)

// do has one step happen, and tells the model.
func (s *stage) do(step reference.Step) {
	if !step.Kind.Fault() {
		defer s.fault.Wait() // that of the step before, which happens at the same time
	}
	a := step.Alert
	switch step.Kind {
	case reference.Fire, reference.End:
		s.push(a, step)
	case reference.MuteOn, reference.MuteOff:
		s.mute(step)
	case reference.Reload:
		s.reload(step.Variant)
	case reference.Acknowledge, reference.Unacknowledge, reference.CloseByHand:
		s.byHand(step)
		return
	case reference.SourceDown, reference.SourceUp:
		s.source.Down(step.Kind == reference.SourceDown)
		s.note("%s", step)
	case reference.Refuse, reference.Accept:
		s.ledger.Refuse(step.Kind == reference.Refuse)
		s.note("%s", step)
	case reference.Wait:
		<-time.After(step.After)
		return
	case reference.Start, reference.Heal, reference.Continue:
		s.heal(step.Dice%4 > 0)
	case reference.Settle:
		s.heal(step.Dice%4 > 0)
		s.settle(step.Dice)
		return
	default:
		s.befall(step)
	}
	s.model.Do(step)
}

func (s *stage) push(a reference.Alert, step reference.Step) {
	fires := step.Kind == reference.Fire
	if a.Pulled() {
		s.source.Set(a, fires)
		s.note("%s: the source says so", step)
		return
	}
	s.ask(step.Dice, step.String(), func(m *member) error {
		if fires {
			return m.push([]alert{firing(a.Labels())})
		}
		return m.push([]alert{ended(a.Labels())})
	})
}

// sourceBack has the source answer again: mostly not before several questions were in vain.
func (s *stage) sourceBack(dice uint64) {
	if !s.source.IsDown() {
		return
	}
	if dice%3 > 0 {
		vain := s.source.vain.Load()
		s.eventually(func() error { return atLeast(int(s.source.vain.Load()-vain), 3) })
	}
	s.source.Down(false)
	s.note("the source is back")
}

// mute begins or ends a silence or a window. It is known by its comment or its name, for an answer that was
// lost may have been good.
func (s *stage) mute(step reference.Step) {
	mute := step.Mute
	names := s.muted[mute]
	switch {
	case step.Kind == reference.MuteOn && len(names) > 0:
		return
	case step.Kind == reference.MuteOn:
		s.ids++
		name := "m" + strconv.Itoa(s.ids)
		s.muted[mute] = []string{name}
		if mute.Window {
			s.ask(step.Dice, step.String(), func(m *member) error { return m.beginWindow(name, mute) })
			return
		}
		sil := silencing(mute.Label, mute.Value, time.Hour)
		sil.Comment = name
		s.ask(step.Dice, step.String(), func(m *member) error {
			_, err := m.silence(sil)
			return err
		})
	default:
		for _, name := range names {
			tried := false
			s.ask(step.Dice, step.String(), func(m *member) error {
				if mute.Window {
					again := tried
					tried = true
					return m.endWindow(name, again)
				}
				if leader := s.leader(); leader != nil { // others may not have seen it yet
					return leader.endSilences(name)
				}
				return errors.New("nobody leads")
			})
		}
		delete(s.muted, mute)
	}
}

func (m *member) beginWindow(name string, mute reference.Mute) error {
	err := m.post("/api/v1/windows?confirm=true", map[string]any{
		"name": name, "matchers": []string{fmt.Sprintf("%s=%q", mute.Label, mute.Value)}, "duration": "1h", "createdBy": "e2e", "comment": name,
	}, nil)
	if err != nil && strings.Contains(err.Error(), "is there already") {
		return nil // the answer was lost
	}
	return err
}

// endWindow ends a window, unless that was done before and the answer was lost.
func (m *member) endWindow(name string, again bool) error {
	code, body, err := m.do(http.MethodPost, "/api/v1/windows/"+name+"/end", "")
	if err == nil && code != http.StatusOK && (code != http.StatusNotFound || !again) {
		err = fmt.Errorf("%d %s", code, body)
	}
	return err
}

// endSilences ends all with a comment: an answer that was lost may have made two.
func (m *member) endSilences(comment string) error {
	code, body, err := m.get("/api/v2/silences")
	if err != nil || code != http.StatusOK {
		return fmt.Errorf("GET silences: %d %s %w", code, body, err)
	}
	var list []silence
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		return err
	}
	for _, sil := range list {
		if sil.Comment != comment || sil.Status.State == "expired" {
			continue
		}
		code, body, err := m.do(http.MethodDelete, "/api/v2/silence/"+sil.ID, "")
		if err != nil || code != http.StatusOK {
			return fmt.Errorf("DELETE silence: %d %s %w", code, body, err)
		}
	}
	return nil
}

// reload gives all servers another configuration. Who cannot be asked reads it by itself.
func (s *stage) reload(v reference.Variant) {
	for _, m := range s.members {
		m.Configure(m.config(v))
	}
	for _, m := range s.members {
		if m.away.Load() {
			continue
		}
		code, _, err := m.do(http.MethodPost, "/-/reload", "")
		s.note("reload %d: server %d: %d %v", v, m.n, code, err)
	}
}

const person = "anna@example.org"

// byHand does what a person does at the service.
func (s *stage) byHand(step reference.Step) {
	tickets, _ := s.ledger.Tickets()
	for _, receiver := range []string{reference.Ops, reference.Night} {
		t := reference.Ticket{Receiver: receiver, Alert: step.Alert}
		a, open := tickets[t]
		if !open {
			continue
		}
		switch step.Kind {
		case reference.Acknowledge:
			open = s.ledger.genie.Acknowledge(a.Alias, person)
		case reference.Unacknowledge:
			open = s.ledger.genie.Unacknowledge(a.Alias)
		default:
			open = s.ledger.genie.Close(a.Alias, person)
		}
		s.note("%s at %s: %t", step, receiver, open)
		s.model.DoByHand(step.Kind, t, person, open)
	}
}

// befall has a fault befall a server while the next step happens.
func (s *stage) befall(step reference.Step) {
	s.fault.Wait()
	victim := s.leader()
	if step.Follower {
		leader := victim
		for _, m := range s.members {
			if m != leader && !m.away.Load() {
				victim = m
			}
		}
	}
	if victim == nil || victim.away.Load() {
		s.note("%s: there is no such server", step)
		return
	}
	if step.Kind == reference.Pause {
		victim.away.Store(true) // what it is asked, it would do later
		s.judged.pauses++
	}
	s.judged.faults++
	s.fault.Go(func() {
		<-time.After(step.After)
		s.note("server %d: %s", victim.n, step.Kind)
		s.strike(victim, step.Kind)
	})
}

// strike is the fault itself.
func (s *stage) strike(m *member, kind reference.Kind) {
	switch kind {
	case reference.Kill, reference.Term:
		m.away.Store(true)
		sig := map[reference.Kind]syscall.Signal{reference.Kill: syscall.SIGKILL, reference.Term: syscall.SIGTERM}[kind]
		_ = m.cmd.Process.Signal(sig) // it is there: nobody else ends it
		select {
		case <-m.ended:
		case <-time.After(patience):
			s.t.Errorf("server %d: still there %s after %s", m.n, patience, sig)
			return
		}
		m.killed = true
		m.client.CloseIdleConnections()
		if kind == reference.Term && m.err != nil {
			s.t.Errorf("server %d: exit after SIGTERM: %v", m.n, m.err)
		}
	case reference.Cut:
		m.cutOff = true
		m.proxy.Refuse()
	case reference.Freeze:
		m.cutOff = true
		m.proxy.Freeze()
	case reference.Pause:
		_ = m.cmd.Process.Signal(syscall.SIGSTOP)
		m.paused = time.Now()
	}
}
