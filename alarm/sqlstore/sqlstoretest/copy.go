package sqlstoretest

import (
	"context"
	"sync"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
)

// A Copy is the state as somebody keeps it who follows. The zero value is ready.
type Copy struct {
	mu    sync.Mutex // guards the fields below
	last  sqlstore.Leadership
	state alarm.Stored
}

// A Follower is a DB whose Load brings a Copy up to date and returns it.
type Follower struct {
	*sqlstore.DB

	copied *Copy
}

// Of returns a DB that keeps c.
func (c *Copy) Of(db *sqlstore.DB) *Follower { return &Follower{DB: db, copied: c} }

// Load implements alarm.Store.
func (f *Follower) Load(ctx context.Context) (*alarm.Stored, error) {
	f.copied.mu.Lock()
	defer f.copied.mu.Unlock()
	delta, err := f.Follow(ctx, f.copied.last)
	if err != nil {
		return nil, err
	}
	delta.Apply(&f.copied.state)
	f.copied.last = delta.Leadership
	s := f.copied.state
	return &s, nil
}
