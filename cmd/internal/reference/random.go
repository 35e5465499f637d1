package reference

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Options says what traces are like.
type Options struct {
	Segments int    // the parts that end by a Settle
	Steps    int    // in each, beside faults
	Faults   []Kind // one in each segment, these in turn; none: no faults
	Alone    bool   // there is one server
}

// Random makes the trace of a seed.
func Random(seed uint64, o Options) []Step {
	r := &roller{rng: rand.New(rand.NewPCG(seed, 11)), firing: map[Alert]bool{}, muted: map[Mute]bool{}}
	r.hot = pick(r.rng, instances())
	first := r.rng.IntN(max(len(o.Faults), 1))
	var trace []Step
	for segment := range o.Segments {
		var part []Step
		for range o.Steps {
			part = append(part, r.step())
		}
		if len(o.Faults) > 0 {
			part = r.fault(part, o.Faults[(first+segment)%len(o.Faults)], o.Alone)
		}
		trace = append(append(trace, part...), Step{Kind: Settle})
	}
	for i := range trace {
		trace[i].Dice = r.rng.Uint64()
	}
	return trace
}

// A roller makes steps that are likely to matter: it remembers roughly how things are.
type roller struct {
	rng    *rand.Rand
	hot    string // an instance where more happens than elsewhere
	firing map[Alert]bool
	muted  map[Mute]bool
	down   bool
	refuse bool
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// fire has an alert fire that does not, mostly: often a cause or an impact where more happens.
func (r *roller) fire() Step {
	quiet := slices.DeleteFunc(Alerts(), func(a Alert) bool { return r.firing[a] })
	if len(quiet) == 0 || r.rng.IntN(4) == 0 {
		quiet = Alerts()
	}
	a := pick(r.rng, quiet)
	if r.rng.IntN(3) == 0 {
		a = Alert{pick(r.rng, []string{Cause, Impact}), r.hot}
	}
	r.firing[a] = true
	return Step{Kind: Fire, Alert: a}
}

func (r *roller) step() Step {
	mutes := Mutes()
	firing := slices.DeleteFunc(Alerts(), func(a Alert) bool { return !r.firing[a] })
	if len(firing) == 0 {
		firing = Alerts()
	}
	switch n := r.rng.IntN(100); {
	case n < 12:
		return Step{Kind: Wait, After: time.Duration(r.rng.IntN(700)) * time.Millisecond}
	case n < 44:
		return r.fire()
	case n < 62:
		a := pick(r.rng, firing)
		r.firing[a] = false
		return Step{Kind: End, Alert: a}
	case n < 74:
		m := pick(r.rng, mutes)
		r.muted[m] = !r.muted[m]
		if r.muted[m] {
			return Step{Kind: MuteOn, Mute: m}
		}
		return Step{Kind: MuteOff, Mute: m}
	case n < 81:
		return Step{Kind: Acknowledge, Alert: pick(r.rng, firing)}
	case n < 83:
		return Step{Kind: Unacknowledge, Alert: pick(r.rng, firing)}
	case n < 87:
		return Step{Kind: CloseByHand, Alert: pick(r.rng, firing)}
	case n < 92:
		return Step{Kind: Reload, Variant: Variant(r.rng.IntN(int(variants)))}
	case n < 96:
		r.down = !r.down
		if r.down {
			return Step{Kind: SourceDown}
		}
		return Step{Kind: SourceUp}
	default:
		r.refuse = !r.refuse
		if r.refuse {
			return Step{Kind: Refuse}
		}
		return Step{Kind: Accept}
	}
}

// fault puts a fault into a segment, and what ends it, if that comes before the segment settles.
func (r *roller) fault(part []Step, kind Kind, alone bool) []Step {
	at := r.rng.IntN(len(part))
	s := Step{Kind: kind, Follower: !alone && r.rng.IntN(5) == 0, After: time.Duration(r.rng.IntN(60)) * time.Millisecond}
	ends := map[Kind]Kind{Kill: Start, Term: Start, Cut: Heal, Freeze: Heal, Pause: Continue}
	part = slices.Insert(part, at, s)
	if kind == Pause && r.rng.IntN(3) > 0 {
		part = slices.Insert(part, at, r.backlog()...)
		at += backlogSteps
	}
	if end := at + 1 + r.rng.IntN(len(part)-at); end < len(part) || alone {
		part = slices.Insert(part, end, Step{Kind: ends[kind]})
	}
	return part
}

const backlogSteps = 5

// backlog has several groups wait for their webhook: there is much that whoever is paused then must not do
// when it goes on.
func (r *roller) backlog() []Step {
	instance := pick(r.rng, instances())
	r.firing[Alert{Cause, instance}], r.firing[Alert{Plain, instance}], r.firing[Alert{Pulled, instance}] = true, true, true
	return []Step{
		{Kind: Refuse},
		{Kind: Fire, Alert: Alert{Cause, instance}},
		{Kind: Fire, Alert: Alert{Plain, instance}},
		{Kind: Fire, Alert: Alert{Pulled, instance}},
		{Kind: Wait, After: 300 * time.Millisecond},
	}
}
