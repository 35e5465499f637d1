package discovery

import (
	"cmp"
	"strings"

	"github.com/prometheus/common/model"
)

// A Target is one health endpoint. A Target and what it refers to are never modified once somebody
// else has seen them.
type Target struct {
	Cluster     string `json:"cluster"`
	Namespace   string `json:"namespace"`
	Environment string `json:"environment"` // for people; the namespace unless it is named otherwise
	Service     string `json:"service"`
	URL         string `json:"url"`

	// Labels are the namespace's and the service's labels that were asked for.
	Labels model.LabelSet `json:"labels,omitempty"`

	// Activity is what the namespace's labels say of the environment.
	Activity Activity `json:"activity,omitzero"`

	// Format is the format that the document is known to have. Empty means that it is detected.
	Format Format `json:"format,omitempty"`

	// Expect are HTTP codes that mean as much as 200, for those who answer otherwise on purpose.
	Expect []int `json:"expect,omitempty"`

	// Workload is what runs behind the endpoint, or nil if that is not known.
	Workload *Workload `json:"workload,omitempty"`
}

// A Key is what a Target is known by, over time and from agent to agent.
type Key struct{ Cluster, Namespace, Service string }

// Key returns what the target is known by.
func (t *Target) Key() Key { return Key{t.Cluster, t.Namespace, t.Service} }

// String returns the key as logs print it.
func (k Key) String() string { return k.Cluster + "/" + k.Namespace + "/" + k.Service }

// Compare orders keys by cluster, namespace and service.
func (k Key) Compare(other Key) int {
	return cmp.Or(
		strings.Compare(k.Cluster, other.Cluster),
		strings.Compare(k.Namespace, other.Namespace),
		strings.Compare(k.Service, other.Service),
	)
}

// A Workload is what runs behind a service.
type Workload struct {
	Pods []Pod `json:"pods,omitempty"` // sorted by name
	HPA  *HPA  `json:"hpa,omitempty"`  // of the pods' owner, if it has one

	// ReadyEndpoints of Endpoints take traffic.
	ReadyEndpoints int `json:"readyEndpoints"`
	Endpoints      int `json:"endpoints"`
}

// Trouble says why nobody can answer, or nothing if somebody could or it is not known.
func (w *Workload) Trouble() string {
	if w == nil || w.ReadyEndpoints > 0 {
		return ""
	}
	for _, p := range w.Pods {
		if p.Waiting != "" {
			return "no pod is ready (" + p.Waiting + ")"
		}
	}
	return "no pod is ready"
}

// A Pod is one pod of a workload.
type Pod struct {
	Name     string `json:"name"`
	Phase    string `json:"phase"` // Pending, Running, Succeeded, Failed or Unknown; Terminating
	Ready    bool   `json:"ready"`
	Restarts int    `json:"restarts"`
	Waiting  string `json:"waiting,omitempty"` // why a container waits, such as CrashLoopBackOff
	Last     string `json:"last,omitempty"`    // why a container ended last, such as OOMKilled
	Node     string `json:"node,omitempty"`
	Owner    string `json:"owner,omitempty"` // kind and name, such as Deployment/orders

	// CPU in thousandths of a core and Memory in bytes are what it uses, by the metrics API. Zero means
	// that this is not known.
	CPU    int64 `json:"cpu,omitempty"`
	Memory int64 `json:"memory,omitempty"`
}

// An HPA is the state of a horizontal pod autoscaler.
type HPA struct {
	Name    string `json:"name"`
	Min     int    `json:"min"`
	Max     int    `json:"max"`
	Current int    `json:"current"`
	Desired int    `json:"desired"`
	Limited string `json:"limited,omitempty"` // why it may not scale as it would, such as TooManyReplicas
	Failing string `json:"failing,omitempty"` // why it cannot tell how many are needed, such as FailedGetResourceMetric
}
