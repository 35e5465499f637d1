package web

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cmd/internal/health"
	"github.com/tocsin/tocsin/discovery"
)

// manyHealthRows is how many rows a table shows.
const manyHealthRows = 1000

// newHealthTable makes a table out of the rows that are shown.
func newHealthTable(title, nothing string, heads []string, rows []healthRow) healthTable {
	t := healthTable{Title: title, Heads: heads, Nothing: nothing, Rows: rows[:min(len(rows), manyHealthRows)], More: max(0, len(rows)-manyHealthRows)}
	for i := range t.Rows {
		for j := range t.Rows[i].Cells {
			t.Rows[i].Cells[j].Head = heads[j]
			t.Rows[i].Cells[j].Text = clip(t.Rows[i].Cells[j].Text, longText)
		}
	}
	return t
}

// has says whether one of the names has the text that is searched for, without regard to case.
func (f *healthForm) has(names ...string) bool {
	query := strings.ToLower(f.Query)
	return query == "" || slices.ContainsFunc(names, func(n string) bool { return strings.Contains(strings.ToLower(n), query) })
}

func failingPage(a *healthAsk) (*healthPage, error) {
	f := a.form("health")
	p := &healthPage{Frame: frame{Title: "Failing"}, Here: "health", Form: f, Facts: summaryFacts(&a.view.Summary)}
	var rows []healthRow
	for _, s := range health.Failing(a.view, a.quiet, f.filter()) {
		if !f.has(s.Service, s.Environment, s.Namespace, s.Cluster) {
			continue
		}
		state := stateCell(s.State)
		if s.State != discovery.Fail {
			state.Text = "failed, now " + s.State.String()
		}
		rows = append(rows, healthRow{Tone: toneOf(s.State), Cells: []healthCell{
			{Text: s.Service, URL: serviceLink(s.Service)},
			{Text: s.Environment, URL: environmentLink(s.Key)},
			{Text: s.Cluster, URL: clusterLink(s.Cluster)},
			state,
			{When: makeWhen(a.now, s.FirstSeen)},
			{Text: strconv.Itoa(s.FailCount)},
			{Text: toldWords(s.Activity, s.IdleSince, s.Silence, a.now)},
			{Text: s.Message},
		}})
	}
	p.Tables = []healthTable{newHealthTable("Failing services", "No service that was chosen fails.",
		[]string{"Service", "Environment", "Cluster", "State", "Since", "Times", "Environment is", "Says"}, rows)}
	return p, nil
}

// toldWords says what an environment is, and why nobody is told of it if that is so.
func toldWords(role discovery.Role, idle time.Time, silence string, now time.Time) string {
	words := discovery.Active.String()
	if role == discovery.Passive {
		words = role.String()
	}
	switch {
	case silence != "":
		return words + ", silenced: nobody uses it, for " + age(now.Sub(idle))
	case !idle.IsZero():
		return words + ", and nobody uses it, for " + age(now.Sub(idle))
	default:
		return words
	}
}

func summaryFacts(s *cache.Summary) []healthFact {
	facts := []healthFact{
		{"Services", fmt.Sprintf("%d: %d ok, %d warn, %d unknown, %d fail", s.Services, s.OK, s.Warn, s.Unknown, s.Fail)},
		{"Environments", fmt.Sprintf("%d in %d clusters; services fail in %d active and %d passive ones", s.Environments, s.Clusters, s.FailingActive, s.FailingPassive)},
	}
	if s.LostAgents > 0 {
		facts = append(facts, healthFact{"Agents", fmt.Sprintf("%d of %d are not heard: %d services are unknown", s.LostAgents, s.Agents, s.Lost)})
	}
	return facts
}

func environmentsPage(a *healthAsk) (*healthPage, error) {
	f := a.form("environments")
	all := health.Environments(a.view, a.quiet, f.filter())
	slices.SortStableFunc(all, func(x, y health.Environment) int { return cmp.Compare(y.State, x.State) })
	var rows []healthRow
	for i := range all {
		e := &all[i]
		if !f.has(e.Name, e.Namespace, e.Cluster) {
			continue
		}
		rows = append(rows, healthRow{Tone: toneOf(e.State), Cells: []healthCell{
			{Text: e.Name, URL: environmentLink(e.Key)},
			{Text: e.Cluster, URL: clusterLink(e.Cluster)},
			stateCell(e.State),
			{Text: countWords(&e.Counts)},
			{Text: strings.Join(e.Failing, ", ")},
			{Text: toldWords(e.Activity.Role, e.IdleSince, e.Silence, a.now)},
		}})
	}
	return &healthPage{Frame: frame{Title: "Environments"}, Here: "environments", Form: f, Tables: []healthTable{
		newHealthTable("Environments", "No environment was chosen.", []string{"Environment", "Cluster", "State", "Services", "Failing", "It is"}, rows),
	}}, nil
}

// countWords says how many services there are, and how many are not well.
func countWords(c *health.Counts) string {
	words := strconv.Itoa(c.Services)
	for _, part := range []struct {
		n    int
		word string
	}{{c.Fail, "fail"}, {c.Warn, "warn"}, {c.Unknown, "unknown"}} {
		if part.n > 0 {
			words += fmt.Sprintf(", %d %s", part.n, part.word)
		}
	}
	return words
}

