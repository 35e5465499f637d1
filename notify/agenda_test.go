package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tocsin/tocsin/alarm"
)

func intention(id int64, receiver, group string) alarm.Intention {
	return alarm.Intention{ID: id, Key: alarm.IntentionKey{Receiver: receiver, Integration: "log[0]", Group: group}}
}

func started(a *agenda, now time.Time) (jobs []*job, ids []int64) {
	jobs = a.start(now)
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	return jobs, ids
}

func TestAgendaStartsInOrderAndBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	a := newAgenda(2)
	for i, group := range []string{"a", "b", "c"} {
		a.add(intention(int64(i+1), "ops", group))
	}
	a.add(intention(4, "db", "a"))

	jobs, ids := started(a, now)
	assert.Equal(t, []int64{1, 2, 4}, ids, "two of ops, and db beside them")
	_, ids = started(a, now)
	assert.Empty(t, ids)

	a.finish(jobs[1])
	_, ids = started(a, now)
	assert.Equal(t, []int64{3}, ids)
}

func TestAgendaKeepsTheOrderOfOneKey(t *testing.T) {
	now := time.Unix(1000, 0)
	a := newAgenda(16)
	a.add(intention(1, "ops", "a"))
	a.add(intention(2, "ops", "a"))
	a.add(intention(3, "ops", "b"))

	jobs, ids := started(a, now)
	assert.Equal(t, []int64{1, 3}, ids)

	a.retry(jobs[0], now.Add(time.Second))
	_, ids = started(a, now)
	assert.Empty(t, ids, "2 waits for the end of 1, not for its attempt")
	next, ok := a.next()
	assert.True(t, ok)
	assert.Equal(t, now.Add(time.Second), next)

	again, ids := started(a, now.Add(time.Second))
	assert.Equal(t, []int64{1}, ids)
	a.finish(again[0])
	last, ids := started(a, now.Add(time.Second))
	assert.Equal(t, []int64{2}, ids)

	a.finish(last[0])
	a.finish(jobs[1])
	started(a, now.Add(time.Second))
	_, ok = a.next()
	assert.False(t, ok)
	assert.Equal(t, newAgenda(16).queues, a.queues, "nothing is kept of an idle queue")
	assert.Empty(t, a.lines)
}

func TestAgendaARetryHoldsNoWorker(t *testing.T) {
	now := time.Unix(1000, 0)
	a := newAgenda(1)
	a.add(intention(1, "ops", "a"))
	a.add(intention(2, "ops", "b"))
	jobs, _ := started(a, now)
	a.retry(jobs[0], now.Add(time.Minute))
	_, ids := started(a, now)
	assert.Equal(t, []int64{2}, ids)
}

func TestAgendaPause(t *testing.T) {
	now := time.Unix(1000, 0)
	a := newAgenda(1)
	a.add(intention(1, "ops", "a"))
	a.add(intention(2, "ops", "b"))
	a.add(intention(3, "db", "a"))
	jobs, ids := started(a, now)
	assert.Equal(t, []int64{1, 3}, ids)

	until := now.Add(time.Minute)
	a.pause(endpointOf(jobs[0].Key), until)
	a.pause(endpointOf(jobs[0].Key), now.Add(time.Second)) // the longer one counts
	a.finish(jobs[0])
	for _, at := range []time.Time{now, now.Add(time.Second), until.Add(-1)} {
		_, ids = started(a, at)
		assert.Empty(t, ids)
	}
	next, ok := a.next()
	assert.True(t, ok)
	assert.Equal(t, until, next)
	_, ids = started(a, until)
	assert.Equal(t, []int64{2}, ids)
}
