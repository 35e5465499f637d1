package alarm

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// A judging is one round of questions to the suppressors.
type judging struct {
	now     time.Time
	touched map[model.Fingerprint]bool // of whom a suppressor says something else
}

// judge asks each suppressor that has something to judge, and records the verdicts that changed.
func (e *Engine) judge(now time.Time, changes []Change, silenced []SilenceChange) {
	j := &judging{now: now, touched: map[model.Fingerprint]bool{}}
	if e.unjudged {
		e.unjudged = false
		e.endUnraised(now)
		changes = e.everything()
		for _, c := range changes {
			if fp := c.Alert.Fingerprint(); e.alerts[fp].verdict != nil {
				j.touched[fp] = true
			}
		}
	}
	changes = joinChanges(changes, e.unshadow(now))
	for n := range e.parts.Suppressors {
		changes = joinChanges(changes, e.ask(j, n, changes, silenced))
	}
	e.reverdict(now, j.touched)
}

// ask has the n-th suppressor judge, if there is anything for it to judge, and returns what it raised.
// Those before it have then judged that as well.
func (e *Engine) ask(j *judging, n int, changes []Change, silenced []SilenceChange) []Change {
	due := !e.judgeNext[n].IsZero() && !j.now.Before(e.judgeNext[n])
	if len(changes) == 0 && len(silenced) == 0 && !due && (n == 0 || len(j.touched) == 0) {
		return nil
	}
	s := e.parts.Suppressors[n]
	v := View{
		Changes: changes, Silences: silenced,
		Reasons: e.reasonsBefore(n), Alert: e.alert, Told: e.isTold,
	}
	if n > 0 {
		v.Rejudged = sortedFingerprints(j.touched)
	}
	verdict := s.Judge(j.now, v)
	e.judgeNext[n] = verdict.Next
	e.keepRows(verdict.Rows)
	e.keepReasons(n, verdict, j.touched)
	raised := e.raise(j.now, s.Name(), verdict.Raised)
	if len(raised) == 0 {
		return nil
	}
	for before := range n {
		raised = joinChanges(raised, e.ask(j, before, raised, nil))
	}
	return raised
}

// raise takes in the alerts that a suppressor raises, and returns those that changed. An alert with the
// same labels that a source reports comes first.
func (e *Engine) raise(now time.Time, by string, raised []Change) []Change {
	var changes []Change
	for _, c := range raised {
		en := e.alerts[c.Alert.Fingerprint()]
		if en != nil && en.alert.RaisedBy != by && (en.alert.State != Resolved || c.Kind == Ended) {
			e.shadow(by, c)
			continue
		}
		a := *c.Alert
		a.RaisedBy, a.UpdatedAt = by, now
		if a = a.WithFingerprint(); a.FirstSeen.IsZero() {
			a.FirstSeen = now
			if en != nil {
				a.FirstSeen = en.alert.FirstSeen
			}
		}
		c.Alert, c.Source = &a, by
		if !e.follow(now, c) {
			continue
		}
		if c.Kind != Refreshed && e.worthWriting(now, c) {
			e.plan.Inputs = append(e.plan.Inputs, c)
		}
		if c.Kind != Refreshed && c.Kind != Reworded {
			changes = append(changes, c)
		}
	}
	return changes
}

// shadow remembers what a suppressor raises while a source reports the same labels.
func (e *Engine) shadow(by string, c Change) {
	fp := c.Alert.Fingerprint()
	if c.Kind == Ended {
		delete(e.shadowed, fp)
		return
	}
	if _, known := e.shadowed[fp]; !known {
		e.plan.Events = append(e.plan.Events, Event{Kind: "collision", Name: c.Alert.Name(), Note: "raised by " + by + ", and a source reports the same labels"})
	}
	a := *c.Alert
	a.RaisedBy = by
	e.shadowed[fp] = Change{Kind: Appeared, Alert: &a}
}

// unshadow raises what was shadowed by an alert that its source no longer reports.
func (e *Engine) unshadow(now time.Time) []Change {
	if len(e.shadowed) == 0 {
		return nil
	}
	var changes []Change
	for fp, c := range e.shadowed { // sorted below
		if en := e.alerts[fp]; en == nil || en.alert.State == Resolved {
			delete(e.shadowed, fp)
			changes = append(changes, c)
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return byFingerprint(a.Alert, b.Alert) })
	var raised []Change
	for _, c := range changes {
		raised = append(raised, e.raise(now, c.Alert.RaisedBy, []Change{c})...)
	}
	return raised
}

