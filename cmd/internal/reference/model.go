package reference

import "slices"

// knowledge is what somebody knows of an alert that fires.
type knowledge int

const (
	no    knowledge = iota // they were not told, or were told that it has ended
	maybe                  // a message may be on its way
	yes                    // they were told
	stray                  // it was told in the instant of a crash, and the route was gone before that was known: nobody tells the end
)

// An incident is what is open at the service.
type incident struct {
	open   knowledge
	id     string // as it was seen last
	broken bool   // it may have been closed since
	acked  string // by whom
	unsure bool   // whether an acknowledgement reached it is not known
}

// A Model is the state of the world and of those who are told of it. [NewModel] makes one.
type Model struct {
	pushed, pulled map[Alert]bool
	muted          map[Mute]bool
	variant        Variant
	told           map[Place]knowledge
	incidents      map[Ticket]*incident
	last           map[string]string // by receiver and group: the last message
	again          map[string]int    // and how often one was as the one before
	faults         int               // that may have lost what became of a message
	segment        segment
}

// A segment is what may have been the case since all was settled.
type segment struct {
	turned   map[Alert]bool // pulled alerts that began or ended: the source may not have been read since
	variants []Variant      // that may have been in force
	may      map[Place]bool // may have been told to fire
	mayEnd   map[Alert]bool // may not have fired
	faults   int            // that may lose what became of a message
}

// NewModel returns a world in which nothing fires.
func NewModel() *Model {
	m := &Model{
		pushed: map[Alert]bool{}, pulled: map[Alert]bool{}, muted: map[Mute]bool{},
		told: map[Place]knowledge{}, incidents: map[Ticket]*incident{}, last: map[string]string{}, again: map[string]int{},
	}
	for _, t := range tickets() {
		m.incidents[t] = &incident{}
	}
	m.begin()
	return m
}

func (m *Model) begin() {
	m.segment = segment{turned: map[Alert]bool{}, variants: []Variant{m.variant}, may: map[Place]bool{}, mayEnd: map[Alert]bool{}}
	m.look()
}

// Do takes note of a step.
func (m *Model) Do(s Step) {
	switch s.Kind {
	case Fire, End:
		if s.Alert.Pulled() {
			m.segment.turned[s.Alert] = m.segment.turned[s.Alert] || m.pulled[s.Alert] != (s.Kind == Fire)
			m.pulled[s.Alert] = s.Kind == Fire
		} else {
			m.pushed[s.Alert] = s.Kind == Fire
		}
	case MuteOn, MuteOff:
		m.muted[s.Mute] = s.Kind == MuteOn
	case Reload:
		m.variant = s.Variant
		m.segment.variants = append(m.segment.variants, s.Variant)
	}
	if s.Kind.unclean() {
		m.segment.faults++
		m.faults++
	}
	m.look()
}

// DoByHand takes note of what a person did at the service to an incident that was open there or not.
func (m *Model) DoByHand(kind Kind, t Ticket, person string, wasOpen bool) {
	in := m.incidents[t]
	switch {
	case !wasOpen:
	case kind == CloseByHand:
		in.doubt()
	case in.open != yes || in.broken:
		in.unsure = true
	case kind == Acknowledge:
		in.acked = person
	case kind == Unacknowledge:
		in.acked = ""
	}
}

// doubt says that what was open may not be any more.
func (i *incident) doubt() {
	if i.open == yes {
		i.open = maybe
	}
	i.broken = true
}

// Fires says whether an alert does.
func (m *Model) Fires(a Alert) bool { return m.pushed[a] || m.pulled[a] }

// Firing are the alerts that do.
func (m *Model) Firing() []Alert {
	return slices.DeleteFunc(Alerts(), func(a Alert) bool { return !m.Fires(a) })
}

// Variant is the configuration that is to be in force.
func (m *Model) Variant() Variant { return m.variant }

// Withheld says that it is muted or explained.
func (m *Model) Withheld(a Alert) bool { return m.mutedNow(a) || m.explained(a) }

func (m *Model) mutedNow(a Alert) bool {
	return slices.ContainsFunc(Mutes(), func(mute Mute) bool { return m.muted[mute] && mute.mutes(a) })
}

// explained says that its cause fires, muted or not.
func (m *Model) explained(a Alert) bool {
	return a.Name == Impact && m.pushed[Alert{Cause, a.Instance}]
}

// look takes note of what may be the case now.
func (m *Model) look() {
	for _, a := range Alerts() {
		turned := m.segment.turned[a]
		if m.Fires(a) || turned {
			m.mayFire(a)
		}
		if !m.Fires(a) || turned {
			m.mayHaveEnded(a)
		}
	}
}

func (m *Model) mayFire(a Alert) {
	for t, in := range m.incidents {
		if t.Alert == a && m.explained(a) {
			in.doubt()
		}
	}
	if m.Withheld(a) {
		return
	}
	for _, v := range m.segment.variants {
		p, in := v.place(a), m.incidents[Ticket{v.receiver(a), a}]
		m.told[p] = max(m.told[p], maybe)
		in.open = max(in.open, maybe)
	}
	for p, k := range m.told {
		if p.Alert == a && k > no { // a group that no route makes any more goes on for those that were told in it
			m.segment.may[p] = true
		}
	}
}

func (m *Model) mayHaveEnded(a Alert) {
	m.segment.mayEnd[a] = true
	for p, k := range m.told {
		if p.Alert == a && k == yes {
			m.told[p] = maybe
		}
	}
	for t, in := range m.incidents {
		if t.Alert == a {
			in.doubt()
		}
	}
}
