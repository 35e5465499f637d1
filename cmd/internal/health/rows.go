package health

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/discovery"
)

// A Source gives the current version. Its error is for want of any.
type Source interface {
	View(ctx context.Context, now time.Time) (*cache.View, error)
}

var _ Source = (*cache.Reader)(nil)

// Quiet says which environments nobody uses.
type Quiet struct {
	// Generation is another whenever something changed.
	Generation int64

	// Since is since when nobody uses an environment.
	Since map[cache.Key]time.Time

	// Silenced are those whose alerts are muted for that, with the silence's ID.
	Silenced map[cache.Key]string
}

// Counts are the services of something by their states.
type Counts struct {
	Services int `json:"services"`
	OK       int `json:"ok"`
	Warn     int `json:"warn"`
	Unknown  int `json:"unknown"`
	Fail     int `json:"fail"`
	Lost     int `json:"lost"` // those of the unknown whose agent is not heard
}

func (c *Counts) add(s *cache.Service) {
	c.Services++
	switch s.State {
	case discovery.OK:
		c.OK++
	case discovery.Warn:
		c.Warn++
	case discovery.Fail:
		c.Fail++
	default:
		c.Unknown++
		if s.Lost {
			c.Lost++
		}
	}
}

// State is the worst of the states that are counted.
func (c *Counts) State() discovery.State {
	switch {
	case c.Fail > 0:
		return discovery.Fail
	case c.Warn > 0:
		return discovery.Warn
	case c.Unknown > 0:
		return discovery.Unknown
	case c.OK > 0:
		return discovery.OK
	default:
		return discovery.None
	}
}

// An Environment is one row of the environments.
type Environment struct {
	cache.Key
	Name     string             `json:"name"`
	Activity discovery.Activity `json:"activity,omitzero"`
	State    discovery.State    `json:"state"`
	Counts

	// Failing are the services that failed when something was known of them last.
	Failing []string `json:"failing,omitempty"`

	// IdleSince is since when nobody uses it, and Silence the silence that mutes its alerts for that.
	IdleSince time.Time `json:"idleSince,omitzero"`
	Silence   string    `json:"silence,omitempty"`
}

// A Filter chooses rows. An empty field chooses all.
type Filter struct {
	Cluster, Namespace string
	Role               string // active, which unknown counts as, or passive
	State              string
}

func (f Filter) takes(k cache.Key, role discovery.Role) bool {
	if f.Cluster != "" && f.Cluster != k.Cluster || f.Namespace != "" && f.Namespace != k.Namespace {
		return false
	}
	return f.Role == "" || (f.Role == discovery.Passive.String()) == (role == discovery.Passive)
}

// RowOf is the row of an environment.
func RowOf(e *cache.Environment, quiet Quiet) Environment {
	row := Environment{Key: e.Key, Name: e.Name, Activity: e.Activity, IdleSince: quiet.Since[e.Key], Silence: quiet.Silenced[e.Key]}
	for i := range e.Services {
		s := &e.Services[i]
		row.add(s)
		if s.Failing {
			row.Failing = append(row.Failing, s.Name)
		}
	}
	row.State = row.Counts.State()
	return row
}

// Environments returns the rows of the environments, sorted by cluster and namespace.
func Environments(v *cache.View, quiet Quiet, f Filter) []Environment {
	rows := []Environment{}
	all := v.Environments()
	for i := range all {
		if !f.takes(all[i].Key, all[i].Activity.Role) {
			continue
		}
		if row := RowOf(&all[i], quiet); f.State == "" || f.State == row.State.String() {
			rows = append(rows, row)
		}
	}
	return rows
}

// Failing returns the failing services, sorted by cluster, namespace and service.
func Failing(v *cache.View, quiet Quiet, f Filter) []FailingService {
	rows := []FailingService{}
	for _, s := range v.Failing() {
		if f.takes(s.Key, s.Activity) && (f.State == "" || f.State == s.State.String()) {
			rows = append(rows, FailingService{FailingService: s, IdleSince: quiet.Since[s.Key], Silence: quiet.Silenced[s.Key]})
		}
	}
	return rows
}

