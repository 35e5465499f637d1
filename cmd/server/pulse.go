package server

import (
	"context"
	"sync"
	"time"
)

// pulseEvery is how often the engine is asked for a cycle that writes.
const pulseEvery = 15 * time.Second

// A pulse knows when the engine last wrote a cycle to the store.
type pulse struct {
	mu   sync.Mutex // guards what follows
	good time.Time
	bad  error
}

// Run asks again and again until ctx ends. A cycle that hangs leaves the last good one to grow old.
func (p *pulse) Run(ctx context.Context, beat func(context.Context) error) error {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		err := beat(ctx)
		if ctx.Err() == nil {
			p.took(time.Now(), err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// took notes how a beat ended.
func (p *pulse) took(now time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bad = err; err == nil {
		p.good = now
	}
}

func (p *pulse) last() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.good
}

func (p *pulse) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bad
}
