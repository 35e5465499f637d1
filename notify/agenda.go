package notify

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/tocsin/tocsin/alarm"
)

// An endpoint is one integration of one receiver.
type endpoint struct{ receiver, integration string }

func endpointOf(k alarm.IntentionKey) endpoint { return endpoint{k.Receiver, k.Integration} }

// A job is one intention on its way.
type job struct {
	alarm.Intention
	attempts int
	backoff  *backoff.ExponentialBackOff
	err      error // of the last attempt
}

// An agenda knows which intentions may be attempted now, and when to look again. It asks no clock
// and starts nothing; one goroutine uses it.
type agenda struct {
	workers int // how many jobs of one endpoint may be in hand
	queues  map[endpoint]*queue
	lines   map[alarm.IntentionKey][]*job // the first is in hand or in a queue, the others wait for its end
	timers  timers
	stirred []*queue // may have something to start
}

// A queue holds the jobs of one endpoint.
type queue struct {
	endpoint endpoint
	ready    []*job
	running  int
	waiting  int       // jobs that wait for a timer
	paused   time.Time // nothing starts before
	stirred  bool      // is in agenda.stirred
	failing  time.Time // since when every attempt failed; zero: the last one did not
}

func newAgenda(workers int) *agenda {
	return &agenda{workers: workers, queues: map[endpoint]*queue{}, lines: map[alarm.IntentionKey][]*job{}}
}

// add takes an intention that is not on the agenda yet.
func (a *agenda) add(in alarm.Intention) {
	j := &job{Intention: in}
	line := append(a.lines[in.Key], j)
	a.lines[in.Key] = line
	if len(line) == 1 {
		a.ready(j)
	}
}

// start returns the jobs that may start now, in the order of their queues. They are in hand until
// retry or finish.
func (a *agenda) start(now time.Time) []*job {
	for len(a.timers) > 0 && !a.timers[0].at.After(now) {
		t := heap.Pop(&a.timers).(timer)
		if t.job == nil {
			a.stir(t.queue)
			continue
		}
		t.queue.waiting--
		a.ready(t.job)
	}
	var jobs []*job
	for _, q := range a.stirred {
		q.stirred = false
		for q.running < a.workers && len(q.ready) > 0 && !now.Before(q.paused) {
			jobs = append(jobs, q.ready[0])
			q.ready[0] = nil
			q.ready = q.ready[1:]
			q.running++
		}
		if q.running == 0 && q.waiting == 0 && len(q.ready) == 0 && !now.Before(q.paused) {
			delete(a.queues, q.endpoint)
		}
	}
	a.stirred = a.stirred[:0]
	return jobs
}

// next says when start will have something to do without anything else happening.
func (a *agenda) next() (time.Time, bool) {
	if len(a.timers) == 0 {
		return time.Time{}, false
	}
	return a.timers[0].at, true
}

// retry puts a job that is in hand back until an instant.
func (a *agenda) retry(j *job, at time.Time) {
	q := a.release(j)
	q.waiting++
	heap.Push(&a.timers, timer{at: at, job: j, queue: q})
}

// finish takes a job that is in hand off the agenda. The next one of its key is ready then.
func (a *agenda) finish(j *job) {
	a.release(j)
	line := a.lines[j.Key][1:]
	if len(line) == 0 {
		delete(a.lines, j.Key)
		return
	}
	a.lines[j.Key] = line
	a.ready(line[0])
}

// pause lets nothing of an endpoint start before an instant.
func (a *agenda) pause(e endpoint, until time.Time) {
	q := a.queue(e)
	if !until.After(q.paused) {
		return
	}
	q.paused = until
	heap.Push(&a.timers, timer{at: until, queue: q})
}

func (a *agenda) queue(e endpoint) *queue {
	q := a.queues[e]
	if q == nil {
		q = &queue{endpoint: e}
		a.queues[e] = q
	}
	return q
}

func (a *agenda) ready(j *job) {
	q := a.queue(endpointOf(j.Key))
	q.ready = append(q.ready, j)
	a.stir(q)
}

func (a *agenda) release(j *job) *queue {
	q := a.queue(endpointOf(j.Key))
	q.running--
	a.stir(q)
	return q
}

func (a *agenda) stir(q *queue) {
	if !q.stirred {
		q.stirred = true
		a.stirred = append(a.stirred, q)
	}
}

// A timer makes a job ready, or, without one, ends a pause of its queue.
type timer struct {
	at    time.Time
	job   *job
	queue *queue
}

// outage is for how long every attempt at an endpoint must have failed for it to have been away.
const outage = 30 * time.Second

// fared takes note how an attempt at an endpoint ended. When one that was away takes something again,
// whatever waits for its next attempt is ready at once, the oldest first. A single job that fails while
// others do not keeps to its backoff.
func (a *agenda) fared(now time.Time, e endpoint, err error) {
	q := a.queue(e)
	if err != nil {
		if q.failing.IsZero() {
			q.failing = now
		}
		return
	}
	away := !q.failing.IsZero() && now.Sub(q.failing) >= outage
	q.failing = time.Time{}
	if !away {
		return
	}
	kept := a.timers[:0]
	for _, t := range a.timers {
		if t.queue == q && t.job != nil {
			q.ready = append(q.ready, t.job)
		} else {
			kept = append(kept, t)
		}
	}
	clear(a.timers[len(kept):])
	a.timers, q.waiting = kept, 0
	heap.Init(&a.timers)
	slices.SortFunc(q.ready, func(x, y *job) int { return cmp.Compare(x.ID, y.ID) })
	a.stir(q)
}

// timers is a heap, the earliest first.
type timers []timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)        { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = timer{}
	*t = (*t)[:last]
	return x
}
