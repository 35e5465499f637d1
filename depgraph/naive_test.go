package depgraph

import (
	"maps"
	"net"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A slow and obvious twin of the Suppressor of dependencies: it knows no pools, indexes, or deadlines, and
// looks at all rules and all alerts whenever it is asked.
type slowTwin struct {
	rules      []Rule
	severities alarm.Severities
	entities   []alarm.Entity
	untold     time.Duration

	alerts   map[model.Fingerprint]*alarm.Alert // that fire or are pending
	told     map[model.Fingerprint]bool
	silenced map[model.Fingerprint]bool
	seen     map[model.Fingerprint]time.Time
	stays    map[model.Fingerprint]map[int]*slowStay
}

type slowStay struct {
	first, from, settle, check time.Time
	by, root                   model.Fingerprint
	name                       string
	over, heard                bool
}

func newSlowTwin(rules []Rule, o Options) *slowTwin {
	w := &slowTwin{
		rules: rules, severities: o.Severities, untold: o.Untold,
		alerts: map[model.Fingerprint]*alarm.Alert{}, told: map[model.Fingerprint]bool{}, silenced: map[model.Fingerprint]bool{},
		seen: map[model.Fingerprint]time.Time{}, stays: map[model.Fingerprint]map[int]*slowStay{},
	}
	if o.Topology != nil {
		w.entities = o.Topology.Entities()
	}
	return w
}

// take follows one alert.
func (w *slowTwin) take(now time.Time, a *alarm.Alert) {
	fp := a.Fingerprint()
	old := w.alerts[fp]
	delete(w.alerts, fp)
	if a.State != alarm.Resolved {
		w.alerts[fp] = a
	}
	if a.State != alarm.Firing {
		delete(w.stays, fp)
		delete(w.seen, fp)
	} else if old == nil || old.State != alarm.Firing {
		w.seen[fp] = now
		w.stays[fp] = map[int]*slowStay{}
	}
}

func (w *slowTwin) order() []model.Fingerprint { return slices.Sorted(maps.Keys(w.alerts)) }

func (w *slowTwin) entity(ls model.LabelSet) string {
	best, most := "", 0
	for _, e := range w.entities {
		all := len(e.Labels) > most
		for name, value := range e.Labels {
			all = all && ls[name] == value
		}
		if all {
			best, most = e.Name, len(e.Labels)
		}
	}
	return best
}

func (w *slowTwin) dependsOn(from, to string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(at string) bool {
		if seen[at] {
			return false
		}
		seen[at] = true
		for _, e := range w.entities {
			if e.Name != at {
				continue
			}
			for _, d := range e.DependsOn {
				if d == to || visit(d) {
					return true
				}
			}
		}
		return false
	}
	return visit(from)
}

// below says whether an entity depends on another, which does not depend on it.
func (w *slowTwin) below(impact, cause string) bool {
	return impact != "" && cause != "" && w.dependsOn(impact, cause) && !w.dependsOn(cause, impact)
}

func strip(p Pair, value string) string {
	if host, _, err := net.SplitHostPort(value); p.StripPort && err == nil && host != "" {
		return host
	}
	return value
}

// isImpact says whether an alert matches the impact side of a rule, with all labels that it needs.
func (w *slowTwin) isImpact(r *Rule, ls model.LabelSet) bool {
	for _, p := range r.On {
		if r.Kind != Inhibition && !p.Optional && strip(p, string(ls[model.LabelName(p.Impact)])) == "" {
			return false
		}
	}
	return r.Impact.Matches(ls) && (!r.Via || w.entity(ls) != "")
}

func (w *slowTwin) agree(r *Rule, impact, cause model.LabelSet) bool {
	for _, p := range r.On {
		a, b := strip(p, string(impact[model.LabelName(p.Impact)])), strip(p, string(cause[model.LabelName(p.Cause)]))
		switch {
		case r.Kind == Inhibition:
			if a != b {
				return false
			}
		case p.Optional && (a == "" || b == ""):
		case a == "" || a != b:
			return false
		}
	}
	return true
}

// causes returns what explains an alert by a rule, sorted.
func (w *slowTwin) causes(r *Rule, fp model.Fingerprint) []model.Fingerprint {
	impact := w.alerts[fp]
	if !w.isImpact(r, impact.Labels) {
		return nil
	}
	var found []model.Fingerprint
	for _, c := range w.order() {
		cause := w.alerts[c]
		if cause.State != alarm.Firing || !r.Cause.Matches(cause.Labels) || !w.agree(r, impact.Labels, cause.Labels) {
			continue
		}
		if r.Via && !w.below(w.entity(impact.Labels), w.entity(cause.Labels)) {
			continue
		}
		if !r.Via && r.Cause.Matches(impact.Labels) && w.isImpact(r, cause.Labels) {
			continue
		}
		if r.Kind != Inhibition && (!r.AnySeverity && w.severities.Milder(cause.Labels, impact.Labels) || r.SilencedPass && w.silenced[c]) {
			continue
		}
		found = append(found, c)
	}
	if !w.enough(r, impact, found) {
		return nil
	}
	return found
}

func (w *slowTwin) enough(r *Rule, impact *alarm.Alert, found []model.Fingerprint) bool {
	if r.Require == "" || r.Require == Any {
		return true
	}
	if !r.Via {
		return len(found) >= r.Least
	}
	counted := map[string]bool{}
	known := 0
	for _, e := range w.entities {
		if !w.below(w.entity(impact.Labels), e.Name) {
			continue
		}
		possible := len(e.Labels) > 0
		for _, m := range r.Cause {
			if value, ok := e.Labels[model.LabelName(m.Name)]; ok && !m.Matches(string(value)) {
				possible = false
			}
		}
		if len(r.Of) > 0 {
			possible = r.Of.Matches(model.LabelSet{"name": model.LabelValue(e.Name), "kind": model.LabelValue(e.Kind)}.Merge(e.Labels))
		}
		if !possible {
			continue
		}
		known++
		for _, c := range found {
			if w.entity(w.alerts[c].Labels) == e.Name {
				counted[e.Name] = true
			}
		}
	}
	if r.Require == AtLeast {
		return len(counted) >= r.Least
	}
	return known > 0 && len(counted) == known
}

// up returns what explains an alert now.
func (w *slowTwin) up(fp model.Fingerprint) (model.Fingerprint, bool) {
	a := w.alerts[fp]
	if a == nil || a.State != alarm.Firing {
		return 0, false
	}
	for i := range w.rules {
		r := &w.rules[i]
		if r.Kind == Inhibition {
			continue
		}
		if st := w.stays[fp][i]; st != nil && st.over {
			continue
		}
		if cs := w.causes(r, fp); len(cs) > 0 {
			return cs[0], true
		}
	}
	return 0, false
}

func (w *slowTwin) root(fp model.Fingerprint) model.Fingerprint {
	for {
		next, ok := w.up(fp)
		if !ok {
			return fp
		}
		fp = next
	}
}

func (w *slowTwin) known(fp model.Fingerprint) bool {
	for {
		if w.told[fp] || w.silenced[fp] {
			return true
		}
		if w.alerts[fp] != nil {
			for i := range w.rules {
				if w.rules[i].Kind == Inhibition && len(w.causes(&w.rules[i], fp)) > 0 {
					return true
				}
			}
		}
		next, ok := w.up(fp)
		if !ok {
			return false
		}
		fp = next
	}
}

// judge returns the reasons of every alert. What lasted too long is out of force first.
func (w *slowTwin) judge(now time.Time) map[model.Fingerprint][]alarm.Suppression {
	for {
		all, over := map[model.Fingerprint][]alarm.Suppression{}, false
		for _, fp := range w.order() {
			reasons, ended := w.judgeOne(now, fp)
			over = over || ended
			if len(reasons) > 0 {
				all[fp] = reasons
			}
		}
		if !over {
			return all
		}
	}
}

func (w *slowTwin) judgeOne(now time.Time, fp model.Fingerprint) (all []alarm.Suppression, ended bool) {
	a := w.alerts[fp]
	explained := false
	var hold time.Duration
	holder := ""
	for i := range w.rules {
		r := &w.rules[i]
		causes := w.causes(r, fp)
		if r.Kind == Inhibition {
			if len(causes) > 0 {
				c := w.alerts[causes[0]]
				all = append(all, alarm.Suppression{Fingerprint: fp, Reason: alarm.ReasonInhibition, By: causes[0].String(), Rule: r.Name, Note: c.Name(), Since: c.StartsAt})
			}
			continue
		}
		if a.State != alarm.Firing || !w.isImpact(r, a.Labels) {
			continue
		}
		below := !r.Via || slices.ContainsFunc(w.entities, func(e alarm.Entity) bool {
			return e.Name == w.entity(a.Labels) && len(e.DependsOn) > 0
		})
		if below && r.HoldBack > hold {
			hold, holder = r.HoldBack, r.Name
		}
		st := w.stays[fp][i]
		if len(causes) > 0 && st == nil {
			st = &slowStay{first: now}
			if r.HoldBack > 0 && !now.After(w.seen[fp].Add(r.HoldBack)) {
				st.first = w.seen[fp]
			}
			st.from = st.first
			w.stays[fp][i] = st
		}
		if st == nil || st.over {
			continue
		}
		why, withheld := w.judgeStay(now, r, st, causes)
		ended = ended || st.over
		if withheld {
			explained = true
			why.Fingerprint = fp
			all = append(all, why)
		}
	}
	if end := w.seen[fp].Add(hold); a.State == alarm.Firing && hold > 0 && now.Before(end) && !w.told[fp] && !explained {
		all = append(all, alarm.Suppression{Fingerprint: fp, Reason: alarm.ReasonDependency, Rule: holder, Note: "a cause may follow", Since: w.seen[fp], Until: end})
	}
	return all, ended
}

func (w *slowTwin) judgeStay(now time.Time, r *Rule, st *slowStay, causes []model.Fingerprint) (alarm.Suppression, bool) {
	var until time.Time
	note := ""
	if len(causes) > 0 {
		if !st.settle.IsZero() && !now.Before(st.settle) {
			st.from, st.check, st.heard = now, time.Time{}, false
		}
		st.settle = time.Time{}
		st.by, st.name, st.root = causes[0], w.alerts[causes[0]].Name(), w.root(causes[0])
		note = st.name
		if r.Max > 0 {
			until = st.first.Add(r.Max)
			st.over = !now.Before(until)
		} else {
			if st.check.IsZero() {
				st.check = st.from.Add(w.untold)
			}
			if !now.Before(st.check) {
				known := slices.ContainsFunc(causes, w.known)
				if !known && !st.heard {
					st.over = true
				} else {
					st.heard, st.check = known, st.from.Add((now.Sub(st.from)/w.untold+1)*w.untold)
				}
			}
			if !st.heard {
				until = st.check
			}
		}
		if st.over {
			return alarm.Suppression{}, false
		}
	} else {
		if st.settle.IsZero() {
			st.settle = now.Add(r.Settle)
		}
		until = st.settle
		if r.Max > 0 && st.first.Add(r.Max).Before(until) {
			until = st.first.Add(r.Max)
		}
		if !now.Before(until) {
			return alarm.Suppression{}, false
		}
		note = st.name + ", which is over"
	}
	why := alarm.Suppression{Reason: alarm.ReasonDependency, By: st.by.String(), Close: !r.KeepOpen, Rule: r.Name, Note: note, Since: st.first, Until: until}
	if st.root != st.by {
		why.Root = st.root.String()
	}
	return why, true
}
