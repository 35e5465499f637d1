package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tocsin/tocsin/alarm/silence"
)

// maxForm bounds the body of a form.
const maxForm = 64 << 10

// maintenanceRoutes are the page of that name, and what its forms do. A form of another origin is
// refused.
func (h *handler) maintenanceRoutes(mux *http.ServeMux) {
	if h.opts.Maintenance == nil {
		return
	}
	root := h.prefix + "/windows"
	mux.HandleFunc("GET "+root, h.serveMaintenance)
	// Where a form answered, a page that refreshes itself asks for the list.
	mux.HandleFunc("GET "+root+"/{window}/{what}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "../../windows")
		w.WriteHeader(http.StatusSeeOther)
	})
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.serveMessage(w, r, http.StatusForbidden, "Not from here", "A page of another origin may not change windows. Open this server itself.")
	}))
	for pattern, serve := range map[string]http.HandlerFunc{
		"POST " + root:                       h.serveAsked,
		"POST " + root + "/{window}/extend":  h.serveExtend,
		"POST " + root + "/{window}/end":     h.serveEnd,
		"POST " + root + "/{window}/preview": h.servePreviewOf,
	} {
		mux.Handle(pattern, origin.Handler(serve))
	}
}

// doneWords are for what a form did, by the word that the redirect carries.
func doneWords(done string) string {
	switch done {
	case "started":
		return "It is planned."
	case "extended":
		return "It was extended."
	case "ended":
		return "It was ended: what still fires is told, after its grace if it has one."
	default:
		return ""
	}
}

func (h *handler) serveMaintenance(w http.ResponseWriter, r *http.Request) {
	asked := silence.Asked{Zone: "UTC", Duration: "2h"}
	if ms := r.URL.Query().Get("matchers"); ms != "" && len(ms) < maxForm {
		asked.Matchers = []string{ms}
	}
	h.showMaintenance(w, r, http.StatusOK, func(p *maintenancePage) {
		p.Asked, p.Said = asked, doneWords(r.URL.Query().Get("done"))
	})
}

// showMaintenance prints the page, with what the request adds to it.
func (h *handler) showMaintenance(w http.ResponseWriter, r *http.Request, status int, add func(*maintenancePage)) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	all, err := h.opts.Maintenance.List(ctx)
	if err != nil {
		h.serveTrouble(w, r, err)
		return
	}
	p := h.maintenancePage(time.Now(), all, h.frame(r))
	add(&p)
	p.Lines = askedLines(p.Asked)
	h.render(w, r, status, "maintenance", p)
}

