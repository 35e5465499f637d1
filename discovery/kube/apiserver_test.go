package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// What refuse understands beside HTTP codes.
const (
	cut  = -1 // the connection is closed
	half = -2 // the answer is
)

// An apiServer plays a Kubernetes API server, and its troubles: lists, in pages if that is asked for, watches
// from a version, bookmarks of streaming lists, label selectors, versions that are forgotten, and rights.
type apiServer struct {
	t      *testing.T
	url    string
	usage  string
	rights *rights // nil grants everything
	legacy bool    // it knows no streaming lists

	mu       sync.Mutex // guards what is below
	forgets  bool       // the version of a list is forgotten before its second part is asked for
	forgot   int        // how often it was
	version  int
	oldest   int // watches from before are gone
	objects  map[string]map[string]json.RawMessage
	events   []event
	refusing int
	requests int
	changed  chan struct{} // closed at each change
	dropped  chan struct{} // closed when watches are to end
	gone     bool          // ... with 410 in the stream
}

type event struct {
	version  int
	resource string
	kind     string
	object   json.RawMessage
}

func newAPIServer(t *testing.T) *apiServer {
	s := &apiServer{t: t, version: 1, objects: map[string]map[string]json.RawMessage{}, changed: make(chan struct{}), dropped: make(chan struct{})}
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		s.drop()
		srv.CloseClientConnections()
		srv.Close()
	})
	s.url = srv.URL
	return s
}

func (s *apiServer) put(resource string, object metav1.Object) { s.change(resource, object, "ADDED") }

func (s *apiServer) remove(resource, namespace, name string) {
	o := service(namespace, name, nil)
	s.change(resource, o, "DELETED")
}

