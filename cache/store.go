package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrEmpty is returned by [Versions] and [Reader] as long as no version was published.
	ErrEmpty = errors.New("the cache is empty: no version was published yet")

	// ErrPartial is matched by the error that [Writer.Write], [Writer.WriteCycles] and [Refresher.Cycle]
	// return if upstream has too few of the services that were known: nothing was changed.
	ErrPartial = errors.New("too few of the known services were returned")

	// ErrNotPublisher is returned by [Elector], [Versions], [Tasks], [Writer] and [Refresher] if another process
	// holds the lease, or it ran out: nothing was changed.
	ErrNotPublisher = errors.New("another process publishes")

	// ErrConflict is returned by [Versions] if the version that a new one is based on is not the current
	// one: nothing was changed.
	ErrConflict = errors.New("another version was published meanwhile")

	// ErrAbandoned is matched by the error that [Refresher.Cycle] returns if a version was not finished in
	// time: nothing was changed.
	ErrAbandoned = errors.New("the version was abandoned")

	// ErrExpired is returned by [View] if what is asked for was superseded so long ago that it is gone.
	ErrExpired = errors.New("superseded and expired: take a new view")

	// ErrUnknown is returned by [View] for an environment that the version does not have.
	ErrUnknown = errors.New("no such environment")
)

// A PartialError says how much of what was known came back. It matches [ErrPartial].
type PartialError struct{ Got, Known int }

// Error says how many of how many came back.
func (e *PartialError) Error() string {
	return fmt.Sprintf("%v: %d of %d, the cache is left as it was", ErrPartial, e.Got, e.Known)
}

// Is says that it is an ErrPartial.
func (e *PartialError) Is(target error) bool { return target == ErrPartial }

// A Blob is immutable bytes under a key that is never used for others.
type Blob struct {
	Key  string
	Data []byte
}

// Blobs keeps immutable bytes. What is put lasts for some minutes, unless [Versions.Publish] keeps it.
type Blobs interface {
	// Put leaves a key alone that is there: a worker that comes late changes nothing. It keeps no Data:
	// that is used for others once it returned.
	Put(ctx context.Context, blobs []Blob) error

	// Get returns the data of each key, nil for one that is not there.
	Get(ctx context.Context, keys []string) ([][]byte, error)

	// Missing returns those of the keys that are not there, in their order.
	Missing(ctx context.Context, keys []string) ([]string, error)
}

// Versions keeps which version is current. All of its methods are atomic.
type Versions interface {
	// Current returns the current version, or ErrEmpty.
	Current(ctx context.Context) (Current, error)

	// Publish makes a version the current one, for the holder of the lease alone.
	Publish(ctx context.Context, l Lease, f Flip) error

	// MarkStale says that the current version is old, until the next one is published.
	MarkStale(ctx context.Context, l Lease, s Stale) error
}

// Current is what is published.
type Current struct {
	ID    string
	Head  []byte
	Stale Stale // zero: it is not
}

// Stale says since when and why a version is old.
type Stale struct {
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

// A Flip is the publication of a version. Either all of it happens or nothing.
type Flip struct {
	Base string // the version that must be the current one; empty: there is none
	ID   string
	Head []byte   // small
	Keep []string // keys that last as long as the version is current
	Drop []string // keys of the base that are not needed any more, and expire
}

// An Index keeps sorted sets of strings. They last as blobs do, and count among a Flip's keys.
type Index interface {
	PutTerms(ctx context.Context, key string, terms []string) error

	// Range returns in their order at most limit terms that begin with a prefix and come after another
	// term, if that is not empty.
	Range(ctx context.Context, key, prefix, after string, limit int) ([]string, error)
}

// A Lease is the right to publish, for a time.
type Lease struct {
	Holder     string
	Generation int64 // unique to each time that the lease was won
}

// An Elector grants the lease to one process at a time.
type Elector interface {
	// Acquire renews the lease if l is still held, and wins it if nobody holds it. Else it returns
	// ErrNotPublisher. Of l only the holder is needed to win.
	Acquire(ctx context.Context, l Lease) (Lease, error)

	// Release gives the lease back, if it is still held.
	Release(ctx context.Context, l Lease) error
}

// A Store is all that a [Writer] needs.
type Store interface {
	Blobs
	Versions
	Index
	Elector
}

// A Task is to build one environment's detail for a version.
type Task struct {
	Version string
	ID      string // unique in its version
	Data    []byte
}

// A Claim is a task that a worker holds.
type Claim struct {
	Task
	Receipt string
}

// Done is the result of a task.
type Done struct {
	Claim
	Result []byte
}

// Tasks is the publisher's side of a queue.
type Tasks interface {
	// Begin puts the tasks of a version on the queue. Those of all other versions are void. It returns
	// ErrNotPublisher, and changes nothing, if the lease was won again since, as far as the queue knows: who was
	// paused does not make the tasks of its successor void.
	Begin(ctx context.Context, l Lease, version string, tasks []Task) error

	// Results returns the result of each task by its ID once there are so many of them, and nil before.
	Results(ctx context.Context, version string, want int) (map[string][]byte, error)

	// End makes the tasks of a version void, and forgets their results.
	End(ctx context.Context, version string) error
}

// Claims is the workers' side of a queue.
type Claims interface {
	// Take returns at most n tasks for a worker, and waits for the first of them. What another worker
	// took and has not finished for long comes again. Tasks that are void never come.
	Take(ctx context.Context, worker string, n int, wait time.Duration) ([]Claim, error)

	// Finish records the results of tasks, and returns how many of them count: a task that has a result
	// already keeps it, and one that is void needs none.
	Finish(ctx context.Context, done []Done) (first int, err error)
}

// A Queue is what a [Refresher] shares its work by.
type Queue interface {
	Tasks
	Claims
}