// serveAsked plans a window. The form asks for a preview, or starts it: what mutes more than is to be
// muted unasked comes back as a preview that has to be confirmed.
func (h *handler) serveAsked(w http.ResponseWriter, r *http.Request) {
	form, ok := h.form(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	asked := askedIn(form)
	planned, err := asked.Plan(h.opts.Maintenance)
	if err != nil {
		h.refuse(w, r, asked, err)
		return
	}
	if form.Get("confirm") != "yes" {
		preview, err := h.opts.Maintenance.Preview(ctx, planned)
		if err != nil {
			h.serveTrouble(w, r, err)
			return
		}
		if form.Get("do") == "preview" || len(preview.Confirm) > 0 {
			status := http.StatusOK
			if form.Get("do") != "preview" {
				status = http.StatusConflict
			}
			h.showMaintenance(w, r, status, func(p *maintenancePage) {
				p.Asked, p.Preview = asked, previewViewOf(time.Now(), preview, p.Frame.Root)
			})
			return
		}
	}
	if _, err := h.opts.Maintenance.Start(ctx, planned); err != nil {
		h.refuse(w, r, asked, err)
		return
	}
	h.back(w, "windows", "started")
}

// askedIn reads the form.
func askedIn(form url.Values) silence.Asked {
	a := silence.Asked{
		Kind: form.Get("kind"), Name: form.Get("name"), Cluster: form.Get("cluster"), Instance: form.Get("instance"),
		Environment: form.Get("environment"), Team: form.Get("team"), Start: form.Get("start"), End: form.Get("end"),
		Duration: form.Get("duration"), RRule: form.Get("rrule"), Zone: strings.TrimSpace(form.Get("zone")), Lease: form.Get("lease"), Grace: form.Get("grace"),
		CloseOpen: form.Get("close_open") == "yes", CreatedBy: form.Get("author"), Comment: form.Get("comment"),
	}
	for line := range strings.Lines(form.Get("matchers")) {
		if line = strings.TrimSpace(line); line != "" {
			a.Matchers = append(a.Matchers, line)
		}
	}
	return a
}

func (h *handler) serveExtend(w http.ResponseWriter, r *http.Request) {
	form, ok := h.form(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	end, err := silence.Extension(strings.TrimSpace(form.Get("for")), "")
	if err == nil {
		_, err = h.opts.Maintenance.Extend(ctx, r.PathValue("window"), end)
	}
	h.changed(w, r, "extended", err)
}

func (h *handler) serveEnd(w http.ResponseWriter, r *http.Request) {
	form, ok := h.form(w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	_, err := h.opts.Maintenance.End(ctx, r.PathValue("window"), form.Get("series") == "yes")
	h.changed(w, r, "ended", err)
}

// servePreviewOf says what one that is there hits.
func (h *handler) servePreviewOf(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	all, err := h.opts.Maintenance.List(ctx)
	if err != nil {
		h.serveTrouble(w, r, err)
		return
	}
	for _, s := range all {
		if s.ID != r.PathValue("window") {
			continue
		}
		preview, err := h.opts.Maintenance.Preview(ctx, s)
		if err != nil {
			h.serveTrouble(w, r, err)
			return
		}
		preview.Confirm = nil
		p := h.maintenancePage(time.Now(), all, h.frame(r))
		p.Preview = previewViewOf(time.Now(), preview, p.Frame.Root)
		p.Preview.Of = windowViewOf(time.Now(), s).title()
		h.render(w, r, http.StatusOK, "maintenance", p)
		return
	}
	h.serveNothing(w, r)
}

func (v windowView) title() string {
	if v.Name != "" {
		return v.Kind + " " + v.Name
	}
	return v.Kind + " " + v.ID
}

// changed goes back to the list, or says why not.
func (h *handler) changed(w http.ResponseWriter, r *http.Request, what string, err error) {
	if err == nil {
		h.back(w, "../../windows", what)
		return
	}
	if errors.Is(err, silence.ErrNotFound) {
		h.serveMessage(w, r, http.StatusNotFound, "No such window", "It has ended long ago, or there never was one of that ID.")
		return
	}
	h.refuse(w, r, silence.Asked{}, err)
}

// back redirects by a relative address, for a proxy may have changed what stands before it.
func (h *handler) back(w http.ResponseWriter, to, what string) {
	w.Header().Set("Location", to+"?done="+what)
	w.WriteHeader(http.StatusSeeOther)
}

// refuse shows the form again with what is wrong. Other errors are the engine's.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, asked silence.Asked, err error) {
	var refused *silence.RefusedError
	var broken interface{ Invalid() bool }
	var problems []silence.Problem
	switch {
	case errors.As(err, &refused):
		problems = refused.Problems
	case errors.As(err, &broken):
		problems = []silence.Problem{{Field: "window", What: err.Error()}}
	default:
		h.serveTrouble(w, r, err)
		return
	}
	h.showMaintenance(w, r, http.StatusBadRequest, func(p *maintenancePage) { p.Asked, p.Problems = asked, problems })
}

// form reads a form, or says that it is too large or none.
func (h *handler) form(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.serveMessage(w, r, http.StatusBadRequest, "Not a form", "The form is too large, or cannot be read.")
		return nil, false
	}
	return r.PostForm, true
}
