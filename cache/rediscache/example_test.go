package rediscache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cache/rediscache"
	"github.com/tocsin/tocsin/discovery"
)

// All tiers or none.
func ExampleNewWriter() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", DialerRetries: 1, ReadTimeout: time.Second})
	w, err := rediscache.NewWriter(client, rediscache.Options{Prefix: "status:"})
	if err != nil {
		panic(err)
	}
	write := func(ctx context.Context, now time.Time, results []discovery.Health) error {
		version, err := w.Write(ctx, now, results)
		if errors.Is(err, cache.ErrPartial) { // fewer than 70 % of what was known: untouched
			return w.MarkStale(ctx, now)
		}
		fmt.Println(version)
		return err
	}
	_ = write
}
