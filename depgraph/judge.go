package depgraph

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A judging is one call of Judge.
type judging struct {
	*Suppressor
	now  time.Time
	view alarm.View
}

func (j *judging) told(fp model.Fingerprint) bool { return j.view.Told != nil && j.view.Told(fp) }

func (j *judging) reasonsOf(fp model.Fingerprint) []alarm.Suppression {
	if j.view.Reasons == nil {
		return nil
	}
	return j.view.Reasons(fp)
}

// relink finds out anew what explains an alert, and says whether that, or the root, is another now.
func (j *judging) relink(fp model.Fingerprint, n *node) bool {
	up, root, linked, muting := n.up, n.root, n.linked, n.muting
	n.linked, n.muting = false, false
	for _, l := range j.links(n) {
		if j.graph.rules[l.rule].inhibits() {
			n.muting = true
			continue
		}
		if st := n.find(l.rule); !n.linked && n.causing && (st == nil || !st.over) {
			n.up, n.linked = l.cause.fingerprint, true
		}
	}
	if !n.linked {
		n.up, n.linked = rolledUp(j.reasonsOf(fp))
		j.rollUp(fp, n, n.up, n.linked)
	} else {
		j.rollUp(fp, n, 0, false)
	}
	n.root = n.up
	if above := j.nodes[n.up]; n.linked && above != nil && above.linked {
		n.root = above.root
	}
	return n.linked != linked || n.muting != muting || n.linked && (n.up != up || n.root != root)
}

// rollUp notes which alert of a roll-up explains this one, so that it follows the root of that.
func (s *Suppressor) rollUp(fp model.Fingerprint, n *node, by model.Fingerprint, linked bool) {
	if !linked {
		by = 0
	}
	if n.rolledBy == by {
		return
	}
	if members := s.rolled[n.rolledBy]; members != nil {
		if delete(members, fp); len(members) == 0 {
			delete(s.rolled, n.rolledBy)
		}
	}
	if n.rolledBy = by; by == 0 {
		return
	}
	if s.rolled[by] == nil {
		s.rolled[by] = map[model.Fingerprint]struct{}{}
	}
	s.rolled[by][fp] = struct{}{}
}

// rolledUp returns the alert that stands for this one in a roll-up.
func rolledUp(reasons []alarm.Suppression) (model.Fingerprint, bool) {
	for _, r := range reasons {
		if r.Reason == alarm.ReasonRollup && r.By != "" {
			fp, err := model.ParseFingerprint(r.By)
			return fp, err == nil
		}
	}
	return 0, false
}

// reasons appends one reason for each rule that withholds the alert, in the order of the rules. It
// returns true if a rule has withheld it for too long from now on.
func (j *judging) reasons(all []alarm.Suppression, fp model.Fingerprint, n *node) ([]alarm.Suppression, bool) {
	links := j.links(n)
	if n.impact == nil || !n.causing {
		for _, l := range links {
			if r := &j.graph.rules[l.rule]; r.inhibits() {
				all = append(all, r.inhibition(fp, l.cause))
			}
		}
		return all, false
	}
	j.openStays(n, links)
	n.wake = time.Time{}
	over, explained, next := false, false, 0
	inhibitions := func(before int) {
		for ; next < len(links) && links[next].rule < before; next++ {
			if r := &j.graph.rules[links[next].rule]; r.inhibits() {
				all = append(all, r.inhibition(fp, links[next].cause))
			}
		}
	}
	for i := range n.stays {
		st := &n.stays[i]
		wasOver := st.over
		inhibitions(st.rule)
		var why alarm.Suppression
		var withheld bool
		if next < len(links) && links[next].rule == st.rule {
			why, withheld = j.explained(fp, n, st, links[next].cause)
		} else {
			why, withheld = j.settling(fp, n, st)
		}
		over = over || st.over && !wasOver
		if withheld {
			explained = true
			all = append(all, why)
		}
	}
	inhibitions(len(j.graph.rules))
	if why, held := j.heldBack(fp, n); held && !explained {
		all = append(all, why)
	}
	return all, over
}

func (r *rule) inhibition(fp model.Fingerprint, cause *spokesman) alarm.Suppression {
	return alarm.Suppression{
		Fingerprint: fp, Reason: alarm.ReasonInhibition, By: cause.fingerprint.String(),
		Rule: r.Name, Note: cause.name, Since: cause.since,
	}
}

// openStays begins a stay for each dependency that has none yet. What a rule withholds within its
// hold_back counts as withheld from the beginning, whichever of cause and impact came first.
func (j *judging) openStays(n *node, links []link) {
	for _, l := range links {
		r := &j.graph.rules[l.rule]
		if r.inhibits() || n.find(l.rule) != nil {
			continue
		}
		first := j.now
		if r.HoldBack > 0 && !j.now.After(n.seen.Add(r.HoldBack)) {
			first = n.seen
		}
		i, _ := slices.BinarySearchFunc(n.stays, l.rule, func(s stay, rule int) int { return cmp.Compare(s.rule, rule) })
		n.stays = slices.Insert(n.stays, i, stay{rule: l.rule, first: first, from: first})
		n.changed = true
	}
}

