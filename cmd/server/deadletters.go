package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// undertaker keeps the dead letters. *alarm.Engine is one.
type undertaker interface {
	DeadLetters(ctx context.Context) ([]alarm.DeadLetter, error)
	Revive(ctx context.Context, order alarm.DeadOrder) (bool, error)
}

var _ undertaker = (*alarm.Engine)(nil)

// A deadLetter is one element of the answer of GET /api/v1/dead-letters.
type deadLetter struct {
	Receiver    string         `json:"receiver"`
	Integration string         `json:"integration"`
	Group       string         `json:"group"`
	Action      string         `json:"action"`
	At          time.Time      `json:"at"`
	Attempts    int            `json:"attempts"`
	Error       string         `json:"error"`
	Labels      model.LabelSet `json:"labels,omitempty"`
	Fallback    string         `json:"fallback,omitempty"`
}

// serveDeadLetters answers what was given up.
func serveDeadLetters(u undertaker) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		letters, err := u.DeadLetters(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		answer := make([]deadLetter, 0, len(letters))
		for _, d := range letters {
			answer = append(answer, deadLetter{
				Receiver: d.Key.Receiver, Integration: d.Key.Integration, Group: d.Key.Group, Action: d.Action.String(),
				At: d.At, Attempts: d.Attempts, Error: d.Err, Labels: d.Labels, Fallback: d.Fallback,
			})
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(answer) // the client went away
	})
}

// maxOrder bounds the body of an order.
const maxOrder = 1 << 16

// orderDeadLetter has a dead letter attempted again, or takes it off the list. The body names it as the
// list does: {"receiver": …, "integration": …, "group": …}.
func orderDeadLetter(u undertaker, discard bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var which deadLetter
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
		if err := d.Decode(&which); err != nil {
			http.Error(w, fmt.Sprintf(`body: %v: send {"receiver": …, "integration": …, "group": …}, as GET api/v1/dead-letters names them`, err), http.StatusBadRequest)
			return
		}
		key := alarm.IntentionKey{Receiver: which.Receiver, Integration: which.Integration, Group: which.Group}
		found, err := u.Revive(r.Context(), alarm.DeadOrder{Key: key, Discard: discard})
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		case !found:
			http.Error(w, fmt.Sprintf("no dead letter %s: it was told meanwhile, or discarded", key), http.StatusNotFound)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}
