package kube

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
)

// rights are what a role grants, and what was asked for, each as "list pods/" or "watch endpointslices/discovery.k8s.io".
type rights struct {
	mu      sync.Mutex // guards what is below
	granted map[string]bool
	used    map[string]bool
	refused map[string]bool
}

// rightsOf are those that a role grants in the whole cluster.
func rightsOf(rules []rbacv1.PolicyRule) *rights {
	r := &rights{granted: map[string]bool{}, used: map[string]bool{}, refused: map[string]bool{}}
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					r.granted[verb+" "+resource+"/"+group] = true
				}
			}
		}
	}
	return r
}

// grant says whether a request is allowed, as Kubernetes decides it: by its verb, group and resource.
func (r *rights) grant(req *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	right := rightFor(req)
	if r.granted[right] {
		r.used[right] = true
		return true
	}
	r.refused[right] = true
	return false
}

// rightFor is the right that a request needs.
func rightFor(req *http.Request) string {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	group := ""
	if parts[0] == "apis" && len(parts) > 1 {
		group, parts = parts[1], parts[1:]
	}
	parts = parts[min(2, len(parts)):] // api, v1 or group, version
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	verb := map[string]string{http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[req.Method]
	if verb == "get" && len(parts) == 1 {
		verb = "list"
		if watch := req.URL.Query().Get("watch"); watch == "true" || watch == "1" {
			verb = "watch"
		}
	}
	if len(parts) == 0 {
		return verb + " " + req.URL.Path
	}
	return verb + " " + parts[0] + "/" + group
}

// set grants a right, or takes it away.
func (r *rights) set(right string, granted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.granted[right] = granted
}

// all returns the rights that are set in a map, sorted.
func (r *rights) all(of map[string]bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := []string{}
	for right, set := range of {
		if set {
			list = append(list, right)
		}
	}
	slices.Sort(list)
	return list
}
