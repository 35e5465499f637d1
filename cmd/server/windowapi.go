package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/silence"
)

// What a request for a window may take.
const (
	maxWindowBody  = 64 << 10
	windowsTimeout = 30 * time.Second
)

// windowAPI answers below /api/v1/windows.
type windowAPI struct {
	windows *maintenance
	log     *slog.Logger
}

// windowOperation returns what to answer, with the status 200 unless it says otherwise.
type windowOperation func(ctx context.Context, r *http.Request) (any, error)

// windowHandlers are the operations by their method and path below /api/v1/.
func windowHandlers(windows *maintenance, log *slog.Logger) map[string]http.Handler {
	a := windowAPI{windows: windows, log: log}
	return map[string]http.Handler{
		"GET windows":                   a.handler(a.list),
		"POST windows":                  a.handler(a.create),
		"POST windows/preview":          a.handler(a.preview),
		"GET windows/{window}":          a.handler(a.get),
		"DELETE windows/{window}":       a.handler(a.end),
		"POST windows/{window}/end":     a.handler(a.end),
		"POST windows/{window}/extend":  a.handler(a.extend),
		"POST windows/{window}/preview": a.handler(a.previewOf),
	}
}

func (a windowAPI) handler(operation windowOperation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), windowsTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxWindowBody)
		answer, err := operation(ctx, r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		answerWindow(w, http.StatusOK, answer)
	})
}

func answerWindow(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // an error means that the client went away
}

// A windowFailure says what is wrong, where, and what to do.
type windowFailure struct {
	Error    string            `json:"error"`
	Problems []silence.Problem `json:"problems,omitempty"`
	Preview  *silence.Preview  `json:"preview,omitempty"` // of what has to be confirmed
}

// unconfirmedError is a window that mutes more than anybody is to mute unasked.
type unconfirmedError struct{ preview silence.Preview }

func (e *unconfirmedError) Error() string {
	return strings.Join(e.preview.Confirm, ", and ") + ": send it again with confirm=true if that is meant"
}

func (a windowAPI) fail(w http.ResponseWriter, r *http.Request, err error) {
	var (
		refused     *silence.RefusedError
		unconfirmed *unconfirmedError
		tooLarge    *http.MaxBytesError
		broken      interface{ Invalid() bool }
	)
	failure := windowFailure{Error: err.Error()}
	status := http.StatusInternalServerError
	switch {
	case errors.As(err, &unconfirmed):
		status, failure.Preview = http.StatusConflict, &unconfirmed.preview
	case errors.As(err, &tooLarge):
		status, failure.Error = http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)
	case errors.Is(err, silence.ErrNotFound):
		status = http.StatusNotFound
		failure.Error = fmt.Sprintf("no window %q, by ID or by name: GET /api/v1/windows lists them", r.PathValue("window"))
	case errors.As(err, &refused):
		status, failure.Problems = http.StatusBadRequest, refused.Problems
	case errors.As(err, &broken):
		status = http.StatusBadRequest
	case errors.Is(err, alarm.ErrNotStored), errors.Is(err, alarm.ErrStopped), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
		a.log.Error("change windows", "path", r.URL.Path, "err", err)
	default:
		a.log.Error("answer for windows", "path", r.URL.Path, "err", err)
	}
	answerWindow(w, status, failure)
}

// list answers with all windows, or those of ?state= and ?kind=.
func (a windowAPI) list(ctx context.Context, r *http.Request) (any, error) {
	states, kinds := r.URL.Query()["state"], r.URL.Query()["kind"]
	for _, s := range states {
		if !slices.Contains([]string{"pending", "active", "expired"}, s) {
			return nil, &silence.RefusedError{Problems: []silence.Problem{{Field: "state", What: fmt.Sprintf("no state %q", s), Remedy: "write pending, active or expired"}}}
		}
	}
	all, err := a.windows.List(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	list := []wireWindow{}
	for _, s := range all {
		w := toWindow(now, s)
		if (len(states) == 0 || slices.Contains(states, w.State)) && (len(kinds) == 0 && s.Kind != alarm.KindSilence || slices.Contains(kinds, w.Kind)) {
			list = append(list, w)
		}
	}
	slices.SortStableFunc(list, func(a, b wireWindow) int { return a.StartsAt.Compare(b.StartsAt) })
	return list, nil
}

func (a windowAPI) get(ctx context.Context, r *http.Request) (any, error) {
	s, err := a.windows.Find(ctx, r.PathValue("window"))
	if err != nil {
		return nil, err
	}
	return toWindow(time.Now(), s), nil
}

// asked plans what the body asks for.
func (a windowAPI) asked(r *http.Request) (*alarm.Silence, error) {
	asked, err := readWindow(r)
	if err != nil {
		return nil, err
	}
	return asked.Plan(a.windows.Service)
}

func readWindow(r *http.Request) (silence.Asked, error) {
	body, err := jsonBody(r)
	if err != nil {
		return silence.Asked{}, err
	}
	return silence.ReadAsked(bytes.NewReader(body))
}

// jsonBody reads the body. A form of another page cannot claim to be JSON.
func jsonBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if len(body) > 0 && (err != nil || media != "application/json") {
		return nil, &silence.RefusedError{Problems: []silence.Problem{{Field: "Content-Type", What: "the body is not declared to be JSON", Remedy: "send Content-Type: application/json"}}}
	}
	return body, nil
}

