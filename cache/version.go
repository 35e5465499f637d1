package cache

import (
	"slices"
	"strings"
	"time"

	"github.com/tocsin/tocsin/discovery"
)

// A Key names an environment: a namespace of a cluster.
type Key struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
}

// String returns the key as logs print it.
func (k Key) String() string { return k.Cluster + "/" + k.Namespace }

// Compare orders keys by cluster and namespace.
func (k Key) Compare(other Key) int {
	if c := strings.Compare(k.Cluster, other.Cluster); c != 0 {
		return c
	}
	return strings.Compare(k.Namespace, other.Namespace)
}

// An Environment is one environment in a version.
type Environment struct {
	Key
	Name     string             `json:"name"` // for people
	Activity discovery.Activity `json:"activity,omitzero"`
	Services []Service          `json:"services"` // sorted by name

	Detail string    `json:"detail"` // key of the blob
	Hash   string    `json:"hash"`   // of what the detail was made from
	Built  time.Time `json:"built"`
}

// Service returns a service of the environment, or nil.
func (e *Environment) Service(name string) *Service {
	at, found := slices.BinarySearchFunc(e.Services, name, func(s Service, name string) int { return strings.Compare(s.Name, name) })
	if !found {
		return nil
	}
	return &e.Services[at]
}

// Worst returns the worst state of the services.
func (e *Environment) Worst() discovery.State {
	worst := discovery.None
	for i := range e.Services {
		worst = max(worst, e.Services[i].State)
	}
	return worst
}

// A Service is what a version says of a service without its detail.
type Service struct {
	Name    string          `json:"name"`
	State   discovery.State `json:"state"`
	Why     discovery.Why   `json:"why,omitempty"`
	Message string          `json:"message,omitempty"`
	Version string          `json:"version,omitempty"`
	At      time.Time       `json:"at"`      // when it was asked last
	Latency time.Duration   `json:"latency"` // or discovery.NotGiven
	Agent   string          `json:"agent,omitempty"`

	Operations       int64 `json:"operations"`       // or discovery.NotGiven
	FailedOperations int64 `json:"failedOperations"` // or discovery.NotGiven

	// Lost means that its agent is not heard, or its row was lost on the way: it is unknown, neither recovered nor
	// gone.
	Lost bool `json:"lost,omitempty"`

	// Failing is whether it failed when something was known of it last; FirstSeen is since when, and
	// FailCount how often in a row it was found so.
	Failing   bool      `json:"failing,omitempty"`
	FirstSeen time.Time `json:"firstSeen,omitzero"`
	FailCount int       `json:"failCount,omitempty"`

	Hash    discovery.Hash `json:"hash"`    // of the last answer
	Content string         `json:"content"` // hash of what of it is in the detail
}

// An Agent is one agent that a version has services of.
type Agent struct {
	Cluster string    `json:"cluster"`
	Agent   string    `json:"agent"`
	At      time.Time `json:"at"` // its last cycle
	Blind   bool      `json:"blind,omitempty"`
	Lost    bool      `json:"lost,omitempty"` // not heard: its services are unknown

	// Incomplete means that a part of its last cycle was lost on the way: services of it are unknown.
	Incomplete bool `json:"incomplete,omitempty"`
}

// A version is all that is known but for the details.
type version struct {
	ID           string        `json:"id"`
	At           time.Time     `json:"at"`
	Environments []Environment `json:"environments"` // sorted
	Agents       []Agent       `json:"agents"`       // sorted
}

// environment returns an environment, or nil.
func (v *version) environment(k Key) *Environment {
	if v == nil {
		return nil
	}
	at, found := slices.BinarySearchFunc(v.Environments, k, func(e Environment, k Key) int { return e.Compare(k) })
	if !found {
		return nil
	}
	return &v.Environments[at]
}

// A Summary is the first tier: about a kilobyte.
type Summary struct {
	Clusters     int `json:"clusters"`
	Environments int `json:"environments"`
	Active       int `json:"active"`  // environments; unknown counts as active
	Passive      int `json:"passive"` // environments
	Services     int `json:"services"`

	OK      int `json:"ok"` // services
	Warn    int `json:"warn"`
	Unknown int `json:"unknown"`
	Fail    int `json:"fail"`
	Lost    int `json:"lost"` // those of the unknown whose agent is not heard

	FailingActive  int `json:"failingActive"` // environments in which services fail
	FailingPassive int `json:"failingPassive"`

	Agents     int `json:"agents"`
	LostAgents int `json:"lostAgents"`
}

// A FailingService is one entry of the second tier, about ten kilobytes in all.
type FailingService struct {
	Key
	Environment string          `json:"environment"`
	Activity    discovery.Role  `json:"activity,omitempty"`
	Service     string          `json:"service"`
	State       discovery.State `json:"state"` // unknown if nothing is known at present
	Message     string          `json:"message,omitempty"`
	FirstSeen   time.Time       `json:"firstSeen"`
	FailCount   int             `json:"failCount"`
}

// tiers computes the small tiers of a version.
func (v *version) tiers() (Summary, []FailingService) {
	var s Summary
	failing := []FailingService{}
	s.Environments, s.Agents = len(v.Environments), len(v.Agents)
	cluster := ""
	for i := range v.Environments {
		e := &v.Environments[i]
		if i == 0 || e.Cluster != cluster {
			cluster = e.Cluster
			s.Clusters++
		}
		before := len(failing)
		s.Services += len(e.Services)
		for j := range e.Services {
			service := &e.Services[j]
			s.count(service)
			if service.Failing {
				failing = append(failing, FailingService{
					Key: e.Key, Environment: e.Name, Activity: e.Activity.Role, Service: service.Name,
					State: service.State, Message: service.Message, FirstSeen: service.FirstSeen, FailCount: service.FailCount,
				})
			}
		}
		passive := e.Activity.Role == discovery.Passive
		s.Passive += one(passive)
		s.FailingPassive += one(passive && len(failing) > before)
		s.FailingActive += one(!passive && len(failing) > before)
	}
	s.Active = s.Environments - s.Passive
	for _, a := range v.Agents {
		s.LostAgents += one(a.Lost)
	}
	return s, failing
}

func (s *Summary) count(service *Service) {
	switch service.State {
	case discovery.OK:
		s.OK++
	case discovery.Warn:
		s.Warn++
	case discovery.Fail:
		s.Fail++
	default:
		s.Unknown++
		s.Lost += one(service.Lost)
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
