package discovery

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// listed is how many failing services an alert names one by one.
const listed = 50

// snapshot is what the board says at an instant.
func (b *Board) snapshot(now time.Time) (alarm.Snapshot, error) {
	s := alarm.Snapshot{At: now}
	heard := map[string]bool{} // clusters of which every agent was heard, saw something, and was heard to the end
	down := map[AgentKey]bool{}
	for k, a := range b.agents {
		if _, met := heard[k.Cluster]; !met {
			heard[k.Cluster] = true
		}
		heard[k.Cluster] = heard[k.Cluster] && a.whole
		down[k] = b.overdue(a, now)
	}
	for c := range b.left { // nothing fires where there is no agent any more
		if _, met := heard[c]; !met {
			heard[c] = true
		}
	}
	deaf := !b.deaf.IsZero()
	unread := deaf && now.Sub(b.deaf) > cmp.Or(b.opts.Overdue, patience)
	if !anyTrue(heard) && (deaf || !anyTrue(down)) && !unread {
		return alarm.Snapshot{}, ErrNotHeard
	}
	for _, k := range slices.SortedFunc(maps.Keys(down), AgentKey.compare) {
		switch {
		case down[k] && !deaf:
			b.agentDown(&s, k, now)
		case down[k], !b.agents[k].whole: // it has some time yet; whether it was down before is not known
			s.Unknown(model.LabelSet{"alertname": agentDown, "cluster": model.LabelValue(k.Cluster), "agent": model.LabelValue(k.Agent)})
		}
	}
	if unread {
		b.unread(&s)
	}
	for _, k := range b.order() {
		b.environment(&s, k, down)
	}
	homes := slices.Sorted(maps.Keys(heard))
	for _, a := range b.agents {
		for c := range a.clusters { // those of an agent that reports for several
			if _, met := heard[c]; !met {
				heard[c] = true
			}
		}
	}
	clusters := slices.DeleteFunc(slices.Sorted(maps.Keys(heard)), func(c string) bool { return !heard[c] })
	s.Unknowns = append(s.Unknowns, elsewhere(b.opts.Alert, clusters), elsewhere(agentDown, homes)) // of agents that are expected, the board knows
	slices.SortFunc(s.Alerts, func(x, y alarm.Alert) int { return cmp.Compare(x.Fingerprint(), y.Fingerprint()) })
	return s, nil
}

// patience is how long the silence of those may last who never said how often they speak.
const patience = 90 * time.Second

// unread adds the alert that nobody can be heard.
func (b *Board) unread(s *alarm.Snapshot) {
	a := s.Firing(model.LabelSet{"alertname": "TocsinSourceDown", "source": model.LabelValue(b.opts.Source), "severity": "critical"})
	a.StartsAt = b.deaf
	a.Annotations = model.LabelSet{
		"summary":     "What health agents find cannot be read: nobody knows how services are.",
		"description": model.LabelValue(fmt.Sprintf("Since %s: %s. Alerts of services are held, and what agents find is kept by them meanwhile.", since(b.deaf), clip(b.deafWhy, 300))),
	}
}

func anyTrue[K comparable](m map[K]bool) bool {
	for _, v := range m {
		if v {
			return true
		}
	}
	return false
}

func (k environmentKey) compare(other environmentKey) int {
	return cmp.Or(strings.Compare(k.cluster, other.cluster), strings.Compare(k.namespace, other.namespace))
}

// overdue says whether an agent should have been heard by now. One that is blind is as good as silent.
func (b *Board) overdue(a *agent, now time.Time) bool {
	limit := b.opts.Overdue
	if limit == 0 {
		limit = cmp.Or(3*a.interval, patience)
	}
	last := a.seeing
	if last.IsZero() {
		last = b.start
	}
	if last.Before(b.hears) { // what it found meanwhile comes with the next attempt to send it
		last, limit = b.hears, max(limit, patience)
	}
	return now.Sub(last) > limit
}

const agentDown = "TocsinAgentDown"

func (b *Board) agentDown(s *alarm.Snapshot, k AgentKey, now time.Time) {
	a := b.agents[k]
	words := "It was not heard since the start."
	switch {
	case !a.heard.IsZero() && now.Sub(a.heard) <= cmp.Or(3*a.interval, patience):
		words = "It answers, and its own network is gone since " + since(cmp.Or(a.seeing, b.start)) + "."
	case !a.heard.IsZero():
		words = "It was last heard at " + since(a.heard) + "."
	}
	n := 0
	for _, service := range a.services {
		if service.owner == k {
			n++
		}
	}
	alert := s.Firing(model.LabelSet{
		"alertname": agentDown, "cluster": model.LabelValue(k.Cluster), "agent": model.LabelValue(k.Agent), "severity": "critical",
	})
	alert.Annotations = model.LabelSet{
		"summary":     model.LabelValue(fmt.Sprintf("Health agent %s of cluster %s is down: nobody knows how its services are.", k.Agent, k.Cluster)),
		"description": model.LabelValue(fmt.Sprintf("%s Its %d services are unknown, and their alerts are held.", words, n)),
	}
}

