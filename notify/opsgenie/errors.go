package opsgenie

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin/tocsin/notify"
)

// ErrNotOpen means that there is no open incident of that alias, or no incident of that id.
// [Client.Read] treats it as an answer; updates and notes of an incident that a person closed do too.
var ErrNotOpen = errors.New("no such open incident")

// ErrNoHeartbeat means that the service knows no heartbeat of that name. [Client.Heartbeat] and
// [Client.EnsureHeartbeat] return it.
var ErrNoHeartbeat = errors.New("no such heartbeat")

// ErrNoOperations means that JSM's Operations API is needed and Options.Operations does not name it.
// Whatever reads or lists returns it.
var ErrNoOperations = errors.New("JSM needs a cloud id and an API token for this (Options.Operations): its integration keys can neither read nor list")

// An APIError is an answer that is not a success.
type APIError struct {
	Status    int               // HTTP
	Code      int               // the service's own, such as 40301, or zero
	Message   string            // the service's
	Fields    map[string]string // what is wrong with each field of the request
	RequestID string
}

// Error returns status, message, fields and what to do where that is known.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", e.Status)
	if text := http.StatusText(e.Status); text != "" {
		b.WriteString(" " + text)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", cut(e.Message, 500))
	}
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		fmt.Fprintf(&b, "; %s: %s", cut(field, 100), cut(e.Fields[field], 200))
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		b.WriteString(" (is the key right, of this region, its integration switched on, the token's scope sufficient?)")
	case e.Status == http.StatusPaymentRequired, strings.Contains(e.Message, "not available in your plan"):
		b.WriteString(" (the plan does not include it)")
	case e.Status == http.StatusForbidden:
		b.WriteString(" (the key lacks a right: read, create and update, delete, configuration access)")
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", cut(e.RequestID, 100))
	}
	return b.String()
}

// parseError reads the error envelopes of both services: {message, errors: {field: reason}, code},
// {errors: [{title, detail}]}, or anything else.
func parseError(status int, body []byte) *APIError {
	e := &APIError{Status: status}
	var envelope struct {
		Message   string          `json:"message"`
		RequestID string          `json:"requestId"`
		Code      json.Number     `json:"code"`
		Errors    json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		e.Message = strings.ToValidUTF8(string(body[:min(len(body), 200)]), "")
		return e
	}
	e.Message, e.RequestID = envelope.Message, envelope.RequestID
	if code, err := strconv.Atoi(envelope.Code.String()); err == nil {
		e.Code = code
	}
	var list []struct{ Title, Detail string }
	switch {
	case json.Unmarshal(envelope.Errors, &e.Fields) == nil:
	case json.Unmarshal(envelope.Errors, &list) == nil:
		for _, item := range list {
			text := strings.TrimSpace(item.Title + " " + item.Detail)
			e.Message = strings.TrimPrefix(e.Message+"; "+text, "; ")
		}
	}
	return e
}

// classify gives an answer that is no success its class: what Receiver.Deliver returns.
func classify(status int, header http.Header, body []byte, now time.Time) error {
	e := parseError(status, body)
	after, asked := retryAfter(header, now)
	switch {
	case status == http.StatusTooManyRequests:
		return &notify.ReasonError{Reason: notify.FailureRateLimited, Err: &notify.ThrottledError{After: after, Err: e}}
	case status == http.StatusServiceUnavailable && asked:
		return &notify.ReasonError{Reason: notify.FailureServerError, Err: &notify.ThrottledError{After: after, Err: e}}
	case status == http.StatusRequestTimeout, status >= 500 && status != http.StatusNotImplemented:
		return &notify.ReasonError{Reason: notify.FailureServerError, Err: e}
	}
	reason := notify.FailureClientError
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		reason = notify.FailureAuth
	}
	return &notify.ReasonError{Reason: reason, Err: fmt.Errorf("%w: %w", notify.ErrRejected, e)}
}

// retryAfter says how long a refused request is to wait, and whether the service said so: by
// Retry-After, or by the period of the bucket that ran dry. At least a second, at most an hour.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	after, ok := time.Minute, false
	if seconds, err := strconv.Atoi(header.Get("X-RateLimit-Period-In-Sec")); err == nil {
		after, ok = time.Duration(min(seconds, 3600))*time.Second, true
	}
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		after, ok = time.Duration(min(seconds, 3600))*time.Second, true
	} else if at, err := http.ParseTime(value); err == nil {
		after, ok = at.Sub(now), true
	}
	return min(max(after, time.Second), time.Hour), ok
}

// status returns the HTTP status of an error of the service, or zero.
func status(err error) int {
	var e *APIError
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
