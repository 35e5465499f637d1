package rediscache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin/tocsin/cache"
)

// Options configure a [Store], a [Queue], and what [NewWriter] and others make. The zero value works.
type Options struct {
	// Prefix begins all keys. For Redis Cluster it must have a hash tag, such as "{tocsin}:". Defaults to
	// "tocsin:".
	Prefix string

	// Times are how long leases, claims and spare keys last.
	Times cache.MemoryOptions

	// Cache configures the Writer and the Refresher.
	Cache cache.Options

	// Reader configures the Reader.
	Reader cache.ReaderOptions
}

// A Store is a [cache.Store] in Redis. It may be used by several goroutines.
type Store struct {
	client redis.UniversalClient
	prefix string
	times  cache.MemoryOptions

	acquire, release *redis.Script
}

var _ cache.Store = (*Store)(nil)

// NewStore returns a Store. It does not talk to Redis yet.
func NewStore(client redis.UniversalClient, opts Options) (*Store, error) {
	if client == nil {
		return nil, errors.New("no Redis client: give one, such as redis.NewClient returns")
	}
	return &Store{
		client: client, prefix: prefixOf(opts), times: opts.Times.OrDefaults(),
		acquire: redis.NewScript(acquireScript), release: redis.NewScript(releaseScript),
	}, nil
}

func prefixOf(opts Options) string {
	if opts.Prefix == "" {
		return "tocsin:"
	}
	return opts.Prefix
}

func (s *Store) keys(keys []string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = s.prefix + k
	}
	return out
}

// wrap says that it is Redis that failed.
func wrap(err error) error {
	if err == nil || errors.Is(err, cache.ErrNotPublisher) || errors.Is(err, cache.ErrConflict) || errors.Is(err, cache.ErrEmpty) {
		return err
	}
	return fmt.Errorf("redis: %w", err)
}

// Put writes blobs in one pipeline.
func (s *Store) Put(ctx context.Context, blobs []cache.Blob) error {
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, b := range blobs {
			p.SetNX(ctx, s.prefix+b.Key, b.Data, s.times.Spare)
		}
		return nil
	})
	return wrap(err)
}

// Get reads blobs.
func (s *Store) Get(ctx context.Context, keys []string) ([][]byte, error) {
	out := make([][]byte, len(keys))
	if len(keys) == 0 {
		return out, nil
	}
	values, err := s.client.MGet(ctx, s.keys(keys)...).Result()
	if err != nil {
		return nil, wrap(err)
	}
	for i, v := range values {
		if text, ok := v.(string); ok {
			out[i] = []byte(text)
		}
	}
	return out, nil
}

// chunk is how many keys are in one command.
const chunk = 1000

// Missing asks for all keys at once, and for each only if one is missing.
func (s *Store) Missing(ctx context.Context, keys []string) ([]string, error) {
	var missing []string
	for from := 0; from < len(keys); from += chunk {
		part := keys[from:min(from+chunk, len(keys))]
		n, err := s.client.Exists(ctx, s.keys(part)...).Result()
		if err != nil {
			return nil, wrap(err)
		}
		if int(n) == len(part) {
			continue
		}
		there := make([]*redis.IntCmd, len(part))
		if _, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, k := range part {
				there[i] = p.Exists(ctx, s.prefix+k)
			}
			return nil
		}); err != nil {
			return nil, wrap(err)
		}
		for i, k := range part {
			if there[i].Val() == 0 {
				missing = append(missing, k)
			}
		}
	}
	return missing, nil
}

// The keys beside blobs. All that is current is in one hash.
const (
	currentKey    = "current"    // a hash: id, head, stale
	leaseKey      = "publisher"  // holder:generation
	generationKey = "generation" // a counter
)

// Current reads the current version.
func (s *Store) Current(ctx context.Context) (cache.Current, error) {
	values, err := s.client.HMGet(ctx, s.prefix+currentKey, "id", "head", "stale").Result()
	if err != nil {
		return cache.Current{}, wrap(err)
	}
	id, ok := values[0].(string)
	if !ok {
		return cache.Current{}, cache.ErrEmpty
	}
	c := cache.Current{ID: id}
	if head, ok := values[1].(string); ok {
		c.Head = []byte(head)
	}
	if stale, ok := values[2].(string); ok {
		if err := json.Unmarshal([]byte(stale), &c.Stale); err != nil {
			return cache.Current{}, wrap(fmt.Errorf("the hash %s%s is damaged: %w", s.prefix, currentKey, err))
		}
	}
	return c, nil
}

func leaseText(l cache.Lease) string { return l.Holder + ":" + strconv.FormatInt(l.Generation, 10) }

