package health

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/discovery"
)

// A Panel is all that is known of one environment but for the trees and the documents of its services.
type Panel struct {
	Environment
	Services []cache.Service `json:"services"`

	// Workloads are what runs behind the services, by name, as far as it is known.
	Workloads map[string]*discovery.Workload `json:"workloads,omitempty"`
}

// PanelOf returns the panel of an environment. If its detail cannot be read, it says nothing of workloads.
func PanelOf(ctx context.Context, v *cache.View, k cache.Key, quiet Quiet) (*Panel, error) {
	e := v.Environment(k)
	if e == nil {
		return nil, noEnvironment(k)
	}
	p := &Panel{Environment: RowOf(e, quiet), Services: e.Services, Workloads: map[string]*discovery.Workload{}}
	d, err := v.Detail(ctx, k)
	if err != nil {
		return p, nil // the page is of use without it
	}
	for i := range d.Services {
		if t := &d.Services[i].Target; t.Workload != nil {
			p.Workloads[t.Service] = t.Workload
		}
	}
	return p, nil
}

// A ServicePanel is all that is known of one service of one environment.
type ServicePanel struct {
	cache.Service
	Target discovery.Target `json:"target"`

	// Report is what the last document says, with its tree of dependencies; of DocumentAt, which is
	// earlier than the last answer if Old.
	Report     discovery.Report `json:"report"`
	Old        bool             `json:"old,omitempty"`
	DocumentAt time.Time        `json:"documentAt,omitzero"`
	Size       int              `json:"size"` // of the document

	// Note says that no document is known, if that is so.
	Note string `json:"note,omitempty"`
}

const noDocument = "no document of the service is known: it does not answer, or not with one, and what it said earlier is gone"

func noEnvironment(k cache.Key) error {
	return &refusal{http.StatusNotFound, fmt.Sprintf("no environment %s: GET /api/v1/health/environments lists them", k)}
}

func noService(k cache.Key, name string) error {
	return &refusal{http.StatusNotFound, fmt.Sprintf("no service %q in %s: GET /api/v1/health/environments/%s lists them", name, k, k)}
}

func keyIn(r *http.Request) cache.Key {
	return cache.Key{Cluster: r.PathValue("cluster"), Namespace: r.PathValue("namespace")}
}

func environmentOf(q question) (any, error) {
	return PanelOf(q.Context(), q.view, keyIn(q.Request), q.quiet)
}

// detailOf returns what a version says of a service, and its detail.
func detailOf(ctx context.Context, v *cache.View, k cache.Key, name string) (*cache.Service, *cache.ServiceDetail, error) {
	e := v.Environment(k)
	if e == nil {
		return nil, nil, noEnvironment(k)
	}
	s := e.Service(name)
	if s == nil {
		return nil, nil, noService(k, name)
	}
	d, err := v.Detail(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	return s, d.Service(name), nil
}

func serviceOf(q question) (any, error) {
	k := keyIn(q.Request)
	s, d, err := detailOf(q.Context(), q.view, k, q.PathValue("service"))
	if err != nil {
		return nil, err
	}
	p := ServicePanel{Service: *s}
	if d != nil {
		p.Target, p.Old, p.DocumentAt, p.Size, p.Report = d.Target, d.Old, d.DocumentAt, d.Size, d.Report
		if len(d.Raw) > 0 {
			p.Report = d.Tree()
		}
	}
	if p.Size == 0 {
		p.Note = noDocument
	}
	return p, nil
}

// serveDocument answers with the last document of a service as it came, and never as anything that a
// browser would run.
func (a *API) serveDocument(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	v, err := a.view(ctx)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	k := keyIn(r)
	_, d, err := detailOf(ctx, v, k, r.PathValue("service"))
	switch {
	case err == nil && (d == nil || len(d.Raw) == 0):
		err = &refusal{http.StatusNotFound, noDocument}
	case errors.Is(err, cache.ErrUnknown):
		err = noEnvironment(k)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	head := w.Header()
	head.Set("Content-Type", "text/plain; charset=utf-8")
	head.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	head.Set("X-Document-Type", d.DocumentType)
	head.Set("Last-Modified", d.DocumentAt.UTC().Format(http.TimeFormat))
	if !v.Stale.Since.IsZero() {
		head.Set("Warning", fmt.Sprintf(`110 tocsin "stale since %s"`, v.Stale.Since.UTC().Format(time.RFC3339)))
	}
	serveBytes(w, r, d.Raw, nil, tagOf(d.Raw))
}
