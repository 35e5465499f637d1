// Package rediscache keeps package cache's versions and queue in Redis, so that several workers share the
// work of refreshing and several servers read the same.
//
// # Shapes
//
// [NewWriter], [NewReader] and [NewRefresher] return package cache's types over one Redis client, which stays
// the caller's. [Store] and [Queue] are the parts. Their keys, after [Options.Prefix]:
//
//	current        hash: the version's ID, its first tier, why it is stale; flipped in MULTI/EXEC
//	publisher      the lease, holder:generation, SET NX with an expiry by a Lua script
//	generation     how often the lease was won
//	failing/ID     the second tier
//	index/ID       all services of a version without details
//	search/HASH    sorted set with one score, searched by ZRANGE BYLEX
//	detail/HASH    one environment's detail
//	building       the version whose tasks count
//	tasks          stream with the consumer group "workers"
//	results/ID     hash: which detail each task made
//
// What belongs to the current version never expires; what is written and not yet or no longer part of it
// does, after [cache.MemoryOptions].Spare. So Redis must not evict (maxmemory-policy noeviction, or a
// volatile one); what is evicted all the same is built anew in the next refresh.
//
// # Guarantees
//
// A version is published by one transaction that watches the lease and the current version: a publisher
// that was paused past its lease is refused ([cache.ErrNotPublisher]), as it is when it puts tasks on the
// stream after the lease was won again, which would make those of its successor void. A task that a worker took and did
// not finish goes to another after ClaimAfter; a result is recorded once, by a script that acknowledges the
// task with it. Nothing needs to survive in Redis: restarted empty it is full again after one refresh.
//
// # Errors and goroutines
//
// Errors of the connection begin with "redis:". Methods may be called by several goroutines, and start
// none. How long a call may take is the client's configuration (DialTimeout, ReadTimeout, MaxRetries).
// Times are Redis's own where leases and claims are concerned. Redis 7.0 or later.
package rediscache