// explained judges a stay while a cause fires.
func (j *judging) explained(fp model.Fingerprint, n *node, st *stay, cause *spokesman) (alarm.Suppression, bool) {
	r := &j.graph.rules[st.rule]
	if st.over {
		return alarm.Suppression{}, false
	}
	if !st.settle.IsZero() {
		if !j.now.Before(st.settle) { // it was told in between
			st.from, st.check, st.heard = j.now, time.Time{}, false
		}
		st.settle, n.changed = time.Time{}, true
	}
	root := cause.fingerprint
	if above := j.nodes[root]; above != nil && above.linked {
		root = above.root
	}
	if st.by != cause.fingerprint || st.root != root || st.name != cause.name {
		st.by, st.root, st.name, n.changed = cause.fingerprint, root, cause.name, true
	}
	until := j.patience(n, st, r)
	if st.over {
		return alarm.Suppression{}, false
	}
	return j.suppression(fp, st, r, cause.name, until), true
}

// patience returns when a stay ends at the latest, or zero, and ends it if that is now.
func (j *judging) patience(n *node, st *stay, r *rule) time.Time {
	if r.Max > 0 {
		end := st.first.Add(r.Max)
		if !j.now.Before(end) {
			st.over, n.changed = true, true
		}
		n.wake = later(j.now, n.wake, end)
		return end
	}
	if st.check.IsZero() {
		st.check = st.from.Add(j.graph.untold)
	}
	if !j.now.Before(st.check) {
		// One bad check after a good one is forgiven: the cause may have begun anew just now.
		known := j.anybodyKnows(n, st)
		if !known && !st.heard {
			st.over, n.changed = true, true
			return st.check
		}
		n.changed = n.changed || known != st.heard
		st.heard, st.check = known, j.graph.checkAfter(st.from, j.now)
	}
	n.wake = later(j.now, n.wake, st.check)
	if st.heard {
		return time.Time{}
	}
	return st.check
}

// anybodyKnows says whether a cause that the rule has for the alert is known to somebody.
func (j *judging) anybodyKnows(n *node, st *stay) bool {
	if j.known(st.by) {
		return true
	}
	r := &j.graph.rules[st.rule]
	for _, p := range n.impacts {
		c := p.causes[st.rule]
		if c == nil {
			continue
		}
		for i := range c.sets {
			if r.classes > 1 && !r.eligible(i/sides, n.class) {
				continue
			}
			for fp := range c.sets[i].members { // the order does not show: any will do
				if j.known(fp) {
					return true
				}
			}
		}
	}
	return false
}

// known says whether an alert, or one of the chain above it, was told, is muted by a person, a plan or an
// inhibition, or is one of few enough that a roll-up tolerates them.
func (j *judging) known(at model.Fingerprint) bool {
	for range len(j.nodes) + 1 {
		if j.told(at) {
			return true
		}
		if why := j.reasonsOf(at); isMuted(why) || isTolerated(why) {
			return true
		}
		n := j.nodes[at]
		switch {
		case n == nil:
			return false
		case n.muting:
			return true
		case !n.linked:
			return false
		}
		at = n.up
	}
	return false
}

// settling judges a stay of which no cause fires any more.
func (j *judging) settling(fp model.Fingerprint, n *node, st *stay) (alarm.Suppression, bool) {
	r := &j.graph.rules[st.rule]
	if st.over {
		return alarm.Suppression{}, false
	}
	if st.settle.IsZero() {
		st.settle, n.changed = j.now.Add(r.Settle), true
	}
	end := st.settle
	if limit := st.first.Add(r.Max); r.Max > 0 && limit.Before(end) {
		end = limit
	}
	if !j.now.Before(end) {
		return alarm.Suppression{}, false
	}
	n.wake = later(j.now, n.wake, end)
	return j.suppression(fp, st, r, st.name+", which is over", end), true
}

func (j *judging) suppression(fp model.Fingerprint, st *stay, r *rule, note string, until time.Time) alarm.Suppression {
	why := alarm.Suppression{
		Fingerprint: fp, Reason: alarm.ReasonDependency, By: st.by.String(), Close: !r.KeepOpen,
		Rule: r.Name, Note: note, Since: st.first, Until: until,
	}
	if st.root != st.by {
		why.Root = st.root.String()
	}
	return why
}

// heldBack judges whether the alert still waits for a cause.
func (j *judging) heldBack(fp model.Fingerprint, n *node) (alarm.Suppression, bool) {
	end := n.heldUntil()
	if n.holdBack == 0 || !j.now.Before(end) || j.told(fp) {
		return alarm.Suppression{}, false
	}
	n.wake = later(j.now, n.wake, end)
	return alarm.Suppression{
		Fingerprint: fp, Reason: alarm.ReasonDependency, Rule: j.graph.rules[n.holder].Name,
		Note: "a cause may follow", Since: n.seen, Until: end,
	}, true
}
