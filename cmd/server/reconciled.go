package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tocsin/tocsin/cmd/internal/web"
	"github.com/tocsin/tocsin/notify"
)

// Reconciled says how the comparisons with the remotes stand, in the order of the configuration.
func (k *keepers) Reconciled() []web.Reconciled {
	var all []web.Reconciled
	for _, r := range k.running() {
		all = append(all, web.Reconciled{Receiver: r.Name(), ReconcileStatus: r.Status()})
	}
	return all
}

// Approve lets the next comparison of a receiver's remote close whatever it finds, and says whether there is
// one.
func (k *keepers) Approve(receiver string) bool {
	for _, r := range k.running() {
		if r.Name() == receiver {
			k.log.Info("a person approved that a reconciliation closes more than its guard lets through", "receiver", receiver)
			r.Approve()
			return true
		}
	}
	return false
}

func (k *keepers) running() []*notify.Reconciler {
	if rs := k.reconcilers.Load(); rs != nil {
		return *rs
	}
	return nil
}

// guardProblems are the reconciliations that wait for a person's word.
func (k *keepers) guardProblems() []string {
	var all []string
	for _, r := range k.Reconciled() {
		if r.Guarded != "" {
			all = append(all, fmt.Sprintf("Receiver %s: %s. The page Receivers has a button for that.", r.Receiver, r.Guarded))
		}
	}
	return all
}

// A reconciled is one element of the answer of GET /api/v1/reconciliations.
type reconciled struct {
	Receiver string    `json:"receiver"`
	At       time.Time `json:"at,omitzero"` // of the last one that was complete
	Error    string    `json:"error,omitempty"`
	Drift    int       `json:"drift"`
	Guarded  string    `json:"guarded,omitempty"`
	Steps    []step    `json:"steps,omitempty"`
}

type step struct {
	Action string    `json:"action"`
	Alias  string    `json:"alias"`
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// serveReconciled answers what the last comparisons with the remotes found.
func (k *keepers) serveReconciled(w http.ResponseWriter, _ *http.Request) {
	answer := []reconciled{}
	for _, r := range k.Reconciled() {
		one := reconciled{Receiver: r.Receiver, At: r.At, Drift: r.Drift, Guarded: r.Guarded}
		if r.Err != nil {
			one.Error = r.Err.Error()
		}
		for _, s := range r.Steps {
			one.Steps = append(one.Steps, step{Action: s.Action.String(), Alias: s.Alias, Reason: s.Reason, Until: s.Until})
		}
		answer = append(answer, one)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer) // the client went away
}

// approve takes a person's word for closing more than the guard lets through. The body is {"receiver": …}.
func (k *keepers) approve(w http.ResponseWriter, r *http.Request) {
	var which struct{ Receiver string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&which)
	if err == nil && which.Receiver == "" {
		err = errors.New("no receiver")
	}
	switch {
	case err != nil:
		http.Error(w, fmt.Sprintf(`body: %v: send {"receiver": …}, as GET api/v1/reconciliations names it`, err), http.StatusBadRequest)
	case !k.Approve(which.Receiver):
		http.Error(w, fmt.Sprintf("nothing is compared for receiver %q: GET api/v1/reconciliations lists what is", which.Receiver), http.StatusNotFound)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}