func (a windowAPI) preview(ctx context.Context, r *http.Request) (any, error) {
	planned, err := a.asked(r)
	if err != nil {
		return nil, err
	}
	return a.windows.Preview(ctx, planned)
}

func (a windowAPI) previewOf(ctx context.Context, r *http.Request) (any, error) {
	s, err := a.windows.Find(ctx, r.PathValue("window"))
	if err != nil {
		return nil, err
	}
	return a.windows.Preview(ctx, s)
}

func (a windowAPI) create(ctx context.Context, r *http.Request) (any, error) {
	planned, err := a.asked(r)
	if err != nil {
		return nil, err
	}
	if r.URL.Query().Get("confirm") != "true" {
		preview, err := a.windows.Preview(ctx, planned)
		if err != nil {
			return nil, err
		}
		if len(preview.Confirm) > 0 {
			return nil, &unconfirmedError{preview}
		}
	}
	id, err := a.windows.Start(ctx, planned)
	if err != nil {
		return nil, err
	}
	s, err := a.windows.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	return toWindow(time.Now(), s), nil
}

// extend renews a lease, or takes {"for": "1h"} or {"until": "2027-01-31T22:00:00Z"}.
func (a windowAPI) extend(ctx context.Context, r *http.Request) (any, error) {
	body, err := jsonBody(r)
	if err != nil {
		return nil, err
	}
	end, err := silence.ReadExtension(body)
	if err != nil {
		return nil, err
	}
	s, err := a.windows.Extend(ctx, r.PathValue("window"), end)
	if err != nil {
		return nil, err
	}
	return toWindow(time.Now(), s), nil
}

func (a windowAPI) end(ctx context.Context, r *http.Request) (any, error) {
	s, err := a.windows.End(ctx, r.PathValue("window"), r.URL.Query().Get("series") == "true")
	if err != nil {
		return nil, err
	}
	return toWindow(time.Now(), s), nil
}

// A wireWindow is a window as the API shows it. StartsAt and EndsAt are those of the occurrence that is
// under way, or else of the next, or else of the last.
type wireWindow struct {
	ID          string         `json:"id"`
	Kind        string         `json:"kind"`
	Name        string         `json:"name,omitempty"`
	State       string         `json:"state"`
	StartsAt    time.Time      `json:"startsAt"`
	EndsAt      time.Time      `json:"endsAt"`
	Scope       alarm.Scope    `json:"scope"`
	Matchers    []string       `json:"matchers"`
	RRule       string         `json:"rrule,omitempty"`
	Zone        string         `json:"zone,omitempty"`
	Duration    model.Duration `json:"duration,omitempty"`
	Next        []time.Time    `json:"next,omitempty"` // when it begins again, the first few times
	Lease       model.Duration `json:"lease,omitempty"`
	Grace       model.Duration `json:"grace,omitempty"`
	CloseOpen   bool           `json:"closeOpen"`
	FromFile    bool           `json:"fromFile"`
	CreatedBy   string         `json:"createdBy"`
	Comment     string         `json:"comment"`
	UpdatedAt   time.Time      `json:"updatedAt"`
	Unspeakable string         `json:"problem,omitempty"` // why it never mutes, if it cannot be understood
}

const shownStarts = 5

func toWindow(now time.Time, s *alarm.Silence) wireWindow {
	shown := s.At(now)
	w := wireWindow{
		ID: s.ID, Kind: s.Kind.String(), Name: s.Name, State: string(s.StateAt(now)),
		StartsAt: shown.StartsAt.UTC(), EndsAt: shown.EndsAt.UTC(), Scope: s.Scope, Matchers: []string{},
		Lease: model.Duration(s.Lease), Grace: model.Duration(s.Grace), CloseOpen: s.CloseOpen, FromFile: s.FromFile,
		CreatedBy: s.CreatedBy, Comment: s.Comment, UpdatedAt: s.UpdatedAt.UTC(),
	}
	for _, m := range s.Matchers {
		w.Matchers = append(w.Matchers, m.String())
	}
	if r := s.Recurrence; r != nil {
		w.RRule, w.Zone, w.Duration = r.Rule, r.Zone, model.Duration(r.Duration)
		for _, o := range s.Ahead(now, shownStarts) {
			w.Next = append(w.Next, o.Start.UTC())
		}
		if _, err := silence.Compile(s); err != nil {
			w.Unspeakable = err.Error()
		}
	}
	return w
}
