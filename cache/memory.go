package cache

import (
	"context"
	"slices"
	"sync"
	"time"
)

// MemoryOptions configure a [Memory] and a [MemoryQueue]. The zero value works.
type MemoryOptions struct {
	// Spare is how long what is not part of the current version lasts. Defaults to 10 min.
	Spare time.Duration

	// Lease is how long a lease lasts that is not renewed. Defaults to 45 s.
	Lease time.Duration

	// ClaimAfter is how long a task stays with a worker that does not finish it. Defaults to 60 s.
	ClaimAfter time.Duration

	// VersionTTL is how long the tasks of a version that is neither finished nor ended last. Defaults to 90 s.
	VersionTTL time.Duration
}

// OrDefaults returns the options with those that are zero replaced by their defaults.
func (o MemoryOptions) OrDefaults() MemoryOptions {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&o.Spare, 10*time.Minute)
	set(&o.Lease, 45*time.Second)
	set(&o.ClaimAfter, 60*time.Second)
	set(&o.VersionTTL, 90*time.Second)
	return o
}

// Memory is a [Store] in this process: what the cache is unless Redis is configured. It may be used by
// several goroutines.
type Memory struct {
	opts MemoryOptions

	mu         sync.RWMutex // guards what is below
	blobs      map[string]*entry
	current    *Current
	lease      Lease
	until      time.Time
	generation int64
	swept      time.Time
}

// An entry is a blob or the terms of an index.
type entry struct {
	data    []byte
	terms   []string
	expires time.Time // zero: never
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory(opts MemoryOptions) *Memory {
	return &Memory{opts: opts.OrDefaults(), blobs: map[string]*entry{}}
}

func (e *entry) there(now time.Time) bool {
	return e != nil && (e.expires.IsZero() || now.Before(e.expires))
}

// Put keeps blobs.
func (m *Memory) Put(_ context.Context, blobs []Blob) error {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	for _, b := range blobs {
		if m.blobs[b.Key].there(now) {
			continue
		}
		m.blobs[b.Key] = &entry{data: slices.Clone(b.Data), expires: now.Add(m.opts.Spare)}
	}
	return nil
}

// sweep takes away what has expired, at most each second.
func (m *Memory) sweep(now time.Time) {
	if now.Sub(m.swept) < time.Second {
		return
	}
	m.swept = now
	for k, e := range m.blobs {
		if !e.there(now) {
			delete(m.blobs, k)
		}
	}
}

// Get returns blobs.
func (m *Memory) Get(_ context.Context, keys []string) ([][]byte, error) {
	now := time.Now()
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make([][]byte, len(keys))
	for i, k := range keys {
		if e := m.blobs[k]; e.there(now) {
			out[i] = e.data
		}
	}
	return out, nil
}

// Missing returns the keys that are not there.
func (m *Memory) Missing(_ context.Context, keys []string) ([]string, error) {
	now := time.Now()
	m.mu.RLock()
	defer m.mu.RUnlock()
	var missing []string
	for _, k := range keys {
		if !m.blobs[k].there(now) {
			missing = append(missing, k)
		}
	}
	return missing, nil
}

// Current returns the current version.
func (m *Memory) Current(context.Context) (Current, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.current == nil {
		return Current{}, ErrEmpty
	}
	return *m.current, nil
}

// held says whether a lease is the one that holds.
func (m *Memory) held(now time.Time, l Lease) bool {
	return l.Generation != 0 && l == m.lease && now.Before(m.until)
}

// Publish makes a version the current one.
func (m *Memory) Publish(_ context.Context, l Lease, f Flip) error {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.held(now, l) {
		return ErrNotPublisher
	}
	base := ""
	if m.current != nil {
		base = m.current.ID
	}
	if base != f.Base {
		return ErrConflict
	}
	for _, k := range f.Drop {
		if e := m.blobs[k]; e.there(now) {
			m.blobs[k] = &entry{data: e.data, terms: e.terms, expires: now.Add(m.opts.Spare)}
		}
	}
	for _, k := range f.Keep {
		if e := m.blobs[k]; e.there(now) {
			m.blobs[k] = &entry{data: e.data, terms: e.terms}
		}
	}
	m.current = &Current{ID: f.ID, Head: slices.Clone(f.Head)}
	return nil
}

// MarkStale says that the current version is old.
func (m *Memory) MarkStale(_ context.Context, l Lease, s Stale) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.held(time.Now(), l):
		return ErrNotPublisher
	case m.current == nil:
		return ErrEmpty
	}
	c := *m.current
	if !c.Stale.Since.IsZero() {
		s.Since = c.Stale.Since
	}
	c.Stale = s
	m.current = &c
	return nil
}

// PutTerms keeps a sorted set.
func (m *Memory) PutTerms(_ context.Context, key string, terms []string) error {
	terms = slices.Sorted(slices.Values(terms))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[key] = &entry{terms: terms, expires: time.Now().Add(m.opts.Spare)}
	return nil
}

// Range returns a part of a sorted set.
func (m *Memory) Range(_ context.Context, key, prefix, after string, limit int) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e := m.blobs[key]
	if !e.there(time.Now()) {
		return nil, nil
	}
	return lexical(e.terms, prefix, after, limit), nil
}

// Acquire renews the lease, or wins it.
func (m *Memory) Acquire(_ context.Context, l Lease) (Lease, error) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.held(now, l):
	case now.Before(m.until):
		return Lease{}, ErrNotPublisher
	default:
		m.generation++
		m.lease = Lease{Holder: l.Holder, Generation: m.generation}
	}
	m.until = now.Add(m.opts.Lease)
	return m.lease, nil
}

// Release gives the lease back.
func (m *Memory) Release(_ context.Context, l Lease) error {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.held(now, l) {
		return ErrNotPublisher
	}
	m.until = now
	return nil
}
