package rediscache

import (
	"github.com/redis/go-redis/v9"

	"github.com/tocsin/tocsin/cache"
)

// NewWriter returns a Writer of the cache in Redis.
func NewWriter(client redis.UniversalClient, opts Options) (*cache.Writer, error) {
	s, err := NewStore(client, opts)
	if err != nil {
		return nil, err
	}
	return cache.NewWriter(s, opts.Cache)
}

// NewReader returns a Reader of the cache in Redis.
func NewReader(client redis.UniversalClient, opts Options) (*cache.Reader, error) {
	s, err := NewStore(client, opts)
	if err != nil {
		return nil, err
	}
	return cache.NewReader(s, opts.Reader), nil
}

// NewRefresher returns one of the workers that refresh the cache in Redis.
func NewRefresher(client redis.UniversalClient, source cache.Source, opts Options) (*cache.Refresher, error) {
	s, err := NewStore(client, opts)
	if err != nil {
		return nil, err
	}
	q, err := NewQueue(client, opts)
	if err != nil {
		return nil, err
	}
	return cache.NewRefresher(s, q, source, opts.Cache)
}
