package discovery

import "time"

// A Cycle is what one agent found in one round over all of its targets. Who makes one gives it away:
// it is not modified afterwards.
type Cycle struct {
	Agent   string `json:"agent"`
	Cluster string `json:"cluster"`

	// At is when the round ended, by the agent's clock. A cycle that is not later than the agent's last
	// one is ignored.
	At time.Time `json:"at"`

	// Interval is how often the agent reports. It is overdue after three of them.
	Interval time.Duration `json:"interval"`

	// Blind says that the agent's own network is gone. Nothing is known of its services then, and Results
	// do not count.
	Blind bool `json:"blind,omitempty"`

	// Gone says that the agent is gone for good, with all that it had: somebody said so in its stead. If it comes
	// back all the same, its next cycle says so.
	Gone bool `json:"gone,omitempty"`

	// Incomplete says that some results were lost on their way, and nobody knows whose. A service that the agent
	// had and that is not among Results is unknown then, and not gone.
	Incomplete bool `json:"incomplete,omitempty"`

	// Results are of every target that the agent has, sorted by key. A service that it had and that is not
	// among them is gone for good.
	Results []Health `json:"results"`
}
