package source

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A reading is what one server of a pair answered. Its rules have been judged.
type reading struct {
	rules []rule
	err   error
}

// A memory is what a server answered when it last answered well.
type memory struct {
	// rules are without their alerts.
	rules map[identity]rule

	// fired are the alerts that fired when their rule was last evaluated well, of rules that are
	// pending at first.
	fired map[model.Fingerprint]identity
}

// A union is what the servers of a pair say together.
type union struct {
	snapshot alarm.Snapshot
	unknown  map[string]string // rules of which nothing is known, and why
	invalid  int

	places map[model.Fingerprint]int // in the snapshot
}

// unite puts the answers of all servers together: an alert fires if any server says so that evaluated
// its rule well, and has ended if any server evaluated its rule well and none says that it fires. The
// memories are brought up to date.
func (n naming) unite(readings []reading, memories []memory) union {
	most := 0 // alerts of one server: the others list the same
	for i := range readings {
		n := 0
		for j := range readings[i].rules {
			n += len(readings[i].rules[j].alerts)
		}
		most = max(most, n)
	}
	u := union{unknown: map[string]string{}, places: make(map[model.Fingerprint]int, most)}
	if most > 0 {
		u.snapshot.Alerts = make([]alarm.Alert, 0, most)
	}
	held := map[model.Fingerprint]*alarm.Alert{}
	for i := range readings {
		for j := range readings[i].rules {
			r := &readings[i].rules[j]
			u.invalid += r.invalid
			if r.trouble == "" {
				u.add(r, memories[i].fired, held)
			}
		}
	}
	u.hold(held)
	u.doubt(n, readings, memories)
	for i := range readings {
		if readings[i].err == nil {
			memories[i] = remember(readings[i].rules, memories[i])
		}
	}
	slices.SortFunc(u.snapshot.Alerts, func(a, b alarm.Alert) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) })
	return u
}

// add takes in what a rule lists. What fired before and is pending now goes to held.
func (u *union) add(r *rule, fired map[model.Fingerprint]identity, held map[model.Fingerprint]*alarm.Alert) {
	for i := range r.alerts {
		a := &r.alerts[i]
		fp := a.who.Fingerprint()
		switch _, before := fired[fp]; {
		case a.state == firing:
			u.merge(fp, a, alarm.Firing, r.since(a))
		case a.state == pending && before:
			held[fp] = a.who
		case a.state == pending:
			u.merge(fp, a, alarm.Pending, a.since)
		}
	}
}

func (u *union) merge(fp model.Fingerprint, a *listed, state alarm.State, since time.Time) {
	place, there := u.places[fp]
	if !there {
		u.places[fp] = len(u.snapshot.Alerts)
		u.snapshot.Alerts = append(u.snapshot.Alerts, a.alert(state, since))
		return
	}
	switch old := &u.snapshot.Alerts[place]; {
	case old.State == state:
		if since.Before(old.StartsAt) {
			old.StartsAt = since
		}
	case state == alarm.Firing:
		*old = a.alert(state, since)
	}
}

// hold makes alerts unknown that fired before and are pending now, unless another server says that they
// fire. A server that was restarted counts anew how long their condition is true, and nothing tells
// that apart from one that was false for a moment.
func (u *union) hold(held map[model.Fingerprint]*alarm.Alert) {
	for _, fp := range slices.Sorted(maps.Keys(held)) {
		place, there := u.places[fp]
		if there && u.snapshot.Alerts[place].State == alarm.Firing {
			continue
		}
		if there {
			u.snapshot.Alerts[place].State = alarm.Resolved // taken out below
		}
		u.snapshot.Unknowns = append(u.snapshot.Unknowns, matcher.FromLabels(held[fp].Labels))
	}
	u.snapshot.Alerts = slices.DeleteFunc(u.snapshot.Alerts, func(a alarm.Alert) bool { return a.State == alarm.Resolved })
}

// doubt makes the alerts of all rules unknown that no server has evaluated well.
func (u *union) doubt(n naming, readings []reading, memories []memory) {
	certain, doubtful := map[identity]bool{}, map[identity]*rule{}
	for i := range readings {
		if readings[i].err != nil {
			for id, r := range memories[i].rules {
				r.trouble = "the only server that has it does not answer well"
				doubtful[id] = cmp.Or(doubtful[id], &r)
			}
			continue
		}
		whole := map[identity]bool{} // rules that alerts do not tell apart are one
		for j := range readings[i].rules {
			r := &readings[i].rules[j]
			before, there := whole[r.id]
			whole[r.id] = r.why() == "" && (before || !there)
			if r.why() != "" {
				doubtful[r.id] = cmp.Or(doubtful[r.id], r)
			}
		}
		for id, good := range whole {
			certain[id] = certain[id] || good
		}
	}
	for _, id := range slices.Sorted(maps.Keys(doubtful)) {
		if certain[id] {
			continue
		}
		r := doubtful[id]
		u.unknown[r.group+"/"+r.name] = r.why()
		ms := n.matchers(r)
		u.snapshot.Unknowns = append(u.snapshot.Unknowns, ms)
		for j := range r.alerts {
			if who := r.alerts[j].who; !ms.Matches(who.Labels) { // then labels are not made as is thought here
				u.snapshot.Unknowns = append(u.snapshot.Unknowns, matcher.FromLabels(who.Labels))
			}
		}
	}
}

// remember returns what is to be known of an answer when the next one comes.
func remember(rules []rule, before memory) memory {
	now := memory{rules: make(map[identity]rule, len(rules)), fired: map[model.Fingerprint]identity{}}
	for i := range rules {
		r := rules[i]
		for j := range r.alerts {
			fp := r.alerts[j].who.Fingerprint()
			_, fired := before.fired[fp]
			if r.hold > 0 && (fired || r.alerts[j].state == firing) {
				now.fired[fp] = r.id
			}
		}
		r.alerts = nil
		if known, there := now.rules[r.id]; !there || known.why() == "" {
			now.rules[r.id] = r
		}
	}
	for fp, id := range before.fired {
		if r, there := now.rules[id]; there && r.why() != "" {
			now.fired[fp] = id
		}
	}
	return now
}
