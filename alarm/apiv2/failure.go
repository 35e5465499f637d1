package apiv2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/tocsin/tocsin/alarm"
)

// A refusal is a request that is not as the API's description says. It is answered as an object
// with a code and a message; codes from 600 on have the status 422.
type refusal struct {
	code    int
	message string
	allowed []string // methods, with the code 405
}

func (e *refusal) Error() string { return e.message }

// Code is answered as it is.
func (e *refusal) Code() int { return e.code }

func required(what string) error {
	return &refusal{code: 602, message: what + " is required"}
}

func notAllowed(method string, known operations) error {
	var allowed []string
	for m := range known {
		allowed = append(allowed, m)
	}
	slices.Sort(allowed)
	return &refusal{
		code:    http.StatusMethodNotAllowed,
		message: fmt.Sprintf("method %s is not allowed, but [%s] are", method, strings.Join(allowed, ",")),
		allowed: allowed,
	}
}

// A failure is answered with its status and the message as a JSON string.
type failure struct {
	status int
	err    error
}

func (e *failure) Error() string { return e.err.Error() }
func (e *failure) Unwrap() error { return e.err }

func badRequest(format string, args ...any) error {
	return &failure{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

// fail answers for an operation that did not.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if code, ok := codeOf(err); ok {
		a.refuse(w, r, code, err)
		return
	}
	status := statusOf(err)
	a.log(r, status, err)
	if status == http.StatusNotFound && r.Method != http.MethodPost {
		w.WriteHeader(status) // without a body, as Alertmanager answers for a silence that is not there
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	_ = writeJSON(w, err.Error())
}

// codeOf returns the code that a refusal of the request brings with it. What the store says is no
// refusal: a database's errors have codes of their own, which are nobody's status.
func codeOf(err error) (code int, ok bool) {
	var coded interface{ Code() int }
	if errors.Is(err, alarm.ErrNotStored) || !errors.As(err, &coded) {
		return 0, false
	}
	code = coded.Code()
	return code, code >= http.StatusBadRequest && code < 700
}

func (a *API) refuse(w http.ResponseWriter, r *http.Request, code int, err error) {
	status := code
	if status >= 600 {
		status = http.StatusUnprocessableEntity
	}
	a.log(r, status, err)
	var refused *refusal
	if errors.As(err, &refused) && refused.allowed != nil {
		w.Header().Set("Allow", strings.Join(refused.allowed, ","))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	body, _ := json.Marshal(struct { // an integer and a string can be marshalled
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{code, err.Error()})
	_, _ = w.Write(body)
}

// log takes down what went wrong here. That the server stops, or another one leads from now on, is said once
// elsewhere, and not by each request that it interrupts.
func (a *API) log(r *http.Request, status int, err error) {
	interrupted := errors.Is(err, alarm.ErrStopped) || errors.Is(err, alarm.ErrLeaseLost) || errors.Is(err, context.Canceled)
	if status >= http.StatusInternalServerError && !interrupted {
		a.logger.Error("request failed", "path", r.URL.Path, "method", r.Method, "status", status, "err", err)
		return
	}
	a.logger.Debug("request refused", "path", r.URL.Path, "method", r.Method, "status", status, "err", err)
}

// retryAfter is in how many seconds it is worth asking again: about how long a store that failed is left
// alone.
const retryAfter = "5"

// statusOf classifies an error by the methods that it has. What is not stored may be sent again: the store
// is away, or full, or another server leads.
func statusOf(err error) int {
	var failed *failure
	var missing interface{ NotFound() bool }
	var invalid interface{ Invalid() bool }
	switch {
	case errors.As(err, &failed):
		return failed.status
	case errors.As(err, &missing) && missing.NotFound():
		return http.StatusNotFound
	case errors.As(err, &invalid) && invalid.Invalid():
		return http.StatusBadRequest
	case errors.Is(err, alarm.ErrNotStored), errors.Is(err, alarm.ErrStopped), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// writeJSON writes v as Alertmanager does, with < and > as they are, and a newline.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
