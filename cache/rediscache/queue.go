package rediscache

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin/tocsin/cache"
)

// A Queue is a [cache.Queue] in Redis: a stream with a consumer group. It may be used by several goroutines.
type Queue struct {
	client redis.UniversalClient
	prefix string
	times  cache.MemoryOptions

	finish, end *redis.Script

	mu     sync.Mutex // guards what is below
	looked time.Time  // when tasks were looked for that others left
}

var _ cache.Queue = (*Queue)(nil)

// NewQueue returns a Queue. It does not talk to Redis yet.
func NewQueue(client redis.UniversalClient, opts Options) (*Queue, error) {
	if client == nil {
		return nil, errors.New("no Redis client: give one, such as redis.NewClient returns")
	}
	return &Queue{
		client: client, prefix: prefixOf(opts), times: opts.Times.OrDefaults(),
		finish: redis.NewScript(finishScript), end: redis.NewScript(endScript),
	}, nil
}

// The keys of a queue, and the group.
const (
	streamKey  = "tasks"
	versionKey = "building" // the version whose tasks count
	resultsKey = "results/" // a hash for each version
	group      = "workers"
)

// Begin puts tasks on the stream, and takes those of other versions away, unless the lease was won again.
func (q *Queue) Begin(ctx context.Context, l cache.Lease, version string, tasks []cache.Task) error {
	if err := q.makeGroup(ctx); err != nil {
		return err
	}
	err := q.client.Watch(ctx, func(tx *redis.Tx) error {
		newest, err := tx.Get(ctx, q.prefix+generationKey).Int64()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if l.Generation < newest {
			return cache.ErrNotPublisher
		}
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.XTrimMaxLen(ctx, q.prefix+streamKey, 0)
			p.Set(ctx, q.prefix+versionKey, version, q.times.VersionTTL)
			for _, t := range tasks {
				p.XAdd(ctx, &redis.XAddArgs{
					Stream: q.prefix + streamKey,
					Values: []any{"version", t.Version, "task", t.ID, "data", t.Data},
				})
			}
			return nil
		})
		return err
	}, q.prefix+generationKey)
	if errors.Is(err, redis.TxFailedErr) {
		return cache.ErrNotPublisher // it was won meanwhile
	}
	return wrap(err)
}

// makeGroup makes the consumer group, and the stream, if they are not there.
func (q *Queue) makeGroup(ctx context.Context) error {
	err := q.client.XGroupCreateMkStream(ctx, q.prefix+streamKey, group, "0").Err()
	if redis.HasErrorPrefix(err, "BUSYGROUP") {
		return nil // it is there
	}
	return wrap(err)
}

// Results reads the results once all are there.
func (q *Queue) Results(ctx context.Context, version string, want int) (map[string][]byte, error) {
	key := q.prefix + resultsKey + version
	n, err := q.client.HLen(ctx, key).Result()
	if err != nil || int(n) < want {
		return nil, wrap(err)
	}
	all, err := q.client.HGetAll(ctx, key).Result()
	if err != nil {
		return nil, wrap(err)
	}
	results := make(map[string][]byte, len(all))
	for id, r := range all {
		results[id] = []byte(r)
	}
	return results, nil
}

// End makes the tasks of a version void.
func (q *Queue) End(ctx context.Context, version string) error {
	return wrap(q.end.Run(ctx, q.client, q.scope(version), version).Err())
}

// scope is the keys that a version's tasks touch.
func (q *Queue) scope(version string) []string {
	return []string{q.prefix + versionKey, q.prefix + resultsKey + version, q.prefix + streamKey}
}

// Take claims what others left, and else waits for new tasks.
func (q *Queue) Take(ctx context.Context, worker string, n int, wait time.Duration) ([]cache.Claim, error) {
	until := time.Now().Add(wait)
	for {
		claims, err := q.left(ctx, worker, n)
		if err == nil && len(claims) == 0 {
			claims, err = q.read(ctx, worker, n, min(idle, max(time.Until(until), time.Millisecond)))
		}
		if redis.HasErrorPrefix(err, "NOGROUP") { // Redis was restarted empty
			if err = q.makeGroup(ctx); err == nil {
				continue
			}
		}
		switch {
		case err != nil:
			return nil, wrap(err)
		case len(claims) > 0:
			if claims, err = q.valid(ctx, claims); err != nil || len(claims) > 0 {
				return claims, err
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !time.Now().Before(until) {
			return nil, nil
		}
	}
}

// left claims tasks that another worker has had for too long.
func (q *Queue) left(ctx context.Context, worker string, n int) ([]cache.Claim, error) {
	q.mu.Lock()
	now := time.Now()
	due := now.Sub(q.looked) >= q.times.ClaimAfter/8
	if due {
		q.looked = now
	}
	q.mu.Unlock()
	if !due {
		return nil, nil
	}
	messages, _, err := q.client.XAutoClaim(ctx, &redis.XAutoClaimArgs{
		Stream: q.prefix + streamKey, Group: group, Consumer: worker, MinIdle: q.times.ClaimAfter, Start: "0", Count: int64(n),
	}).Result()
	return claimsOf(messages), err
}

func (q *Queue) read(ctx context.Context, worker string, n int, wait time.Duration) ([]cache.Claim, error) {
	streams, err := q.client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: worker, Streams: []string{q.prefix + streamKey, ">"}, Count: int64(n), Block: wait,
	}).Result()
	if errors.Is(err, redis.Nil) || err != nil {
		if errors.Is(err, redis.Nil) {
			err = nil
		}
		return nil, err
	}
	return claimsOf(streams[0].Messages), nil
}

func claimsOf(messages []redis.XMessage) []cache.Claim {
	var claims []cache.Claim
	for _, m := range messages {
		text := func(name string) string { s, _ := m.Values[name].(string); return s }
		claims = append(claims, cache.Claim{
			Task:    cache.Task{Version: text("version"), ID: text("task"), Data: []byte(text("data"))},
			Receipt: m.ID,
		})
	}
	return claims
}

// valid acknowledges the tasks that are void, and returns the others.
func (q *Queue) valid(ctx context.Context, claims []cache.Claim) ([]cache.Claim, error) {
	version, err := q.client.Get(ctx, q.prefix+versionKey).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, wrap(err)
	}
	var out []cache.Claim
	var void []string
	for _, c := range claims {
		if c.Version == version && version != "" {
			out = append(out, c)
		} else {
			void = append(void, c.Receipt)
		}
	}
	if len(void) > 0 {
		if err := q.client.XAck(ctx, q.prefix+streamKey, group, void...).Err(); err != nil {
			return nil, wrap(err)
		}
	}
	return out, nil
}

// Finish records results, and acknowledges their tasks, in one pipeline.
func (q *Queue) Finish(ctx context.Context, done []cache.Done) (first int, err error) {
	run := func() ([]redis.Cmder, error) {
		return q.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, d := range done {
				q.finish.EvalSha(ctx, p, q.scope(d.Version), d.Version, d.ID, d.Result, group, d.Receipt, q.times.VersionTTL.Milliseconds())
			}
			return nil
		})
	}
	commands, err := run()
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // Redis was restarted; what did count does so once
		if err = q.finish.Load(ctx, q.client).Err(); err == nil {
			commands, err = run()
		}
	}
	if err != nil {
		return 0, wrap(err)
	}
	for _, c := range commands {
		if n, err := c.(*redis.Cmd).Int(); err == nil {
			first += n
		}
	}
	return first, nil
}
