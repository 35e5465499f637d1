package kubetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// ServeHTTP answers as an API server does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	refusing := s.refusing
	s.mu.Unlock()
	if refusing == 0 && s.Grant != nil && !s.Grant(r) {
		refusing = http.StatusForbidden
	}
	w.Header().Set("Content-Type", "application/json")
	switch resource := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]; {
	case refusing != 0:
		refuse(w, refusing)
	case strings.HasPrefix(r.URL.Path, "/apis/metrics.k8s.io/"):
		if s.Usage == "" {
			http.NotFound(w, r) // not every cluster has it
			return
		}
		_, _ = w.Write([]byte(s.Usage))
	case r.URL.Query().Get("watch") == "true" || r.URL.Query().Get("watch") == "1":
		s.watch(w, r, resource)
	default:
		s.serveList(w, r, resource)
	}
}

// reason is what a code comes with; some come with none.
func reason(code int) metav1.StatusReason {
	switch code {
	case http.StatusUnauthorized:
		return metav1.StatusReasonUnauthorized
	case http.StatusForbidden:
		return metav1.StatusReasonForbidden
	case http.StatusGone:
		return metav1.StatusReasonExpired
	case http.StatusUnprocessableEntity:
		return metav1.StatusReasonInvalid
	case http.StatusTooManyRequests:
		return metav1.StatusReasonTooManyRequests
	case http.StatusServiceUnavailable:
		return metav1.StatusReasonServiceUnavailable
	default:
		return ""
	}
}

func refuse(w http.ResponseWriter, code int) {
	switch code {
	case Cut:
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.Close()
		}
	case Half:
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"kind":"ServiceList","apiVersion":"v1","metadata":{},"items":[`))
	default:
		w.WriteHeader(code)
		_, _ = w.Write(status(code))
	}
}

func status(code int) []byte {
	text, _ := json.Marshal(metav1.Status{ // of strings
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason(code), Message: "no",
	})
	return text
}

// serveList answers with a list. With a limit it comes in parts, as long as the version of the first one is
// not forgotten.
func (s *Server) serveList(w http.ResponseWriter, r *http.Request, resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, after, limit := s.version, "", 0
	_, _ = fmt.Sscan(r.URL.Query().Get("limit"), &limit)
	if version, key, more := strings.Cut(r.URL.Query().Get("continue"), "@"); more {
		after = key
		_, _ = fmt.Sscan(version, &at)
		if s.forgets {
			s.forgot++
			refuse(w, http.StatusGone)
			return
		}
	}
	keys := s.keys(resource, selectorOf(r))
	if i, found := slices.BinarySearch(keys, after); found {
		keys = keys[i+1:]
	} else {
		keys = keys[i:]
	}
	head := map[string]any{"resourceVersion": fmt.Sprint(at)}
	if limit > 0 && len(keys) > limit {
		keys = keys[:limit]
		head["continue"] = fmt.Sprintf("%d@%s", at, keys[limit-1])
	}
	items := []json.RawMessage{}
	for _, key := range keys {
		items = append(items, s.objects[resource][key].text)
	}
	version, kind := kindOf(resource)
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": version, "kind": kind + "List", "metadata": head, "items": items})
}

// keys are those of the objects that a selector selects, sorted. The server is locked.
func (s *Server) keys(resource string, selector labels.Selector) []string {
	var keys []string
	for key, o := range s.objects[resource] {
		if selector.Matches(o.labels) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func selectorOf(r *http.Request) labels.Selector {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return labels.Nothing()
	}
	return selector
}

// watch sends what changes. What a selector no longer selects is deleted, for who watches.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, resource string) {
	initial := r.URL.Query().Get("sendInitialEvents")
	if s.Legacy && initial != "" {
		refuse(w, http.StatusUnprocessableEntity)
		return
	}
	write := func(kind string, object []byte) {
		_, _ = fmt.Fprintf(w, "{\"type\":%q,\"object\":%s}\n", kind, object)
	}
	from := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("resourceVersion"), &from)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case initial == "true":
		for _, key := range s.keys(resource, selectorOf(r)) {
			write("ADDED", s.objects[resource][key].text)
		}
		from = s.version
		write("BOOKMARK", s.bookmark(resource))
	case from < s.oldest:
		write("ERROR", status(http.StatusGone))
		return
	}
	selector, dropped := selectorOf(r), s.dropped
	sent := s.selected(resource, selector, from)
	for {
		for _, e := range s.after(from) {
			if e.resource != resource {
				continue
			}
			selects := selector.Matches(e.labels)
			switch {
			case selects:
				write(e.kind, e.text)
			case sent[e.key]:
				write("DELETED", e.text)
			}
			sent[e.key] = selects && e.kind != "DELETED"
		}
		from = s.version
		changed := s.changed
		s.mu.Unlock()
		w.(http.Flusher).Flush()
		ended := false
		select {
		case <-changed:
		case <-dropped:
			ended = true
		case <-r.Context().Done():
			ended = true
		}
		s.mu.Lock()
		if ended {
			if s.gone {
				write("ERROR", status(http.StatusGone))
			}
			return
		}
	}
}

// selected are the objects that a selector selected in a version, by key. Of one that selects all it is empty:
// nothing ceases to be selected. The server is locked.
func (s *Server) selected(resource string, selector labels.Selector, version int) map[string]bool {
	keys := map[string]bool{}
	if selector.Empty() {
		return keys
	}
	for _, e := range s.events[:len(s.events)-len(s.after(version))] {
		if e.resource == resource {
			keys[e.key] = e.kind != "DELETED" && selector.Matches(e.labels)
		}
	}
	return keys
}

// bookmark says that the list is whole. The server is locked.
func (s *Server) bookmark(resource string) []byte {
	version, kind := kindOf(resource)
	text, _ := json.Marshal(map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{ // of strings
		"resourceVersion": fmt.Sprint(s.version), "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}})
	return text
}

// after returns the events since a version. The server is locked.
func (s *Server) after(version int) []event {
	at, _ := slices.BinarySearchFunc(s.events, version+1, func(e event, v int) int { return e.version - v })
	return s.events[at:]
}