func environmentPage(a *healthAsk) (*healthPage, error) {
	k := cache.Key{Cluster: a.query.Get("cluster"), Namespace: a.query.Get("namespace")}
	if a.view.Environment(k) == nil {
		return nil, errNothingThere
	}
	panel, err := health.PanelOf(a.ctx, a.view, k, a.quiet)
	if err != nil {
		return nil, err
	}
	p := &healthPage{Frame: frame{Title: clip(panel.Name, shortText)}, Here: "environments", Facts: []healthFact{
		{"Environment", clip(panel.Name, shortText)},
		{"Cluster", clip(k.Cluster, shortText)},
		{"Namespace", clip(k.Namespace, shortText)},
		{"Services", countWords(&panel.Counts)},
		{"It is", toldWords(panel.Activity.Role, panel.IdleSince, panel.Silence, a.now)},
	}}
	if panel.Silence != "" {
		p.Notes = append(p.Notes, "Nobody is told of this environment: no live activity was seen since "+makeWhen(a.now, panel.IdleSince).Full+
			". It is heard again when activity returns, or when its silence is ended.")
	}
	var rows []healthRow
	for i := range panel.Services {
		s := &panel.Services[i]
		rows = append(rows, serviceRow(a.now, s, healthCell{Text: s.Name, URL: serviceLink(s.Name)}, panel.Workloads[s.Name]))
	}
	p.Tables = []healthTable{newHealthTable("Services", "It has no services.", append([]string{"Service"}, serviceHeads()...), rows)}
	return p, nil
}

func serviceHeads() []string {
	return []string{"State", "Since", "Times", "Answered in", "Version", "Pods", "Says"}
}

// serviceRow is a row about one service of one environment. Workload may be nil.
func serviceRow(now time.Time, s *cache.Service, first healthCell, w *discovery.Workload) healthRow {
	row := healthRow{Tone: toneOf(s.State), Cells: []healthCell{first, stateCell(s.State), {}, {}, {}, {Text: s.Version}, {Text: podWords(w)}, {Text: s.Message}}}
	if s.Lost {
		row.Cells[1].Text = "unknown: not heard of"
	}
	if s.Failing {
		row.Cells[2], row.Cells[3] = healthCell{When: makeWhen(now, s.FirstSeen)}, healthCell{Text: strconv.Itoa(s.FailCount)}
	}
	if s.Latency >= 0 {
		row.Cells[4].Text = s.Latency.Round(time.Millisecond).String()
	}
	return row
}

func podWords(w *discovery.Workload) string {
	if w == nil {
		return ""
	}
	ready, restarts := 0, 0
	for i := range w.Pods {
		restarts += w.Pods[i].Restarts
		if w.Pods[i].Ready {
			ready++
		}
	}
	words := fmt.Sprintf("%d of %d ready", ready, len(w.Pods))
	if restarts > 0 {
		words += fmt.Sprintf(", %d restarts", restarts)
	}
	return words
}

func clustersPage(a *healthAsk) (*healthPage, error) {
	var rows []healthRow
	for _, c := range health.Clusters(a.view) {
		agents := "heard"
		for _, agent := range c.Agents {
			if agent.Lost {
				agents = agent.Agent + " is not heard since " + makeWhen(a.now, agent.At).Full
			}
		}
		rows = append(rows, healthRow{Tone: toneOf(c.State), Cells: []healthCell{
			{Text: c.Cluster, URL: clusterLink(c.Cluster)},
			stateCell(c.State),
			{Text: fmt.Sprintf("%d active, %d passive", c.Active, c.Passive)},
			{Text: strconv.Itoa(c.Failing)},
			{Text: countWords(&c.Counts)},
			{Text: agents},
		}})
	}
	return &healthPage{Frame: frame{Title: "Clusters"}, Here: "clusters", Tables: []healthTable{
		newHealthTable("Clusters", "No cluster is known.", []string{"Cluster", "State", "Environments", "Failing", "Services", "Agents"}, rows),
	}}, nil
}

func servicesPage(a *healthAsk) (*healthPage, error) {
	var rows []healthRow
	for _, s := range health.Services(a.view, a.aliases) {
		rows = append(rows, healthRow{Tone: toneOf(s.State), Cells: []healthCell{
			{Text: s.Name, URL: serviceLink(s.Name)}, stateCell(s.State), {Text: countWords(&s.Counts)},
		}})
	}
	return &healthPage{Frame: frame{Title: "Services"}, Here: "services", Tables: []healthTable{
		newHealthTable("Services", "No service is known.", []string{"Service", "Worst", "Environments"}, rows),
	}}, nil
}

func servicePage(a *healthAsk) (*healthPage, error) {
	f := a.form("service")
	all := health.Across(a.view, f.Name, a.aliases, f.filter())
	if len(all) == 0 && !f.Chosen {
		return nil, errNothingThere
	}
	slices.SortStableFunc(all, func(x, y health.Instance) int { return cmp.Compare(y.State, x.State) })
	var rows []healthRow
	for i := range all {
		if s := &all[i]; f.has(s.Environment, s.Namespace, s.Cluster) {
			row := serviceRow(a.now, &s.Service, healthCell{Text: s.Environment, URL: environmentLink(s.Key)}, nil)
			row.Cells[6] = healthCell{Text: s.Cluster, URL: clusterLink(s.Cluster)}
			rows = append(rows, row)
		}
	}
	heads := append([]string{"Environment"}, serviceHeads()...)
	heads[6] = "Cluster"
	return &healthPage{Frame: frame{Title: clip(f.Name, shortText)}, Here: "services", Form: f, Facts: []healthFact{{"Service", clip(f.Name, shortText)}}, Tables: []healthTable{
		newHealthTable("In all environments", "No environment that was chosen has it.", heads, rows),
	}}, nil
}
