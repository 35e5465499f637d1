package alarm

import (
	"time"

	"github.com/prometheus/common/model"
)

// Presence merges what the sources say and decides which alerts count as firing. It is the first
// of the two stages that decide; a flapping cause still explains, so flapping belongs here.
type Presence interface {
	// Observe takes the snapshots that arrived, in order of arrival, and returns what changed, sorted
	// by fingerprint, rows to persist, and when it wants to be called again although nothing
	// arrived (the zero time: never). It depends only on its arguments and on what it was built
	// from: no clock, no I/O.
	Observe(now time.Time, snapshots []Snapshot) (changes []Change, rows []Row, next time.Time)

	// Forget drops resolved alerts: everybody who has to know has been told. An alert that fires
	// again in the same cycle is not in the list. It returns rows to persist, as Observe does.
	Forget(fingerprints []model.Fingerprint) []Row

	// Sources says how each source stands, sorted by name.
	Sources(now time.Time) []SourceStatus
}

// SourceStatus is what the pages and metrics show of a source.
type SourceStatus struct {
	Name        string
	LastSuccess time.Time // zero if it was not read since the start
	Stale       bool      // its alerts are held, for it failed or was not read
	Err         error     // why it is stale, if it failed
	Alerts      int       // how many it reports
}

// ChangeKind says what happened to an alert.
type ChangeKind uint8

// The kinds of change. A Refreshed alert differs only in EndsAt, UpdatedAt and Reports' times: it
// is not written, for vmalert and Prometheus repeat every alert every minute; a Reworded one is now and
// then.
const (
	Appeared  ChangeKind = iota // began to fire (or to be pending): a new occurrence
	Changed                     // StartsAt, state pending to firing, the set of sources
	Ended                       // is Resolved now
	Refreshed                   // only its times moved
	Reworded                    // only its annotations or generator URL changed, and perhaps its times
)

// String returns the kind as history and transcripts print it.
func (k ChangeKind) String() string {
	return [...]string{"appeared", "changed", "ended", "refreshed", "reworded"}[k]
}

// A Change is one alert that is not what it was in the last cycle.
type Change struct {
	Kind  ChangeKind
	Alert *Alert // as it is now

	// Source is who caused the change, or empty if time did.
	Source string
}

// A Row is something that a Presence or a Suppressor wants to find again after a restart. Rows are
// opaque to the engine and the store: they are committed with the plan and given back in [Stored].
type Row struct {
	Part  string // who owns it, such as "flap"
	Key   string // unique within the part
	Value []byte // nil deletes the row
}