// endUnraised ends the alerts whose suppressor the configuration no longer has.
func (e *Engine) endUnraised(now time.Time) {
	for _, en := range e.sortedEntries() {
		by := en.alert.RaisedBy
		if by == "" || en.alert.State == Resolved ||
			slices.ContainsFunc(e.parts.Suppressors, func(s Suppressor) bool { return s.Name() == by }) {
			continue
		}
		a := *en.alert
		a.State, a.EndsAt = Resolved, now
		e.raise(now, by, []Change{{Kind: Ended, Alert: &a}})
	}
}

// joinChanges adds changes to others, sorted by fingerprint. Of two of one alert the added one counts.
func joinChanges(changes, added []Change) []Change {
	if len(added) == 0 {
		return changes
	}
	all := slices.Concat(added, changes) // a stable sort leaves the added one first
	slices.SortStableFunc(all, func(a, b Change) int { return byFingerprint(a.Alert, b.Alert) })
	return slices.CompactFunc(all, func(a, b Change) bool { return a.Alert.Fingerprint() == b.Alert.Fingerprint() })
}

// everything is all that is known, as changes, for suppressors that are new.
func (e *Engine) everything() []Change {
	var changes []Change
	for _, en := range e.sortedEntries() {
		kind := Appeared
		if en.alert.State == Resolved {
			kind = Ended
		}
		changes = append(changes, Change{Kind: kind, Alert: en.alert})
	}
	return changes
}

func (e *Engine) alert(fp model.Fingerprint) *Alert {
	if en := e.alerts[fp]; en != nil {
		return en.alert
	}
	return nil
}

// isTold says whether any channel holds the alert to be open at its remote.
func (e *Engine) isTold(fp model.Fingerprint) bool {
	en := e.alerts[fp]
	if en == nil {
		return false
	}
	for _, g := range en.groups {
		for _, c := range g.channels {
			if e.told[c.key].holds(en.hash) {
				return true
			}
		}
	}
	return false
}

func (e *Engine) reasonsBefore(n int) func(model.Fingerprint) []Suppression {
	return func(fp model.Fingerprint) []Suppression {
		if en := e.alerts[fp]; en != nil {
			return en.says(n)
		}
		return nil
	}
}

// keepReasons replaces what the n-th suppressor said of the alerts that it judged.
func (e *Engine) keepReasons(n int, j Judgement, touched map[model.Fingerprint]bool) {
	reasons := j.Reasons
	for _, fp := range j.Judged {
		k := 0
		for k < len(reasons) && reasons[k].Fingerprint == fp {
			k++
		}
		given := reasons[:k:k]
		reasons = reasons[k:]
		en := e.alerts[fp]
		if en == nil || (en.reasons() == nil && k == 0) {
			continue
		}
		if !sameSuppressions(en.reasonsOf(n), given) {
			en.keepReasons(n, len(e.parts.Suppressors), given)
			touched[fp] = true
		}
	}
}

// reverdict turns the reasons of the alerts that were touched into verdicts.
func (e *Engine) reverdict(now time.Time, touched map[model.Fingerprint]bool) {
	for _, fp := range sortedFingerprints(touched) {
		en := e.alerts[fp]
		all := en.says(len(en.reasons()))
		before := en.verdict.reasons()
		if sameSuppressions(before, all) {
			continue
		}
		v := Verdict{Fingerprint: fp, At: now, Suppressions: all}
		e.plan.Exclude = append(e.plan.Exclude, v)
		e.reexplain(fp, before, all)
		en.verdict = nil
		if len(all) > 0 {
			en.verdict = &v
		}
		for _, g := range en.groups {
			e.touch(now, g)
		}
	}
}

func sortedFingerprints(set map[model.Fingerprint]bool) []model.Fingerprint {
	sorted := make([]model.Fingerprint, 0, len(set))
	for fp := range set {
		sorted = append(sorted, fp)
	}
	slices.Sort(sorted)
	return sorted
}