func (s *apiServer) change(resource string, object metav1.Object, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	object.SetResourceVersion(fmt.Sprint(s.version))
	text, err := json.Marshal(object)
	require.NoError(s.t, err)
	var fields map[string]any
	require.NoError(s.t, json.Unmarshal(text, &fields))
	fields["apiVersion"], fields["kind"] = kindOf(resource)
	text, err = json.Marshal(fields)
	require.NoError(s.t, err)
	if s.objects[resource] == nil {
		s.objects[resource] = map[string]json.RawMessage{}
	}
	key := object.GetNamespace() + "/" + object.GetName()
	s.objects[resource][key] = text
	if kind == "DELETED" {
		delete(s.objects[resource], key)
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

// drop ends all watches.
func (s *apiServer) drop() { s.end(false) }

// expire ends all watches with 410 and forgets all versions before the present one.
func (s *apiServer) expire() { s.end(true) }

func (s *apiServer) end(gone bool) {
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

func (s *apiServer) refuse(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = code
}

// forget has the server forget the version of each list that comes in parts, or no longer.
func (s *apiServer) forget(forgets bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgets = forgets
}

// forgotten returns how often it did.
func (s *apiServer) forgotten() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgot
}

func (s *apiServer) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func status(code int, reason metav1.StatusReason) []byte {
	text, _ := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: "no",
	})
	return text
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	refusing := s.refusing
	if refusing == 0 && !s.rights.grant(r) {
		refusing = http.StatusForbidden
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", runtime.ContentTypeJSON)
	switch {
	case refusing == cut:
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
		return
	case refusing == half:
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"kind":"ServiceList","apiVersion":"v1","metadata":{},"items":[`))
		return
	case refusing > 0:
		w.WriteHeader(refusing)
		_, _ = w.Write(status(refusing, reasons[refusing]))
		return
	case strings.HasSuffix(r.URL.Path, usagePath):
		if s.usage == "" {
			http.NotFound(w, r)
		}
		_, _ = w.Write([]byte(s.usage))
		return
	}
	resource := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if q := r.URL.Query(); q.Get("watch") == "true" || q.Get("watch") == "1" {
		s.watch(w, r, resource)
		return
	}
	s.serveList(w, r, resource)
}

// reasons are what the codes come with; others come with none.
var reasons = map[int]metav1.StatusReason{
	http.StatusUnauthorized: metav1.StatusReasonUnauthorized, http.StatusForbidden: metav1.StatusReasonForbidden,
	http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests, http.StatusServiceUnavailable: metav1.StatusReasonServiceUnavailable,
}

// serveList answers with a list. With a limit it comes in parts, as long as the version of the first one is
// not forgotten.
func (s *apiServer) serveList(w http.ResponseWriter, r *http.Request, resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items, at, from, limit := s.list(resource, selectorOf(r)), s.version, 0, 0
	_, _ = fmt.Sscan(r.URL.Query().Get("limit"), &limit)
	if token := r.URL.Query().Get("continue"); token != "" {
		_, _ = fmt.Sscanf(token, "%d@%d", &from, &at)
	}
	if from > 0 && s.forgets {
		s.forgot++
		w.WriteHeader(http.StatusGone)
		_, _ = w.Write(status(http.StatusGone, metav1.StatusReasonExpired))
		return
	}
	head := map[string]any{"resourceVersion": fmt.Sprint(at)}
	items = items[min(from, len(items)):]
	if limit > 0 && len(items) > limit {
		items = items[:limit]
		head["continue"] = fmt.Sprintf("%d@%d", from+limit, at)
	}
	version, kind := kindOf(resource)
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": version, "kind": kind + "List", "metadata": head, "items": items})
}

// list returns the objects that a selector selects, sorted. The server is locked.
func (s *apiServer) list(resource string, selector labels.Selector) []json.RawMessage {
	items := []json.RawMessage{}
	var keys []string
	for key := range s.objects[resource] {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if selects, _ := matches(selector, s.objects[resource][key]); selects {
			items = append(items, s.objects[resource][key])
		}
	}
	return items
}

func selectorOf(r *http.Request) labels.Selector {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return labels.Nothing()
	}
	return selector
}

// matches says whether a selector selects an object, and returns the object's key.
func matches(selector labels.Selector, object []byte) (selects bool, key string) {
	var o metav1.PartialObjectMetadata
	if json.Unmarshal(object, &o) != nil {
		return false, ""
	}
	return selector.Matches(labels.Set(o.Labels)), o.Namespace + "/" + o.Name
}

// watch sends what changes. What a selector no longer selects is deleted, for who watches.
func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, resource string) {
	if s.legacy && r.URL.Query().Get("sendInitialEvents") != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write(status(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid))
		return
	}
	selector, sent := selectorOf(r), map[string]bool{}
	write := func(kind string, object []byte) {
		_, _ = fmt.Fprintf(w, "{\"type\":%q,\"object\":%s}\n", kind, object)
	}
	flush := w.(http.Flusher).Flush
	from := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("resourceVersion"), &from)
	s.mu.Lock()
	switch {
	case r.URL.Query().Get("sendInitialEvents") == "true":
		for _, o := range s.list(resource, selector) {
			write("ADDED", o)
		}
		from = s.version
		version, kind := kindOf(resource)
		bookmark, _ := json.Marshal(map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{
			"resourceVersion": fmt.Sprint(from), "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"},
		}})
		write("BOOKMARK", bookmark)
	case from < s.oldest:
		write("ERROR", status(http.StatusGone, metav1.StatusReasonExpired))
		s.mu.Unlock()
		return
	}
	dropped := s.dropped
	for {
		for _, e := range s.events {
			if e.resource != resource {
				continue
			}
			selects, key := matches(selector, e.object)
			switch {
			case e.version <= from: // it was listed
			case selects:
				write(e.kind, e.object)
			case sent[key]:
				write("DELETED", e.object)
			}
			sent[key] = selects && e.kind != "DELETED"
		}
		from = s.version
		changed := s.changed
		s.mu.Unlock()
		flush()
		select {
		case <-changed:
		case <-dropped:
			s.mu.Lock()
			if s.gone {
				write("ERROR", status(http.StatusGone, metav1.StatusReasonExpired))
			}
			s.mu.Unlock()
			return
		case <-r.Context().Done():
			return
		}
		s.mu.Lock()
	}
}