// A FailingService is one row of the failing services: since when, and how often in a row it was found so.
type FailingService struct {
	cache.FailingService
	IdleSince time.Time `json:"idleSince,omitzero"`
	Silence   string    `json:"silence,omitempty"`
}

// A Cluster is one row of the clusters.
type Cluster struct {
	Cluster      string          `json:"cluster"`
	State        discovery.State `json:"state"`
	Environments int             `json:"environments"`
	Active       int             `json:"active"` // of them; unknown counts as active
	Passive      int             `json:"passive"`
	Failing      int             `json:"failing"` // environments in which services fail
	Counts

	// Agents are those that report for the cluster by name.
	Agents []cache.Agent `json:"agents,omitempty"`
}

// Clusters returns the rows of the clusters, sorted by name.
func Clusters(v *cache.View) []Cluster {
	rows := []Cluster{}
	all := v.Environments()
	for i := range all {
		e := &all[i]
		if len(rows) == 0 || rows[len(rows)-1].Cluster != e.Cluster {
			rows = append(rows, Cluster{Cluster: e.Cluster})
		}
		row := &rows[len(rows)-1]
		row.Environments++
		before := row.Fail
		for j := range e.Services {
			row.add(&e.Services[j])
		}
		if row.Fail > before {
			row.Failing++
		}
		if e.Activity.Role == discovery.Passive {
			row.Passive++
		} else {
			row.Active++
		}
		row.State = row.Counts.State()
	}
	for _, a := range v.Agents() {
		if at, found := slices.BinarySearchFunc(rows, a.Cluster, func(c Cluster, name string) int { return strings.Compare(c.Cluster, name) }); found {
			rows[at].Agents = append(rows[at].Agents, a)
		}
	}
	return rows
}

// A Service is one row of the services: one name, in all environments that have it.
type Service struct {
	Name         string          `json:"name"`
	State        discovery.State `json:"state"`
	Environments int             `json:"environments"`
	Counts
}

// Services returns the rows of the services, sorted by name. Those that are compared by one name are one row.
func Services(v *cache.View, aliases discovery.Aliases) []Service {
	at := map[string]int{}
	rows := []Service{}
	all := v.Environments()
	for i := range all {
		for j := range all[i].Services {
			s := &all[i].Services[j]
			name := aliases.Of(s.Name)
			n, known := at[name]
			if !known {
				n = len(rows)
				at[name] = n
				rows = append(rows, Service{Name: name})
			}
			rows[n].Environments++
			rows[n].add(s)
		}
	}
	for i := range rows {
		rows[i].State = rows[i].Counts.State()
	}
	slices.SortFunc(rows, func(a, b Service) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}

// An Instance is a service in one environment.
type Instance struct {
	cache.Key
	Environment string             `json:"environment"`
	Activity    discovery.Activity `json:"activity,omitzero"`
	cache.Service
}

// Across returns a service in all environments that have it, by whatever of its names, sorted by cluster and
// namespace.
func Across(v *cache.View, name string, aliases discovery.Aliases, f Filter) []Instance {
	rows := []Instance{}
	all := v.Environments()
	names := namesOf(name, aliases)
	for i := range all {
		e := &all[i]
		if !f.takes(e.Key, e.Activity.Role) {
			continue
		}
		for _, name := range names {
			if s := e.Service(name); s != nil && (f.State == "" || f.State == s.State.String()) {
				rows = append(rows, Instance{Key: e.Key, Environment: e.Name, Activity: e.Activity, Service: *s})
			}
		}
	}
	return rows
}

// namesOf returns all names of a service, sorted.
func namesOf(name string, aliases discovery.Aliases) []string {
	name = aliases.Of(name)
	names := []string{name}
	for other, to := range aliases {
		if to == name {
			names = append(names, other)
		}
	}
	slices.Sort(names)
	return names
}
