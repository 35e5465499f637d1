package apiv2

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// limit lets only so many GETs through at a time, and none that takes too long.
func (a *API) limit(h http.Handler) http.Handler {
	limited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			h.ServeHTTP(w, r)
			return
		}
		select {
		case a.slots <- struct{}{}:
			a.metrics.inFlight.Inc()
			defer func() {
				<-a.slots
				a.metrics.inFlight.Dec()
			}()
			h.ServeHTTP(w, r)
		default:
			a.metrics.limited.Inc()
			http.Error(w, fmt.Sprintf("Limit of concurrent GET requests reached (%d), try again later.\n", cap(a.slots)),
				http.StatusServiceUnavailable)
		}
	})
	if a.options.Timeout <= 0 {
		return limited
	}
	return http.TimeoutHandler(limited, a.options.Timeout, fmt.Sprintf("Exceeded configured timeout of %v.\n", a.options.Timeout))
}

// operations are what can be done at one path. An operation that returns an error has written
// nothing.
type operations map[string]func(http.ResponseWriter, *http.Request) error

// serve finds the operation and answers for it if it fails.
func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	pattern, id := a.pattern(r)
	if pattern == patternV1 {
		a.gone(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	var known operations
	switch pattern {
	case patternAlerts:
		known = operations{http.MethodGet: a.getAlerts, http.MethodPost: a.postAlerts}
	case patternGroups:
		known = operations{http.MethodGet: a.getGroups}
	case patternSilences:
		known = operations{http.MethodGet: a.getSilences, http.MethodPost: a.postSilence}
	case patternSilence:
		r.SetPathValue("id", id)
		known = operations{http.MethodGet: a.getSilence, http.MethodDelete: a.deleteSilence}
	case patternReceivers:
		known = operations{http.MethodGet: a.getReceivers}
	case patternStatus:
		known = operations{http.MethodGet: a.getStatus}
	}
	if err := a.operate(known, w, r); err != nil {
		a.fail(w, r, err)
	}
}

func (a *API) operate(known operations, w http.ResponseWriter, r *http.Request) error {
	op, ok := known[r.Method]
	switch {
	case len(known) == 0:
		below := strings.TrimPrefix(r.URL.EscapedPath(), a.options.Prefix)
		return &refusal{code: http.StatusNotFound, message: fmt.Sprintf("path %s was not found", below)}
	case !ok:
		return notAllowed(r.Method, known)
	}
	if r.ContentLength != 0 {
		if err := sendsJSON(r); err != nil {
			return err
		}
	}
	if !acceptsJSON(r.Header.Values("Accept")) {
		return &refusal{
			code:    http.StatusNotAcceptable,
			message: "unsupported media type requested, only [application/json] are available",
		}
	}
	return op(w, r)
}

// sendsJSON refuses bodies that do not say that they are JSON.
func sendsJSON(r *http.Request) error {
	sent := r.Header.Get("Content-Type")
	if sent == "" {
		sent = "application/octet-stream"
	}
	media, _, err := mime.ParseMediaType(sent)
	if err != nil {
		return &refusal{code: http.StatusBadRequest, message: fmt.Sprintf("parsing Content-Type header from %q failed, because %v", sent, err)}
	}
	if media != "application/json" {
		return &refusal{
			code:    http.StatusUnsupportedMediaType,
			message: fmt.Sprintf("unsupported media type %q, only [application/json] are allowed", media),
		}
	}
	return nil
}

// acceptsJSON says whether a client that sent these Accept headers understands the answers.
func acceptsJSON(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	for _, header := range accept {
		for part := range strings.SplitSeq(header, ",") {
			media, parameters, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case "", "*/*", "application/*", "application/json":
			default:
				continue
			}
			quality := 1.0
			for parameter := range strings.SplitSeq(parameters, ";") {
				if q, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
					quality, _ = strconv.ParseFloat(q, 64)
				}
			}
			if quality > 0 {
				return true
			}
		}
	}
	return false
}

// v1Gone is the answer of the API v1.
const v1Gone = `{"status":"deprecated","error":"The Alertmanager v1 API was deprecated in version 0.16.0 ` +
	`and is removed as of version 0.27.0 - please use the equivalent route in the v2 API"}` + "\n"

// gone answers for the API v1, at the paths that it had.
func (a *API) gone(w http.ResponseWriter, r *http.Request) {
	below := strings.TrimPrefix(r.URL.Path, a.options.Prefix+patternV1+"/")
	kind, id, single := strings.Cut(below, "/")
	allowed := map[string][]string{
		"status":    {http.MethodGet},
		"receivers": {http.MethodGet},
		"alerts":    {http.MethodGet, http.MethodPost},
		"silences":  {http.MethodGet, http.MethodPost},
		"silence":   {http.MethodGet, http.MethodDelete},
	}
	wanted := kind == "silence"
	for _, method := range allowed[kind] {
		if method == r.Method && single == wanted && (id != "") == wanted {
			a.logger.Warn("the removed API v1 was called", "path", r.URL.Path, "method", r.Method)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusGone)
			_, _ = io.WriteString(w, v1Gone)
			return
		}
	}
	http.NotFound(w, r)
}
