package rediscache

import (
	"errors"

	"github.com/redis/go-redis/v9"
)

// Connect returns a client of the server at a URL such as redis://user:password@host:6379/0, which the caller
// closes. It asks nothing yet. The error does not quote the URL.
func Connect(url string) (redis.UniversalClient, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("not the URL of a Redis server: write one such as redis://localhost:6379")
	}
	opts.ContextTimeoutEnabled = true // who is in a hurry says so
	return redis.NewClient(opts), nil
}
