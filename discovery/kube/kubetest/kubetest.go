// Package kubetest plays a Kubernetes API server for tests of the whole: lists, watches from a version, and bookmarks
// of streaming lists. It needs no module of Kubernetes. What an API server's troubles are is played in the tests of
// package kube.
//
// A [Server] holds the objects that [Server.Put] gave it, whatever they are, and knows nothing of what they
// mean. It may be used by several goroutines; it ends with its test.
package kubetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A Server plays a Kubernetes API server.
type Server struct {
	URL string

	t testing.TB

	mu      sync.Mutex // guards what is below
	version int
	objects map[string]map[string]json.RawMessage
	events  []event
	changed chan struct{} // closed at each change
}

type event struct {
	version  int
	resource string
	kind     string
	object   json.RawMessage
}

// Start starts a server without objects.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, version: 1, objects: map[string]map[string]json.RawMessage{}, changed: make(chan struct{})}
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	s.URL = srv.URL
	return s
}

// Kubeconfig writes a kubeconfig file that leads to the server, and returns its path.
func (s *Server) Kubeconfig() string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"test",
 "clusters":[{"name":"test","cluster":{"server":%q}}],"users":[{"name":"test","user":{}}],
 "contexts":[{"name":"test","context":{"cluster":"test","user":"test"}}]}`, s.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// A metadata is what the server has to know of an object.
type metadata struct {
	Metadata struct{ Namespace, Name string } `json:"metadata"`
}

// Put adds an object, or replaces the one of its name. Resource is its plural, such as services; the object
// is anything that is JSON with metadata.
func (s *Server) Put(resource string, object any) { s.change(resource, object, "ADDED") }

// Remove removes an object.
func (s *Server) Remove(resource, namespace, name string) {
	s.change(resource, map[string]any{"metadata": map[string]any{"namespace": namespace, "name": name}}, "DELETED")
}

func (s *Server) change(resource string, object any, kind string) {
	s.t.Helper()
	var fields map[string]any
	var m metadata
	text, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	all, _ := fields["metadata"].(map[string]any)
	all = maps.Clone(all)
	all["resourceVersion"] = fmt.Sprint(s.version)
	fields["metadata"] = all
	fields["apiVersion"], fields["kind"] = kindOf(resource)
	if text, err = json.Marshal(fields); err != nil {
		s.t.Fatal(err)
	}
	if s.objects[resource] == nil {
		s.objects[resource] = map[string]json.RawMessage{}
	}
	key := m.Metadata.Namespace + "/" + m.Metadata.Name
	switch _, there := s.objects[resource][key]; {
	case kind == "DELETED":
		delete(s.objects[resource], key)
	case there:
		kind = "MODIFIED"
		fallthrough
	default:
		s.objects[resource][key] = text
	}
	s.events = append(s.events, event{s.version, resource, kind, text})
	close(s.changed)
	s.changed = make(chan struct{})
}

func kindOf(resource string) (version, kind string) {
	switch resource {
	case "namespaces":
		return "v1", "Namespace"
	case "services":
		return "v1", "Service"
	case "pods":
		return "v1", "Pod"
	case "endpointslices":
		return "discovery.k8s.io/v1", "EndpointSlice"
	default:
		return "autoscaling/v2", "HorizontalPodAutoscaler"
	}
}

// ServeHTTP answers as an API server does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if strings.HasPrefix(r.URL.Path, "/apis/metrics.k8s.io/") {
		http.NotFound(w, r) // not every cluster has it
		return
	}
	resource := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if q := r.URL.Query(); q.Get("watch") == "true" || q.Get("watch") == "1" {
		s.watch(w, r, resource)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	version, kind := kindOf(resource)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": version, "kind": kind + "List", "metadata": map[string]any{"resourceVersion": fmt.Sprint(s.version)}, "items": s.list(resource),
	})
}

// list returns the objects, sorted. The server is locked.
func (s *Server) list(resource string) []json.RawMessage {
	items := []json.RawMessage{}
	for _, key := range slices.Sorted(maps.Keys(s.objects[resource])) {
		items = append(items, s.objects[resource][key])
	}
	return items
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, resource string) {
	write := func(kind string, object []byte) {
		_, _ = fmt.Fprintf(w, "{\"type\":%q,\"object\":%s}\n", kind, object)
	}
	flush := w.(http.Flusher).Flush
	from := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("resourceVersion"), &from)
	s.mu.Lock()
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		for _, o := range s.list(resource) {
			write("ADDED", o)
		}
		from = s.version
		version, kind := kindOf(resource)
		bookmark, _ := json.Marshal(map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{ // of strings
			"resourceVersion": fmt.Sprint(from), "annotations": map[string]string{"k8s.io/initial-events-end": "true"},
		}})
		write("BOOKMARK", bookmark)
	}
	for {
		for _, e := range s.after(from) {
			if e.resource == resource {
				write(e.kind, e.object)
			}
		}
		from = s.version
		changed := s.changed
		s.mu.Unlock()
		flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
		s.mu.Lock()
	}
}

// after returns the events since a version. The server is locked.
func (s *Server) after(version int) []event {
	at, _ := slices.BinarySearchFunc(s.events, version+1, func(e event, v int) int { return e.version - v })
	return s.events[at:]
}
