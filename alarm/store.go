package alarm

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/common/model"
)

// Stored is everything that survives a restart.
type Stored struct {
	Alerts     []*Alert // sorted by fingerprint
	Silences   []*Silence
	Groups     []GroupState
	Told       []Told
	Intentions []Intention // open rows of the outbox, sorted by ID
	Rows       []Row

	// Verdicts are those that were last in force, so that only changes are recorded.
	Verdicts []Verdict

	// Restarted says that the state was read from the store, so time has passed in which nobody
	// listened: at process start, at take-over, and after a failed commit.
	Restarted bool
}

// A Store keeps the state. Commit is called by one goroutine at a time.
type Store interface {
	// Load reads the whole state.
	Load(ctx context.Context) (*Stored, error)

	// Commit makes the plan durable in one transaction, or changes nothing and returns an error.
	// It returns ErrLeaseLost if generation is no longer the lease's.
	Commit(ctx context.Context, generation int64, p *Plan) error
}

// A Historian answers what happened to an alert. It is met by the same database as Store.
type Historian interface {
	// History returns the records of an alert from one instant to another, both included: the newest
	// limit of them, or all if limit is 0, oldest first.
	History(ctx context.Context, fp model.Fingerprint, from, to time.Time, limit int) ([]Record, error)
}

// A Record is one line of history.
type Record struct {
	ID          int64             `json:"id"`
	At          time.Time         `json:"at"`
	Kind        string            `json:"kind"` // appeared, changed, ended, verdict, told, told-resolved, add, update, close, delivered, failed, unsent, silence, ...
	Fingerprint model.Fingerprint `json:"fingerprint,omitempty"`
	Source      string            `json:"source,omitempty"`
	Receiver    string            `json:"receiver,omitempty"`
	Integration string            `json:"integration,omitempty"`
	Group       string            `json:"group,omitempty"`
	Body        []byte            `json:"body,omitempty"` // JSON
}

// ErrLeaseLost means that another server leads. It is returned by Store.Commit.
var ErrLeaseLost = errors.New("lease lost: another server leads")

// ErrNotStored means that a commit failed and the input was not kept. It is returned by
// Engine.Submit.
var ErrNotStored = errors.New("not stored")

// ErrStopped means that the engine has ended. It is returned by Engine.Submit.
var ErrStopped = errors.New("engine stopped")
