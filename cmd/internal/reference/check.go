package reference

import "fmt"

// An Observation is how things are.
type Observation struct {
	Open    map[Place]bool     // the webhooks were last told that it fires
	Tickets map[Ticket]Opened  // open at the service
	Listed  []map[Alert]string // the state of each alert, as each server lists it: active or suppressed
}

// Opened is an incident that is open.
type Opened struct{ ID, AckedBy string }

// wanted is how something is to be when all is settled.
type wanted int

const (
	closed wanted = iota
	open
	either
)

// place says whether the webhook is to have an alert open in a group. Whoever was told that it fires is not
// told otherwise while it does, muted, explained, or regrouped as it may be.
func (m *Model) place(p Place) wanted {
	k := m.told[p]
	here := m.variant.place(p.Alert) == p
	switch {
	case m.Fires(p.Alert) && here && !m.Withheld(p.Alert):
		return open
	case k == stray:
		return either
	case !m.Fires(p.Alert):
		if !here && k == maybe && m.segment.faults > 0 && len(m.segment.variants) > 1 {
			return either
		}
		return closed
	}
	return [...]wanted{no: closed, maybe: either, yes: open}[k]
}

// ticket says whether the service is to have an incident open. What is explained is closed. What is only
// muted, or is another receiver's by now, stays as it is.
func (m *Model) ticket(t Ticket) wanted {
	switch {
	case !m.Fires(t.Alert) || m.explained(t.Alert):
		return closed
	case !m.Withheld(t.Alert) && m.variant.receiver(t.Alert) == t.Receiver:
		return open
	}
	return [...]wanted{no: closed, maybe: either, yes: open}[m.incidents[t].open]
}

func (w wanted) differs(isOpen bool) bool { return w == open && !isOpen || w == closed && isOpen }

func openWord(isOpen bool) string {
	if isOpen {
		return "is open, and should not be"
	}
	return "is not open, and should be"
}

// Check says what differs from what is to be when nothing happens any more.
func (m *Model) Check(o Observation) (wrong []string) {
	for _, p := range places() {
		if isOpen := o.Open[p]; m.place(p).differs(isOpen) {
			wrong = append(wrong, fmt.Sprintf("%s %s", p, openWord(isOpen)))
		}
	}
	for _, t := range tickets() {
		seen, isOpen := o.Tickets[t]
		in := m.incidents[t]
		switch {
		case m.ticket(t).differs(isOpen):
			wrong = append(wrong, fmt.Sprintf("%s %s", t, openWord(isOpen)))
		case !isOpen || in.broken || in.open != yes:
		case seen.ID != in.id:
			wrong = append(wrong, fmt.Sprintf("%s was opened anew, and nothing was to close it", t))
		case !in.unsure && seen.AckedBy != in.acked:
			wrong = append(wrong, fmt.Sprintf("%s is acknowledged by %q, and should be by %q", t, seen.AckedBy, in.acked))
		}
	}
	for i, listed := range o.Listed {
		for _, a := range Alerts() {
			want := ""
			if m.Fires(a) {
				want = "active"
				if m.Withheld(a) {
					want = "suppressed"
				}
			}
			if listed[a] != want {
				wrong = append(wrong, fmt.Sprintf("server %d says that %s is %q, and it should be %q", i, a, listed[a], want))
			}
		}
	}
	return wrong
}

// A Message is what a webhook was told of a group.
type Message struct {
	Receiver, Group  string
	Firing, Resolved []Alert
	Sets             string // all of it, in one word
}

// CheckTold looks at what the webhooks were told since all was settled last, in order. What became of a message
// that was under way at a fault is not known: it may be told once more, at once or when the alert is next told
// of, which may be much later if it is muted.
func (m *Model) CheckTold(messages []Message) (repeated int, wrong []string) {
	for _, n := range messages {
		for _, a := range n.Firing {
			if p := (Place{n.Receiver, n.Group, a}); !m.segment.may[p] {
				wrong = append(wrong, fmt.Sprintf("%s was told to fire, and did not, or was withheld all the time", p))
			}
		}
		for _, a := range n.Resolved {
			if !m.segment.mayEnd[a] {
				wrong = append(wrong, fmt.Sprintf("%s was told to have ended, and fired all the time", Place{n.Receiver, n.Group, a}))
			}
		}
		key := n.Receiver + " " + n.Group
		if m.last[key] == n.Sets {
			repeated++
			if m.again[key]++; m.again[key] > m.faults {
				wrong = append(wrong, fmt.Sprintf("%s was told the same %d times more, by %d faults: %s", key, m.again[key], m.faults, n.Sets))
			}
		}
		m.last[key] = n.Sets
	}
	return repeated, wrong
}

// Settle begins a new segment, from what was seen. Nothing of it is wrong.
func (m *Model) Settle(o Observation) {
	for _, p := range places() {
		k := no
		switch {
		case o.Open[p] && !m.Fires(p.Alert):
			k = stray
		case o.Open[p]:
			k = yes
			if m.told[p] == stray && m.place(p) == either {
				k = stray
			}
		}
		m.told[p] = k
	}
	for t, in := range m.incidents {
		seen, isOpen := o.Tickets[t]
		*in = incident{id: seen.ID, acked: seen.AckedBy}
		if isOpen {
			in.open = yes
		}
	}
	m.begin()
}
