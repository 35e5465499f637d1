package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
)

const (
	// followEvery is how often one who follows reads what was committed, and whether anybody leads.
	followEvery = 500 * time.Millisecond

	// truthLife is how old the truth of one who follows may be.
	truthLife = 2 * time.Second
)

// A follower is what a server knows that does not lead.
type follower struct {
	mu         sync.Mutex // guards what follows
	leadership sqlstore.Leadership
	read       time.Time // when the truth was last read
	err        error     // of the last attempt
}

// follow runs a term that follows until ctx ends, or nobody leads and we have the lease: it returns its
// generation, or 0.
func (m *member) follow(ctx context.Context) (int64, error) {
	s := m.newTerm()
	s.follower = &follower{}
	if err := s.assembleParts(m.config, 0); err != nil {
		return 0, err
	}
	watch := newWatcher(s.reload, s.files, s.content, s.log)
	handler, err := s.handler(m.listeners, watch)
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var work errgroup.Group
	defer func() {
		stop()
		_ = work.Wait() // they never fail
		m.handOn(s, watch)
	}()
	work.Go(func() error { return watch.Run(ctx) })
	work.Go(func() error { return s.reloadOnHangup(ctx, watch) })

	shown := &term{handler: handler, prefix: s.prefix(), leader: s.follower.leader, age: s.follower.age}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		before := s.follower.now()
		now, err := s.mirror(ctx)
		switch {
		case ctx.Err() != nil:
			return 0, nil
		case err != nil:
			s.follower.failed(s, err)
		default:
			m.front.show(shown)
			m.serve()
			if now.Name != before.Name && now.Name != "" {
				s.log.Info("following", "leader", now.Name, "since", now.Since)
			}
		}
		if err == nil && now.Until.IsZero() {
			generation, err := m.acquire(ctx)
			if generation != 0 {
				return generation, nil
			}
			if err != nil && ctx.Err() == nil {
				s.log.Warn("take over", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return 0, nil
		case <-tick.C:
		}
	}
}

// mirror reads what was committed since the last time.
func (s *server) mirror(ctx context.Context) (sqlstore.Leadership, error) {
	s.mirroring.Lock()
	defer s.mirroring.Unlock()
	began := time.Now()
	f := s.follower
	delta, err := s.db.Follow(ctx, f.now())
	if err != nil {
		return sqlstore.Leadership{}, err
	}
	if delta.State != nil {
		err = s.engine.Mirror(began, alarm.Mirrored{
			Whole: delta.Whole, State: delta.State,
			Alerts: delta.Removed.Alerts, Verdicts: delta.Removed.Verdicts, Silences: delta.Removed.Silences, Groups: delta.Removed.Groups,
			Told: delta.Removed.Told, Intentions: delta.Removed.Intentions, Rows: delta.Removed.Rows,
		})
	}
	if err != nil {
		return sqlstore.Leadership{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leadership, f.read, f.err = delta.Leadership, began, nil
	return delta.Leadership, nil
}

// reloadMirror puts another configuration in force in a server that follows.
func (s *server) reloadMirror(a *assembly) error {
	s.mirroring.Lock()
	defer s.mirroring.Unlock()
	if err := s.deliverer.Replace(a.receivers); err != nil { // it delivers nothing, and is asked how receivers stand
		return err
	}
	if s.follower.age() < 0 {
		return fmt.Errorf("%w: nothing was read yet", errLater)
	}
	return s.engine.MirrorWith(time.Now(), a.build)
}

func (f *follower) now() sqlstore.Leadership {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leadership
}

// leader is where changes are to go, or empty: nobody leads, or who does is not known any more.
func (f *follower) leader() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leadership.Ours {
		return "" // we are about to lead
	}
	return f.leadership.Name
}

// age is how old the truth is, or negative if there is none yet.
func (f *follower) age() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read.IsZero() {
		return -1
	}
	return time.Since(f.read)
}

// trouble is why the truth is older than it may be.
func (f *follower) trouble() error {
	age := f.age()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case age < 0:
		return errors.New("the state is still being loaded")
	case age > truthLife && f.err != nil:
		return fmt.Errorf("what is shown is %s old: %w", age.Round(time.Second), f.err)
	case age > truthLife:
		return fmt.Errorf("what is shown is %s old", age.Round(time.Second))
	}
	return nil
}

// failed notes that the truth could not be read, and logs the first time of several.
func (f *follower) failed(s *server, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		s.log.Warn("follow", "err", err)
	}
	f.err = err
}