func since(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// environment adds the alert of one environment, or says that it is unknown.
func (b *Board) environment(s *alarm.Snapshot, k environmentKey, down map[AgentKey]bool) {
	e := b.environments[k]
	var failing, doubtful []*service
	doubt := false
	dead, owner := false, AgentKey{} // asked once for each run of services of one agent
	for i, service := range e.services {
		if i == 0 || service.owner != owner {
			owner, dead = service.owner, down[service.owner]
		}
		unknown := dead || service.state == Unknown || service.state == None
		switch {
		case unknown && (service.failing || !service.known):
			doubt = true
			if service.failing {
				doubtful = append(doubtful, service)
			}
		case !unknown && service.failing:
			failing = append(failing, service)
		}
	}
	// The labels of which nothing depends on what is unknown: an alert that was told as passive before a
	// restart is held, though nobody knows any more that it is.
	if len(failing) == 0 && !doubt {
		return
	}
	labels := model.LabelSet{"alertname": model.LabelValue(b.opts.Alert), "cluster": model.LabelValue(k.cluster), "namespace": model.LabelValue(k.namespace)}
	if len(failing) == 0 {
		if doubt {
			s.Unknown(labels)
		}
		return
	}
	role, extra := Active, b.opts.Active
	if e.activity().Role == Passive {
		role, extra = Passive, b.opts.Passive
	}
	labels["environment"] = model.LabelValue(e.name)
	labels["activity"] = model.LabelValue(role.String())
	for name, value := range extra {
		if _, own := labels[name]; !own {
			labels[name] = value
		}
	}
	a := s.Firing(labels)
	a.StartsAt = failing[0].since
	for _, service := range failing {
		if service.since.Before(a.StartsAt) {
			a.StartsAt = service.since
		}
	}
	a.Annotations = annotations(k, e, role, failing, doubtful)
}

func annotations(k environmentKey, e *environment, role Role, failing, doubtful []*service) model.LabelSet {
	var names []string
	var lines strings.Builder
	for i, s := range failing {
		names = append(names, s.key.Service)
		if i < listed {
			fmt.Fprintf(&lines, "%s: since %s: %s\n", s.key.Service, since(s.since), cmp.Or(clip(s.message, 200), "it says so"))
		}
	}
	if rest := len(failing) - listed; rest > 0 {
		fmt.Fprintf(&lines, "and %d more\n", rest)
	}
	for _, s := range doubtful {
		fmt.Fprintf(&lines, "%s: failed since %s, and is not known at present\n", s.key.Service, since(s.since))
	}
	verb := "services fail"
	if len(failing) == 1 {
		verb = "service fails"
	}
	return model.LabelSet{
		"summary": model.LabelValue(fmt.Sprintf("%d of %d %s in %s (cluster %s, %s): %s",
			len(failing), len(e.services), verb, e.name, k.cluster, role, clip(strings.Join(names, ", "), 200))),
		"description": model.LabelValue(strings.TrimSuffix(lines.String(), "\n")),
		"services":    model.LabelValue(strings.Join(names, ",")),
		"failing":     model.LabelValue(fmt.Sprint(len(failing))),
	}
}

// activity is what the services of an environment say together: one that is active makes it active.
func (e *environment) activity() Activity {
	var all Activity
	for _, s := range e.services {
		a := s.activity.Or(e.queried)
		if a.Role == Active || all.Role == RoleUnknown {
			all.Role = a.Role
		}
		if a.Life == Live || all.Life == LifeUnknown {
			all.Life = a.Life
		}
	}
	return all
}

// elsewhere matches the alerts of other clusters than these: of those nothing was heard since the start.
func elsewhere(name string, heard []string) matcher.Matchers {
	quoted := make([]string, len(heard))
	for i, c := range heard {
		quoted[i] = regexp.QuoteMeta(c)
	}
	m, err := matcher.New(matcher.NotRegexp, "cluster", strings.Join(quoted, "|"))
	if err != nil {
		panic(err) // quoted text is a regular expression
	}
	return matcher.Matchers{{Type: matcher.Equal, Name: "alertname", Value: name}, m}
}

// An Environment is what a [Board] knows of the services of one namespace.
type Environment struct {
	Cluster, Namespace, Name   string
	Activity                   Activity
	Services, Failing, Unknown int
}

// Environments returns all environments, sorted by cluster and namespace.
func (b *Board) Environments() []Environment {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.opts.Clock()
	all := make([]Environment, 0, len(b.environments))
	for _, k := range b.order() {
		e := b.environments[k]
		sum := Environment{Cluster: k.cluster, Namespace: k.namespace, Name: e.name, Activity: e.activity(), Services: len(e.services)}
		for _, s := range e.services {
			switch {
			case s.state == Unknown || s.state == None || b.overdue(b.agents[s.owner], now):
				sum.Unknown++
			case s.failing:
				sum.Failing++
			}
		}
		all = append(all, sum)
	}
	return all
}