// guarded does something in MULTI/EXEC if the lease is held, and goes on being held until then.
func (s *Store) guarded(ctx context.Context, l cache.Lease, check func(*redis.Tx) error, do func(redis.Pipeliner)) error {
	err := s.client.Watch(ctx, func(tx *redis.Tx) error {
		held, err := tx.Get(ctx, s.prefix+leaseKey).Result()
		if errors.Is(err, redis.Nil) || err == nil && (held != leaseText(l) || l.Generation == 0) {
			return cache.ErrNotPublisher
		}
		if err != nil {
			return err
		}
		if err := check(tx); err != nil {
			return err
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			do(p)
			return nil
		})
		return err
	}, s.prefix+leaseKey, s.prefix+currentKey)
	if errors.Is(err, redis.TxFailedErr) {
		return cache.ErrConflict
	}
	return wrap(err)
}

// Publish flips to a version in one MULTI/EXEC.
func (s *Store) Publish(ctx context.Context, l cache.Lease, f cache.Flip) error {
	return s.guarded(ctx, l, func(tx *redis.Tx) error {
		base, err := tx.HGet(ctx, s.prefix+currentKey, "id").Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if base != f.Base {
			return cache.ErrConflict
		}
		return nil
	}, func(p redis.Pipeliner) {
		for _, k := range f.Drop {
			p.PExpire(ctx, s.prefix+k, s.times.Spare)
		}
		for _, k := range f.Keep {
			p.Persist(ctx, s.prefix+k)
		}
		p.HSet(ctx, s.prefix+currentKey, "id", f.ID, "head", f.Head)
		p.HDel(ctx, s.prefix+currentKey, "stale")
	})
}

// MarkStale says that the current version is old.
func (s *Store) MarkStale(ctx context.Context, l cache.Lease, stale cache.Stale) error {
	return s.guarded(ctx, l, func(tx *redis.Tx) error {
		values, err := tx.HMGet(ctx, s.prefix+currentKey, "id", "stale").Result()
		if err != nil {
			return err
		}
		if values[0] == nil {
			return cache.ErrEmpty
		}
		var before cache.Stale
		if text, ok := values[1].(string); ok && json.Unmarshal([]byte(text), &before) == nil && !before.Since.IsZero() {
			stale.Since = before.Since
		}
		return nil
	}, func(p redis.Pipeliner) {
		text, _ := json.Marshal(stale) // a time and a text
		p.HSet(ctx, s.prefix+currentKey, "stale", text)
	})
}

// Acquire renews the lease, or wins it.
func (s *Store) Acquire(ctx context.Context, l cache.Lease) (cache.Lease, error) {
	generation, err := s.acquire.Run(ctx, s.client, s.keys([]string{leaseKey, generationKey}),
		l.Holder, l.Generation, s.times.Lease.Milliseconds()).Int64()
	if err != nil {
		return cache.Lease{}, wrap(err)
	}
	if generation == 0 {
		return cache.Lease{}, cache.ErrNotPublisher
	}
	return cache.Lease{Holder: l.Holder, Generation: generation}, nil
}

// Release gives the lease back.
func (s *Store) Release(ctx context.Context, l cache.Lease) error {
	n, err := s.release.Run(ctx, s.client, s.keys([]string{leaseKey}), leaseText(l)).Int()
	if err == nil && n == 0 {
		return cache.ErrNotPublisher
	}
	return wrap(err)
}

// PutTerms writes a sorted set, whose members all have the same score: then their order is that of their
// bytes. It is written under another name and renamed, so that it is never seen in part.
func (s *Store) PutTerms(ctx context.Context, key string, terms []string) error {
	temporary := s.prefix + key + "/new"
	_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, temporary)
		for from := 0; from < len(terms); from += chunk {
			part := terms[from:min(from+chunk, len(terms))]
			members := make([]redis.Z, len(part))
			for i, t := range part {
				members[i].Member = t
			}
			p.ZAdd(ctx, temporary, members...)
		}
		if len(terms) > 0 {
			p.Rename(ctx, temporary, s.prefix+key)
			p.PExpire(ctx, s.prefix+key, s.times.Spare)
		}
		return nil
	})
	return wrap(err)
}

// Range reads a part of a sorted set.
func (s *Store) Range(ctx context.Context, key, prefix, after string, limit int) ([]string, error) {
	from := "[" + prefix
	if after >= prefix && after != "" {
		from = "(" + after
	}
	terms, err := s.client.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: s.prefix + key, Start: from, Stop: "(" + prefix + "\xff", ByLex: true, Count: int64(limit),
	}).Result()
	return terms, wrap(err)
}

// Idle is how long a Redis connection may wait for tasks: longer waits are cut into such pieces, so that
// who ends is not waited for.
const idle = 500 * time.Millisecond
