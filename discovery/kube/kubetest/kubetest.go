// Package kubetest plays a Kubernetes API server for tests, and its troubles: lists, in pages if that is asked
// for, watches from a version, bookmarks of streaming lists, label selectors, versions that are forgotten, and
// rights.
//
// A [Server] holds the objects that [Server.Put] gave it, whatever they are, and knows nothing of what they
// mean. It may be used by several goroutines; it ends with its test.
package kubetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
)

// What [Server.Refuse] understands beside HTTP codes.
const (
	Cut  = -1 // the connection is closed
	Half = -2 // the answer is
)

// A Server plays a Kubernetes API server. Its exported fields must not be changed while it is asked.
type Server struct {
	URL    string
	Grant  func(*http.Request) bool // who is allowed what; nil allows everything
	Usage  string                   // what the metrics API answers; without, the cluster has none
	Legacy bool                     // it knows no streaming lists

	t testing.TB

	mu       sync.Mutex // guards what is below
	version  int
	oldest   int // watches from before are gone
	objects  map[string]map[string]object
	events   []event
	changed  chan struct{} // closed at each change
	dropped  chan struct{} // closed when watches are to end
	gone     bool          // ... with 410 in the stream
	forgets  bool          // the version of a list is forgotten before its second part is asked for
	forgot   int           // how often it was
	refusing int
	requests int
}

// An object is one as it is sent, and what the server has to know of it.
type object struct {
	key    string // namespace/name
	labels labels.Set
	text   json.RawMessage
}

type event struct {
	version        int
	resource, kind string
	object
}

// Start starts a server without objects.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, version: 1, objects: map[string]map[string]object{}, changed: make(chan struct{}), dropped: make(chan struct{})}
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Drop()
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

// Put adds an object, or replaces the one of its name. Resource is its plural, such as services; the object
// is anything that is JSON with metadata.
func (s *Server) Put(resource string, object any) { s.change(resource, object, "ADDED") }

// Remove removes an object.
func (s *Server) Remove(resource, namespace, name string) {
	s.change(resource, map[string]any{"metadata": map[string]any{"namespace": namespace, "name": name}}, "DELETED")
}

func (s *Server) change(resource string, value any, kind string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	o, err := s.object(resource, value)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.objects[resource] == nil {
		s.objects[resource] = map[string]object{}
	}
	switch _, there := s.objects[resource][o.key]; {
	case kind == "DELETED":
		delete(s.objects[resource], o.key)
	case there:
		kind = "MODIFIED"
		fallthrough
	default:
		s.objects[resource][o.key] = o
	}
	s.events = append(s.events, event{s.version, resource, kind, o})
	close(s.changed)
	s.changed = make(chan struct{})
}

// object is a value as it is of the present version. The server is locked.
func (s *Server) object(resource string, value any) (o object, err error) {
	text, err := json.Marshal(value)
	if err != nil {
		return o, err
	}
	var fields map[string]any
	var known struct {
		Metadata struct {
			Namespace, Name string
			Labels          labels.Set
		}
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return o, err
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return o, err
	}
	metadata, _ := fields["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	if metadata == nil {
		return o, errors.New("an object without metadata")
	}
	metadata["resourceVersion"] = fmt.Sprint(s.version)
	fields["metadata"] = metadata
	fields["apiVersion"], fields["kind"] = kindOf(resource)
	text, err = json.Marshal(fields)
	return object{known.Metadata.Namespace + "/" + known.Metadata.Name, known.Metadata.Labels, text}, err
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

// Drop ends all watches.
func (s *Server) Drop() { s.end(false) }

// Expire ends all watches with 410 and forgets all versions before the present one.
func (s *Server) Expire() { s.end(true) }

func (s *Server) end(gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = gone
	if gone {
		s.version++
		s.oldest = s.version
	}
	close(s.dropped)
	s.dropped = make(chan struct{})
}

// Refuse answers everything with a code from now on, or with [Cut] or [Half]; 0 answers again.
func (s *Server) Refuse(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = code
}

// Forget has the server forget the version of each list that comes in parts, or no longer.
func (s *Server) Forget(forgets bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgets = forgets
}

// Forgotten returns how often it did.
func (s *Server) Forgotten() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgot
}

// Asked returns how many requests there were.
func (s *Server) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}
