package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/discovery"
)

// All tiers or none.
func ExampleWriter() {
	ctx, now := context.Background(), time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	store := cache.NewMemory(cache.MemoryOptions{})
	w, err := cache.NewWriter(store, cache.Options{})
	if err != nil {
		panic(err)
	}
	var results []discovery.Health
	for _, service := range []string{"billing", "orders", "search"} {
		t := discovery.Target{Cluster: "eu-1", Namespace: "env-42", Service: service}
		results = append(results, discovery.NoAnswer(t, now, discovery.WhyRefused, "connection refused"))
	}
	if _, err := w.Write(ctx, now, results); err != nil {
		panic(err)
	}
	_, err = w.Write(ctx, now.Add(30*time.Second), results[:2])
	if errors.Is(err, cache.ErrPartial) { // fewer than 70 % of what was known: untouched
		fmt.Println(err)
		err = w.MarkStale(ctx, now.Add(30*time.Second))
	}
	if err != nil {
		panic(err)
	}

	v, err := cache.NewReader(store, cache.ReaderOptions{}).View(ctx, now.Add(30*time.Second))
	if err != nil {
		panic(err)
	}
	fmt.Println(v.Summary.Fail, "of", v.Summary.Services, "fail; stale:", v.Stale.Reason)
	hits, err := v.Search(ctx, "rder", 10)
	if err != nil {
		panic(err)
	}
	fmt.Println(hits[0].Kind, hits[0].Name)
	// Output:
	// too few of the known services were returned: 2 of 3, the cache is left as it was
	// 3 of 3 fail; stale: upstream returned too few of the known services
	// service orders
}

// One process that probes and serves: give Result to the prober's options, and Observe to its Run.
func ExampleRefresher() {
	ctx, now := context.Background(), time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	store, direct := cache.NewMemory(cache.MemoryOptions{}), &cache.Direct{}
	r, err := cache.NewRefresher(store, cache.NewMemoryQueue(cache.MemoryOptions{}), direct, cache.Options{})
	if err != nil {
		panic(err)
	}
	body := []byte(`{"status":"UP","components":{"db":{"status":"UP"}}}`)
	h := discovery.Health{
		Target: discovery.Target{Cluster: "eu-1", Namespace: "env-42", Service: "orders"}, At: now, Raw: body,
		Report: discovery.Parse(discovery.Answer{Status: 200, Body: body}),
	}
	direct.Result(ctx, h)
	direct.Observe(ctx, discovery.Cycle{Agent: "here", Cluster: "eu-1", At: now, Interval: 30 * time.Second, Results: []discovery.Health{h}})
	if _, err := r.Cycle(ctx, now); err != nil { // or r.Run(ctx)
		panic(err)
	}
	v, err := cache.NewReader(store, cache.ReaderOptions{}).View(ctx, now)
	if err != nil {
		panic(err)
	}
	d, err := v.Detail(ctx, cache.Key{Cluster: "eu-1", Namespace: "env-42"})
	if err != nil {
		panic(err)
	}
	s := d.Service("orders")
	fmt.Println(s.Target.Service, s.State, s.Tree().Nodes[0].Name)
	// Output: orders ok db
}
