package opsgenie

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// An Event is what an outgoing webhook of the service says: somebody did something to an alert. It is
// a hint and no more, for anybody can send one; what is so is read from the service.
type Event struct {
	Action  string // such as Acknowledge, UnAcknowledge, Close, Delete, AddNote
	AlertID string
	Alias   string
	Message string
	Tags    []string
	By      string // who did it
	Note    string
	At      time.Time // when the alert was last changed
}

// Changed says whether the event is about an incident being closed or acknowledged, or no longer.
func (e *Event) Changed() bool {
	switch e.Action {
	case "Acknowledge", "UnAcknowledge", "Close", "Delete", "AssignOwnership", "TakeOwnership", "Assign":
		return true
	}
	return false
}

// ParseWebhook reads the payload of an outgoing webhook, of either service.
func ParseWebhook(body []byte) (Event, error) {
	var p struct {
		Action string `json:"action"`
		Alert  struct {
			AlertID   string   `json:"alertId"`
			ID        string   `json:"id"`
			Alias     string   `json:"alias"`
			Message   string   `json:"message"`
			Tags      []string `json:"tags"`
			Username  string   `json:"username"`
			Note      string   `json:"note"`
			UpdatedAt instant  `json:"updatedAt"`
		} `json:"alert"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return Event{}, fmt.Errorf("webhook: %w", err)
	}
	if p.Action == "" || p.Alert.Alias == "" {
		return Event{}, errors.New("webhook: action or alert.alias is missing: is the integration of type Webhook, with the alert's payload?")
	}
	e := Event{
		Action: p.Action, AlertID: p.Alert.AlertID, Alias: p.Alert.Alias, Message: p.Alert.Message,
		Tags: p.Alert.Tags, By: p.Alert.Username, Note: p.Alert.Note, At: p.Alert.UpdatedAt.Time,
	}
	if e.AlertID == "" {
		e.AlertID = p.Alert.ID
	}
	return e, nil
}

// maxWebhook bounds a payload: description, details and a note at their limits fit well.
const maxWebhook = 1 << 20

// Webhook returns a handler for outgoing webhooks of the service. It calls hint with the alias of what
// is ours and was acknowledged, closed or given an owner, as notify.Reconciler.Hint takes it; hint must
// not block. What is not ours is accepted and ignored.
func (c *Client) Webhook(hint func(alias string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "only POST", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxWebhook))
		if err != nil {
			http.Error(w, "the payload is too large, or broke off", http.StatusBadRequest)
			return
		}
		e, err := ParseWebhook(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if e.Changed() && c.ours(e.Alias, e.Tags) {
			hint(c.ourAlias(e.Alias))
		}
		w.WriteHeader(http.StatusAccepted)
	})
}
