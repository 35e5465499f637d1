package apiv2

import "net/http"

// Version is the build that /status shows.
type Version struct {
	Branch    string `json:"branch"`
	BuildDate string `json:"buildDate"`
	BuildUser string `json:"buildUser"`
	GoVersion string `json:"goVersion"`
	Revision  string `json:"revision"`
	Version   string `json:"version"`
}

// A Cluster is the servers that answer as one.
type Cluster struct {
	Name  string
	Peers []Peer // sorted by name
}

// A Peer is one server of a cluster.
type Peer struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

type wireStatus struct {
	Cluster     wireCluster `json:"cluster"`
	Config      wireConfig  `json:"config"`
	Uptime      string      `json:"uptime"`
	VersionInfo Version     `json:"versionInfo"`
}

type wireCluster struct {
	Name   string `json:"name,omitempty"`
	Peers  []Peer `json:"peers"`
	Status string `json:"status"`
}

type wireConfig struct {
	Original string `json:"original"`
}

func (a *API) getStatus(w http.ResponseWriter, _ *http.Request) error {
	s := wireStatus{
		Cluster:     wireCluster{Peers: []Peer{}, Status: "disabled"},
		Uptime:      string(appendTime(nil, a.options.Started)),
		VersionInfo: a.options.Version,
	}
	if c := a.options.Cluster; c != nil {
		s.Cluster = wireCluster{Name: c.Name, Peers: append([]Peer{}, c.Peers...), Status: "ready"}
	}
	if a.options.Config != nil {
		s.Config.Original = a.options.Config()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = writeJSON(w, s) // the client is gone if this fails
	return nil
}

type wireReceiver struct {
	Labels map[string]string `json:"labels,omitempty"`
	Name   string            `json:"name"`
}

func (a *API) getReceivers(w http.ResponseWriter, r *http.Request) error {
	owned, err := parseMatchers(r.URL.Query()["receiver_matchers"])
	if err != nil {
		return badRequest("failed to parse receiver_matchers param: %w", err)
	}
	list := []wireReceiver{}
	for _, spec := range a.engine.Receivers() {
		if matches(owned, func(name string) (string, bool) { v, ok := spec.Labels[name]; return v, ok }) {
			list = append(list, wireReceiver{spec.Labels, spec.Name})
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = writeJSON(w, list)
	return nil
}
